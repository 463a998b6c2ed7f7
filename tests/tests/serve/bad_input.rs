//! What is wrong with a request is told with the right status, and is nobody else's matter.

use std::fs;

use serde_json::json;

use super::client::form;
use super::server::{Server, files, run};
use crate::support::{crosstune, words};

#[test]
fn of_texts() {
    let server = Server::start("text", &words![run("text")]);
    let mut connection = server.connect();
    let mut json_body =
        |body: &str| connection.predict("text", "application/json", body.as_bytes());
    assert!(json_body("{\"inputs\": [\"a\"").refused(400).contains("EOF"));
    assert!(json_body("\u{0}").refused(400).contains("JSON"));
    assert!(json_body("{\"inputs\": []}").refused(400).contains("no input"));
    assert!(json_body("{\"input\": \"a\"}").refused(400).contains("unknown field"));
    assert!(json_body("{\"inputs\": {}}").refused(400).contains("expected a text"));
    assert!(json_body(&"[".repeat(100_000)).refused(400).contains("JSON"));
    assert!(json_body("{\"inputs\": \"\"}").refused(422).contains("empty"));
    assert!(json_body("{\"inputs\": [[\"a\", \"b\", \"c\"]]}").refused(422).contains("of a pair"));
    let many = json!({"inputs": vec!["a"; 2000]}).to_string();
    assert!(json_body(&many).refused(413).contains("more than 1024 inputs"));

    let mut connection = server.connect();
    let plain = connection.predict("text", "text/plain", b"caf\xE9 au lait");
    assert!(plain.refused(422).contains("UTF-8"));
    assert!(connection.predict("text", "text/plain", b"\n \n").refused(422).contains("empty"));
    let form_urlencoded = connection.predict("text", "application/x-www-form-urlencoded", b"a=b");
    assert!(form_urlencoded.refused(415).contains("application/json"));
    let gzip = ["content-type: application/json", "content-encoding: gzip"];
    connection.ask("POST /v1/models/text/predict", &gzip, b"x").refused(415);
    connection.predict("text", "multipart/form-data", b"x").refused(400);
    let (media, mut body) = form(&[("a.txt", b"one")]);
    body.truncate(body.len() - 8);
    assert!(connection.predict("text", &media, &body).refused(400).contains("multipart"));

    let missing = connection.texts("other", &json!("a")).refused(404);
    assert!(missing.contains("\"other\"") && missing.contains("text"), "{missing}");
    connection.texts("%FF", &json!("a")).refused(404);
    connection.texts("..%2F..%2Fetc", &json!("a")).refused(404);
    let get = connection.get("/v1/models/text/predict");
    get.refused(405);
    assert_eq!(get.header("allow"), Some("POST"));
    connection.get("/v2").refused(404);
    for top in ["x", "0", "-1", "99999999999999999999999"] {
        let request = format!("POST /v1/models/text/predict?top={top}");
        connection.ask(&request, &["content-type: text/plain"], b"one").refused(400);
    }
    // And then it answers as before.
    assert_eq!(connection.texts("text", &json!("one")).predictions().len(), 1);
}

#[test]
fn of_files() {
    let server = Server::start("image", &words![run("image"), "--max-pixels", "10000"]);
    let mut connection = server.connect();
    let picture = fs::read(&files("image", 1)[0]).unwrap();
    let raw = "application/octet-stream";
    let no_picture = connection.predict("image", raw, b"no picture").refused(422);
    assert!(no_picture.starts_with("body: "), "{no_picture}");
    connection.predict("image", raw, &picture[..picture.len() / 2]).refused(422);
    connection.predict("image", raw, b"").refused(422);
    // One of several is named, and the others have no answer, as with `predict`.
    let (media, body) = form(&[("good.png", &picture), ("bad.png", b"x")]);
    assert!(connection.predict("image", &media, &body).refused(422).starts_with("bad.png: "));
    let (media, body) = form(&[]);
    connection.predict("image", &media, &body).refused(400);
    assert!(connection.texts("image", &json!("a")).refused(415).contains("files"));
    connection.predict("image", "text/html", &picture).refused(415);
    // Larger than this server takes, told by its header alone.
    let (width, height) = (200u32, 100u32);
    let mut bmp = b"BM".to_vec();
    for n in [54, 0, 54, 40, width, height, 1 + (24 << 16), 0, 0, 0, 0, 0, 0] {
        bmp.extend(n.to_le_bytes());
    }
    bmp.resize(54 + 3 * (width * height) as usize, 0);
    let large = connection.predict("image", raw, &bmp).refused(413);
    assert!(large.contains("200 × 100 pixels") && large.contains("10000"), "{large}");
    assert_eq!(connection.predict("image", raw, &picture).predictions().len(), 1);
}

#[test]
fn of_the_command_line() {
    let run = run("text");
    let serve = |more: &[&str]| {
        let mut line = words!["serve", run].to_vec();
        line.extend(more.iter().map(Into::into));
        crosstune("text", &line)
    };
    let twice = serve(&[run.to_str().unwrap()]).error(2);
    assert!(twice.contains("two models are called text"), "{twice}");
    assert!(serve(&["a/b=x"]).error(2).contains("cannot be the name of a model"));
    assert!(serve(&["no-such-run"]).error(2).contains("no such run folder"));
    assert!(serve(&["--listen", "nowhere"]).error(2).contains("--listen"));
    assert!(serve(&["--max-pixels", "7"]).error(2).contains("sentences have no pixels"));
    assert!(serve(&["--timeout", "0"]).error(2).contains("--timeout"));
    assert!(serve(&["--beam", "7"]).error(2).contains("not transcription"));
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("token");
    fs::write(&empty, "\n").unwrap();
    assert!(serve(&["--token-file", empty.to_str().unwrap()]).error(1).contains("a token"));
    assert!(crosstune("image", &words!["serve", run]).error(2).contains("crosstune-text"));
    // An address that is taken.
    let server = Server::start("text", &words![run]);
    let taken = serve(&["--listen", &server.address.to_string()]).error(1);
    assert!(taken.contains("cannot listen"), "{taken}");
}
