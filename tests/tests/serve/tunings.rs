//! Tunings of one base in one server: they share batches, and each answers as it does alone.

use std::{fs, path::PathBuf, thread};

use serde_json::{Value, json};

use super::server::{Server, predicted, same, sentences, wait};
use crate::support::{train, words};

const RECIPES: [&str; 4] = ["lora", "bitfit", "fpt", "linear-probe"];

#[test]
fn tunings_of_one_base_share_batches_and_answer_as_alone() {
    let (folder, texts) = (tempfile::tempdir().unwrap(), sentences(24));
    let file = folder.path().join("texts.txt");
    fs::write(&file, texts.join("\n")).unwrap();
    let run = |recipe: &str| -> (PathBuf, Vec<Value>) {
        let out = folder.path().join(recipe);
        let short = ["--recipe", recipe, "--epochs", "1", "--limit-per-class", "4"];
        train("text", &out, &short).ok();
        let wanted = predicted("text", &out, std::slice::from_ref(&file));
        (out, wanted)
    };
    let runs = RECIPES.map(run);
    for pair in runs.windows(2) {
        let other = |(a, b): (&Value, &Value)| !same(a, b);
        assert!(pair[0].1.iter().zip(&pair[1].1).any(other), "a mistake would not be seen");
    }
    let mut args = words!["--workers", "1", "--max-wait-ms", "20"].to_vec();
    args.extend(runs.iter().map(|(out, _)| out.into()));
    let server = Server::start("text", &args);
    let sharing = "are tunings of one base, and go through its first 2 blocks together";
    assert!(server.said().contains(sharing), "{}", server.said());
    let ask_all = || {
        thread::scope(|scope| {
            for client in 0..8 {
                let (server, runs, texts) = (&server, &runs, &texts);
                scope.spawn(move || {
                    let mut connection = server.connect();
                    for at in 0..48 {
                        let (recipe, text) = ((at + client) % runs.len(), (at * 5) % texts.len());
                        let said = connection.texts(RECIPES[recipe], &json!(texts[text]));
                        let got = &said.predictions()[0];
                        let wanted = &runs[recipe].1[text];
                        assert!(same(wanted, got), "{}: {wanted}\n{got}", RECIPES[recipe]);
                    }
                });
            }
        });
    };
    ask_all();
    // All of them are opened anew, one after the other, and found to have one base again.
    server.signal(1);
    wait("all are replaced", || server.said().matches("version 2").count() == RECIPES.len());
    ask_all();
}
