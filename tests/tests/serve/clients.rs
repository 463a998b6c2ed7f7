//! Clients: very many, gone before their answer, too slow to take it, and those that are there when the
//! server is asked to end.

use std::{
    io::Write,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::server::{Server, SetAtEnd, predicted, run, same, sentences, wait};
use crate::support::words;

#[test]
fn ten_thousand_requests_have_the_answers_of_predict() {
    const REQUESTS: usize = 10_000;
    const CLIENTS: usize = 64;
    let (run, texts) = (run("text"), sentences(200));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("texts.txt");
    std::fs::write(&file, texts.join("\n")).unwrap();
    let wanted = predicted("text", &run, &[file]);
    let server = Server::start("text", &words![run]);
    let answered: usize = thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|client| {
            let (server, texts, wanted) = (&server, &texts, &wanted);
            scope.spawn(move || {
                let mut connection = server.connect();
                let mine = (client..REQUESTS).step_by(CLIENTS);
                mine.map(|at| {
                    let at = (7 * at + client) % texts.len();
                    let got = connection.texts("text", &json!(texts[at])).predictions();
                    assert!(same(&wanted[at], &got[0]), "{}\n{}", wanted[at], got[0]);
                })
                .count()
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(answered, REQUESTS);
    let of = "{model=\"text\",status=\"200\"}";
    assert_eq!(server.metric(&format!("crosstune_requests_total{of}")), REQUESTS as f64);
    assert_eq!(server.metric("crosstune_queue_length"), 0.);
}

#[test]
fn ten_thousand_wrong_ones_disturb_nobody() {
    let server = Server::start("text", &words![run("text")]);
    let wrong: [&[u8]; 6] = [
        b"POST /v1/models/text/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{\"inp",
        b"GET / HTTP/7\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/models/text/predict HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"POST /v1/models/nobody/predict HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"",
    ];
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let ended = SetAtEnd(&done);
        let right = scope.spawn(|| {
            let mut connection = server.connect();
            let mut count = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) || count == 0 {
                let got = connection.texts("text", &json!("seven of nine")).predictions();
                assert_eq!(got.len(), 1);
                count += 1;
            }
        });
        let senders = (0..8).map(|_| {
            scope.spawn(|| {
                for at in 0..1250 {
                    let mut stream = TcpStream::connect(server.address).unwrap();
                    // The server may have closed it.
                    let _ = stream.write_all(wrong[at % wrong.len()]);
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        drop(ended);
        right.join().unwrap();
    });
    assert_eq!(server.connect().get("/health").status, 200);
    assert!(!server.said().contains("panicked"), "{}", server.said());
}

/// The inputs of a request that takes a while.
const LONG: usize = 200;

/// A request that takes a while: a batch of one for each of many texts.
fn long() -> Vec<u8> {
    let texts: Vec<String> = sentences(LONG).iter().map(|text| text.repeat(20)).collect();
    let body = json!({"inputs": texts}).to_string();
    let head = format!(
        "POST /v1/models/text/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

#[test]
fn who_has_gone_leaves_the_queue() {
    let server = Server::start(
        "text",
        &words![run("text"), "--max-batch", "1", "--workers", "1", "--timeout", "110"],
    );
    let mut gone = TcpStream::connect(server.address).unwrap();
    gone.write_all(&long()).unwrap();
    wait("it waits", || server.metric("crosstune_queue_length") == LONG as f64);
    let before = server.metric("crosstune_batch_size_count{model=\"text\"}");
    drop(gone);
    let since = Instant::now();
    wait("it is gone", || server.metric("crosstune_queue_length") == 0.);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    let after = server.metric("crosstune_batch_size_count{model=\"text\"}");
    assert!(after < LONG as f64, "{before} and {after} were answered for nobody");
    let of = "{model=\"text\",status=\"499\"}";
    assert_eq!(server.metric(&format!("crosstune_requests_total{of}")), 1.);
}

#[test]
fn who_does_not_read_holds_nothing() {
    let server = Server::start("text", &words![run("text"), "--timeout", "5"]);
    // Asks on and on, and never takes an answer: the server stops to read, and then closes.
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    let get = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100);
    let since = Instant::now();
    let mut closed = false;
    while since.elapsed() < Duration::from_secs(60) && !closed {
        closed = stream.write_all(&get).is_err();
        assert_eq!(server.connect().texts("text", &json!("one")).predictions().len(), 1);
    }
    assert!(closed, "it is still connected");
}

#[test]
fn what_was_taken_is_answered_before_the_end() {
    for signal in [2, 15] {
        let words = words![run("text"), "--max-batch", "1", "--workers", "1", "--timeout", "110"];
        let mut server = Server::start("text", &words);
        let address = server.address;
        let mut connection = server.connect();
        let mut idle = server.connect();
        connection.write(&long()).unwrap();
        wait("it waits", || server.metric("crosstune_queue_length") > 0.);
        server.signal(signal);
        wait("it takes no more", || TcpStream::connect(address).is_err());
        let answer = connection.read().expect("an answer");
        assert_eq!(answer.predictions().len(), LONG);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(idle.read().is_none(), "what has asked nothing is closed");
        assert_eq!(server.end(), 0, "{}", server.said());
        assert!(server.said().contains("those that are here are answered"), "{}", server.said());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let words = words![run("text"), "--max-batch", "1", "--workers", "1", "--timeout", "110"];
    let mut server = Server::start("text", &words);
    let mut connection = server.connect();
    connection.write(&long()).unwrap();
    wait("it waits", || server.metric("crosstune_queue_length") > 0.);
    server.signal(15);
    wait("it has heard", || server.said().contains("ending"));
    server.signal(15);
    assert_eq!(server.end(), 128 + 15);
    assert!(connection.read().is_none());
}

#[test]
fn requests_are_told_if_that_is_wanted() {
    let server = Server::start("text", &words![run("text"), "--log", "requests"]);
    let mut connection = server.connect();
    connection.texts("text", &json!("one")).predictions();
    assert_eq!(connection.get("/nowhere%1b[2J").status, 404);
    // What is no path is not even a request.
    assert_eq!(server.connect().get("/nowhere\u{7f}").status, 400);
    connection.get("/nowhere");
    wait("it says so", || server.said().contains("/nowhere 404"));
    let said = server.said();
    assert!(said.contains("POST /v1/models/text/predict 200 "), "{said}");
    let silent = Server::start("text", &words![run("text")]);
    let answer: Vec<Value> = silent.connect().texts("text", &json!("one")).predictions();
    assert!(answer.len() == 1 && !silent.said().contains("POST"), "{}", silent.said());
}
