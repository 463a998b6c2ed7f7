//! A model is replaced while requests come: none is lost, and a broken one replaces nothing.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use super::server::{Server, SetAtEnd, run, same, wait};
use crate::support::{train, words};

/// Puts a copy of a run folder at a place, in one go.
fn put(from: &Path, to: &Path) {
    let beside = to.with_extension("new");
    fs::create_dir(&beside).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.path().is_file() {
            fs::copy(file.path(), beside.join(file.file_name())).unwrap();
        }
    }
    if to.exists() {
        fs::rename(to, to.with_extension("old")).unwrap();
        fs::rename(&beside, to).unwrap();
        fs::remove_dir_all(to.with_extension("old")).unwrap();
    } else {
        fs::rename(&beside, to).unwrap();
    }
}

#[test]
fn without_a_request_lost() {
    let (first, folder) = (run("text"), tempfile::tempdir().unwrap());
    let second = folder.path().join("second");
    train("text", &second, &["--epochs", "1", "--limit-per-class", "4", "--seed", "7"]).ok();
    let place = folder.path().join("digits");
    put(&first, &place);
    for watch in [false, true] {
        put(&first, &place);
        let mut words = words![place].to_vec();
        words.extend(watch.then_some("--watch".into()));
        let server = Server::start("text", &words);
        let ask = |server: &Server| -> Value {
            let mut got = server.connect().texts("digits", &json!("seven of nine")).predictions();
            got.remove(0)
        };
        let replaced = |name: &str| {
            let of = format!("{{model=\"digits\",result=\"{name}\"}}");
            server.metric(&format!("crosstune_model_reloads_total{of}"))
        };
        let old = ask(&server);
        let (done, answers) = (AtomicBool::new(false), std::sync::Mutex::new(vec![]));
        thread::scope(|scope| {
            let _ended = SetAtEnd(&done);
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut connection = server.connect();
                    while !done.load(Ordering::Relaxed) {
                        let got = connection.texts("digits", &json!("seven of nine"));
                        answers.lock().unwrap().extend(got.predictions());
                    }
                });
            }
            // A broken one: the old model goes on, and the log says why.
            let weights = place.join("model.safetensors");
            let whole = fs::read(&weights).unwrap();
            fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
            if !watch {
                server.signal(1);
            }
            wait("the old one is kept", || replaced("kept") == 1.);
            wait("the log says why", || {
                let said = server.said();
                said.contains("cannot be opened anew") && said.contains("model.safetensors")
            });
            assert!(same(&ask(&server), &old));
            put(&second, &place);
            if !watch {
                server.signal(1);
            }
            wait("it is replaced", || replaced("replaced") >= 1.);
        });
        let new = ask(&server);
        assert!(!same(&old, &new), "another model has other answers: {new}");
        let answers = answers.into_inner().unwrap();
        assert!(answers.iter().all(|got| same(got, &old) || same(got, &new)));
        assert!(answers.len() >= 4, "{}", answers.len());
        let about = server.connect().get("/v1/models/digits").json();
        assert_eq!(about["version"], 2);
        // Nothing that has gone is opened again, either.
        fs::remove_dir_all(&place).unwrap();
        if !watch {
            server.signal(1);
        }
        wait("it is kept again", || replaced("kept") == 2.);
        assert!(same(&ask(&server), &new));
    }
}
