//! The answers are those of `predict`, for each modality and task, alone and among many.

use std::{fs, path::Path, thread};

use serde_json::{Value, json};

use super::client::form;
use super::server::{Server, files, predicted, run, same, sentences};
use crate::support::{crosstune, root, words};

fn check(wanted: &[Value], got: &[Value]) {
    assert_eq!(wanted.len(), got.len());
    for (wanted, got) in wanted.iter().zip(got) {
        assert!(same(wanted, got), "{wanted}\n{got}");
    }
}

#[test]
fn of_files_alone_in_forms_and_among_many() {
    for (modality, media) in [("image", "image/png"), ("audio", "audio/wav")] {
        let (run, files) = (run(modality), files(modality, 12));
        let wanted = predicted(modality, &run, &files);
        let bytes: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        let server = Server::start(modality, &words![run, "--workers", "2"]);
        // One after the other, as they are.
        let mut connection = server.connect();
        for (wanted, bytes) in wanted.iter().zip(&bytes) {
            for media in [media, "application/octet-stream"] {
                let got = connection.predict(modality, media, bytes).predictions();
                assert_eq!(got[0]["input"], "body");
                check(std::slice::from_ref(wanted), &got);
            }
        }
        // All in one form, by their names.
        let names: Vec<_> =
            files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        let parts: Vec<_> = names.iter().zip(&bytes).map(|(n, b)| (*n, b.as_slice())).collect();
        let (media, body) = form(&parts);
        let got = connection.predict(modality, &media, &body).predictions();
        check(&wanted, &got);
        let inputs: Vec<_> = got.iter().map(|got| got["input"].as_str().unwrap()).collect();
        assert_eq!(inputs, names);
        // From many clients at once.
        thread::scope(|scope| {
            for client in 0..8 {
                let (server, wanted, bytes) = (&server, &wanted, &bytes);
                scope.spawn(move || {
                    let mut connection = server.connect();
                    for at in 0..24 {
                        let at = (at + client) % bytes.len();
                        let answer =
                            connection.predict(modality, "application/octet-stream", &bytes[at]);
                        check(&wanted[at..=at], &answer.predictions());
                    }
                });
            }
        });
        let of = format!("{{model=\"{modality}\",status=\"200\"}}");
        let counted = server.metric(&format!("crosstune_requests_total{of}"));
        assert_eq!(counted, 24. + 1. + 8. * 24.);
        let inputs = server.metric(&format!("crosstune_batch_size_sum{{model=\"{modality}\"}}"));
        let batches = server.metric(&format!("crosstune_batch_size_count{{model=\"{modality}\"}}"));
        assert_eq!(inputs, 24. + 12. + 8. * 24.);
        assert!(batches < inputs, "{batches} batches of {inputs} inputs");
    }
}

#[test]
fn of_texts_in_all_forms() {
    let (run, texts) = (run("text"), sentences(30));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("texts.txt");
    fs::write(&file, texts.join("\n")).unwrap();
    let wanted = predicted("text", &run, std::slice::from_ref(&file));
    let server = Server::start("text", &words![run]);
    let mut connection = server.connect();
    let got = connection.texts("text", &json!(texts)).predictions();
    check(&wanted, &got);
    assert_eq!((&got[0]["input"], &got[29]["input"]), (&json!("inputs:1"), &json!("inputs:30")));
    for (wanted, text) in wanted.iter().zip(&texts) {
        check(std::slice::from_ref(wanted), &connection.texts("text", &json!(text)).predictions());
    }
    // As a file is read by `predict`, line by line.
    let body = format!("\n{}\r\n\n", texts.join("\r\n"));
    let got =
        connection.predict("text", "text/plain; charset=utf-8", body.as_bytes()).predictions();
    check(&wanted, &got);
    assert_eq!(got[0]["input"], "body:2");
    let (media, body) = form(&[("texts.txt", texts.join("\n").as_bytes())]);
    let got = connection.predict("text", &media, &body).predictions();
    check(&wanted, &got);
    assert_eq!(got[3]["input"], "texts.txt:4");
    // How many classes are told.
    let count = |answer: &Value| answer["labels"].as_array().unwrap().len();
    let body = json!({"inputs": texts[0], "top": 2}).to_string();
    let got = connection.predict("text", "application/json", body.as_bytes()).predictions();
    assert_eq!(count(&got[0]), 2);
    let asked = connection.ask(
        "POST /v1/models/text/predict?top=7",
        &["content-type: text/plain"],
        texts[0].as_bytes(),
    );
    assert_eq!(count(&asked.predictions()[0]), 7);
}

#[test]
fn of_sequences_pairs_and_published_models() {
    let fixture = |path: &str| root().join("crates").join(path);
    let folder = tempfile::tempdir().unwrap();
    let texts = |name: &str, lines: &[&str]| {
        let file = folder.path().join(name);
        fs::write(&file, lines.join("\n")).unwrap();
        file
    };
    // Entities, with their places in characters.
    let tags = fixture("text/tests/fixtures/tagging/bert-tags");
    let expected = fs::read_to_string(tags.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let lines: Vec<&str> =
        expected["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|t| !t.contains(['\n', '\r'])).collect();
    let file = texts("tags.txt", &lines);
    let wanted = predicted("text", &tags, &[file]);
    let pairs = fixture("text/tests/fixtures/tiny-bert-pairs");
    let table = fs::read_to_string(pairs.join("pairs.tsv")).unwrap();
    let header = std::iter::once("sentence1\tsentence2");
    let file = texts("pairs.tsv", &header.chain(table.lines()).collect::<Vec<_>>());
    let columns = ["--input-column", "sentence1", "--pair-column", "sentence2", "--json"];
    let line: Vec<_> =
        words!["predict", pairs, file].into_iter().chain(columns.map(Into::into)).collect();
    let said = crosstune("text", &line).ok();
    let similar: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let server = Server::start(
        "text",
        &[format!("tags={}", tags.display()), format!("pairs={}", pairs.display())].map(Into::into),
    );
    let mut connection = server.connect();
    check(&wanted, &connection.texts("tags", &json!(lines)).predictions());
    let four = json!([["He", "lives", "in", "Zürich"]]);
    let got = connection.texts("tags", &four).predictions();
    assert!(got[0]["entities"].is_array() && got[0]["text"] == "He lives in Zürich", "{got:?}");
    let both: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    check(&similar, &connection.texts("pairs", &json!(both)).predictions());
    let models = connection.get("/v1/models").json();
    let named: Vec<_> = models["models"].as_array().unwrap().iter().map(|m| &m["name"]).collect();
    assert_eq!(named, ["tags", "pairs"]);
    assert_eq!(models["models"][0]["task"], "token_classification");

    // A text, with the time of each word.
    let heard = fixture("audio/tests/fixtures/tiny-wav2vec2-ctc");
    let recordings = files("audio", 4);
    let wanted = predicted("audio", &heard, &recordings);
    let server = Server::start("audio", &words![heard]);
    let bytes: Vec<_> = recordings.iter().map(|file| fs::read(file).unwrap()).collect();
    let parts: Vec<_> = bytes.iter().map(|bytes| ("a.wav", bytes.as_slice())).collect();
    let (media, body) = form(&parts);
    let got = server.connect().predict("tiny-wav2vec2-ctc", &media, &body).predictions();
    assert!(got[0]["transcript"]["text"].is_string(), "{got:?}");
    check(&wanted, &got);
}

#[test]
fn the_page_and_the_description_are_there() {
    let server = Server::start("text", &words![run("text")]);
    let mut connection = server.connect();
    let page = connection.get("/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let described = connection.get("/openapi.json").json();
    assert_eq!(described["openapi"], "3.1.0");
    assert_eq!(described["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(connection.get("/health").json(), json!({"status": "ok"}));
    let path = Path::new("/v1/models/text");
    assert_eq!(connection.get(path.to_str().unwrap()).json()["modality"], "text");
}
