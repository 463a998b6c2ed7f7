//! The limits: of bodies, of time, of the queue; and who may ask.

use std::{fs, thread, time::Duration};

use serde_json::json;

use super::client::form;
use super::server::{Server, run, sentences, wait};
use crate::support::words;

#[test]
fn of_bodies() {
    let server = Server::start("text", &words![run("text"), "--max-body", "1K"]);
    let long = "a ".repeat(600);
    assert!(server.connect().texts("text", &json!(long)).refused(413).contains("1024 bytes"));
    // Without a length in front.
    let mut connection = server.connect();
    let head = "POST /v1/models/text/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
                transfer-encoding: chunked\r\n\r\n";
    connection.write(head.as_bytes()).unwrap();
    for _ in 0..20 {
        let _ = connection.write(format!("40\r\n{}\r\n", "a ".repeat(32)).as_bytes());
    }
    connection.read().expect("an answer").refused(413);
    let chunked = |text: &str| format!("{head}{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let mut connection = server.connect();
    connection.write(chunked("seven").as_bytes()).unwrap();
    assert_eq!(connection.read().expect("an answer").predictions().len(), 1);
    // One larger than any is not even begun.
    let mut connection = server.connect();
    let head = "POST /v1/models/text/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
                content-length: 99999999999\r\nexpect: 100-continue\r\n\r\n";
    connection.write(head.as_bytes()).unwrap();
    connection.read().expect("an answer").refused(413);
}

#[test]
fn of_the_queue() {
    let server = Server::start(
        "text",
        &words![run("text"), "--max-queue", "8", "--max-batch", "1", "--workers", "1"],
    );
    let statuses: Vec<(u16, bool)> = thread::scope(|scope| {
        let clients = (0..24).map(|_| {
            scope.spawn(|| {
                let answer = server.connect().texts("text", &json!(sentences(4)));
                (answer.status, answer.header("retry-after").is_some())
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(statuses.contains(&(200, false)), "{statuses:?}");
    assert!(statuses.iter().all(|s| [(200, false), (429, true)].contains(s)), "{statuses:?}");
    wait("the queue is empty", || server.metric("crosstune_queue_length") == 0.);
    assert_eq!(server.connect().texts("text", &json!(sentences(8))).predictions().len(), 8);
    assert!(server.connect().texts("text", &json!(sentences(9))).refused(413).contains("in parts"));
    // What is behind the one that is too many is not even made an input.
    let (mut connection, many) = (server.connect(), "a\n".repeat(4 << 20));
    let answer = connection.predict("text", "text/plain", many.as_bytes());
    assert!(answer.refused(413).contains("more than 8 inputs"));
    let (plain, many) = form(&[("a.txt", many.as_bytes()); 3]);
    connection.predict("text", &plain, &many).refused(413);
    connection.texts("text", &json!(vec!["a"; 1 << 20])).refused(413);
    assert!(server.peak() < 1000., "{} MiB", server.peak());
}

#[test]
fn of_who_may_ask() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "s3cret-token\n").unwrap();
    let server = Server::start("text", &words![run("text"), "--token-file", file]);
    let mut connection = server.connect();
    let body = json!({"inputs": "one"}).to_string();
    let mut ask = |more: &str| {
        let headers = ["content-type: application/json", more];
        connection.ask("POST /v1/models/text/predict", &headers, body.as_bytes())
    };
    let none = ask("x-nothing: x");
    assert!(none.refused(401).contains("Bearer"));
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    ask("authorization: Bearer s3cret-tokem").refused(401);
    ask("authorization: Bearer s3cret-token2").refused(401);
    ask("authorization: Basic s3cret-token").refused(401);
    assert_eq!(ask("authorization: Bearer s3cret-token").predictions().len(), 1);
    let mut connection = server.connect();
    for closed in ["/v1/models", "/v1/models/text", "/metrics", "/v1/models/other"] {
        connection.get(closed).refused(401);
    }
    for open in ["/", "/health", "/openapi.json"] {
        assert_eq!(connection.get(open).status, 200, "{open}");
    }
    // Where there is a token, a name of its own for the server is fine; else it is somebody else's.
    let at = |server: &Server, host: &str| {
        let mut connection = server.connect();
        let get = format!("GET /health HTTP/1.1\r\nhost: {host}\r\n\r\n");
        connection.write(get.as_bytes()).unwrap();
        connection.read().unwrap().status
    };
    assert_eq!(at(&server, "models.example"), 200);
    let server = Server::start("text", &words![run("text")]);
    assert_eq!(at(&server, "models.example"), 421);
    assert_eq!(at(&server, &server.address.to_string()), 200);
    // A page of its own may ask; one from elsewhere, whose answer no browser would show it, may not.
    let from = |origin: &str| {
        let mut connection = server.connect();
        let headers = ["content-type: text/plain", &format!("origin: {origin}")];
        connection.ask("POST /v1/models/text/predict", &headers, b"seven")
    };
    assert_eq!(from("http://localhost").predictions().len(), 1);
    from("https://pages.example").refused(403);
    from("null").refused(403);
}

#[test]
fn of_time() {
    let server = Server::start("text", &words![run("text"), "--timeout", "1"]);
    // A head that does not end.
    let mut slow_head = server.connect();
    slow_head.write(b"POST /v1/models/text/predict HTTP/1.1\r\nhost: loc").unwrap();
    // Nothing at all.
    let mut silent = server.connect();
    // A body that does not end.
    let mut slow_body = server.connect();
    let head = "POST /v1/models/text/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
                content-length: 100\r\n\r\nseven";
    slow_body.write(head.as_bytes()).unwrap();
    // Others are answered meanwhile.
    assert_eq!(server.connect().texts("text", &json!("one")).predictions().len(), 1);
    assert!(slow_body.read().expect("an answer").refused(408).contains("1 second"));
    thread::sleep(Duration::from_millis(1500));
    // hyper says so of a head, or just closes.
    assert!(slow_head.read().is_none_or(|answer| answer.status == 408));
    assert!(silent.read().is_none_or(|answer| answer.status == 408));
    assert!(silent.write(b"GET /health HTTP/1.1\r\n").is_err() || silent.read().is_none());
}
