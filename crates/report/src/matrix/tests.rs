//! Files that are damaged or lie are refused by one line, and never a panic.

use serde_json::{Value, json};

use super::*;
use crate::sample;

/// What reading the sample says, after a change at a place in its JSON.
fn refusal(pointer: &str, value: Value) -> String {
    let c = sample::comparison(sample::SOURCES[0], sample::TARGETS[1]);
    let mut changed = serde_json::to_value(c).expect("JSON");
    *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    let error = parse(&changed.to_string()).expect_err(pointer);
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn what_does_not_fit_is_named() {
    let table = [
        ("/labels", json!(["one"]), "1 labels, but 2 to 100000 are wanted"),
        ("/budgets", json!([]), "budgets is empty"),
        ("/budgets/0/size", json!(5000), "the sizes in budgets do not grow"),
        ("/test-samples", json!(0), "test-samples is 0"),
        ("/threshold", json!(97), "threshold is 97, but 0 to 1 is wanted"),
        ("/arms/1/kind", json!("transfer"), "the arm transfer is there 2 times"),
        ("/arms/0/runs", json!([]), "the arm transfer has no runs"),
        ("/arms/1/runs/3/value", json!(1.5), "scratch, run 4: value is 1.5, but 0 to 1 is wanted"),
        ("/arms/1/runs/0/size", json!(101), "size 101 is not in budgets"),
        ("/arms/1/runs/0/seed", json!(1), "size 100 with seed 1 is there twice"),
        ("/arms/1/runs/0/lr", json!(-1), "lr is -1, but a rate from 0 on is wanted"),
        ("/arms/1/runs/0/confusion", json!([[300]]), "confusion is not 10 × 10"),
        ("/arms/1/runs/0/confusion/0/0", json!(4_000_000_000u32), "confusion counts 4000000"),
        ("/arms/1/runs/0/curve/1/epoch", json!(1), "epochs and seconds do not grow"),
        ("/arms/0/trials/0/held-out", json!(-0.1), "transfer, trial 1: held-out"),
        (
            "/error-examples/0/truth",
            json!(10),
            "error example 1: truth is 10, but there are 10 labels",
        ),
        ("/error-examples/0/answers/0/class", json!(99), "class is 99"),
        ("/error-examples/0/answers", json!([]), "answers is empty"),
        ("/error-examples/0/seed", json!(77), "no run of transfer with size 2700 and seed 77"),
        ("/error-examples/0/media/sound/wav", json!("AAAA"), "wav is not a WAV file"),
        ("/error-examples/0/media/sound/spectrogram-png", json!("AAAA"), "png is not a PNG file"),
        ("/error-examples/0/media/sound/wav", json!("not base64!"), "base64"),
        ("/arms/0/kind", json!("best"), "unknown variant `best`"),
        ("/arms/0/runs/0/loss", json!(null), "invalid type: null"),
        ("/arms/0/runs/0/seed", json!(-1), "invalid value"),
    ];
    for (pointer, value, want) in table {
        let error = refusal(pointer, value);
        assert!(error.contains(want), "{pointer}: {error}");
    }
}

#[test]
fn files_of_accuracy_alone_are_read() {
    let c = sample::comparison(sample::SOURCES[0], sample::TARGETS[1]);
    let mut old = serde_json::to_value(&c).expect("JSON");
    old.as_object_mut().expect("an object").remove("metric");
    let rename = |of: &mut Value, names: &[(&str, &str)]| {
        let of = of.as_object_mut().expect("an object");
        for (new, old) in names {
            let value = of.remove(*new).expect(new);
            of.insert((*old).into(), value);
        }
    };
    for arm in old["arms"].as_array_mut().expect("arms") {
        for trial in arm["trials"].as_array_mut().expect("trials") {
            rename(trial, &[("held-out", "held-out-accuracy")]);
        }
        for run in arm["runs"].as_array_mut().expect("runs") {
            rename(run, &[("value", "accuracy"), ("second", "macro-f1")]);
            let curve = run["curve"].as_array_mut().expect("a curve");
            curve.iter_mut().for_each(|point| rename(point, &[("value", "accuracy")]));
        }
    }
    assert!(parse(&old.to_string()).expect("it is read").comparisons()[0] == c);
}

#[test]
fn accuracy_must_be_that_of_the_confusion() {
    assert!(refusal("/arms/0/runs/0/value", json!(0.01)).contains("by the confusion"));
}

#[test]
fn other_files_are_refused() {
    for (text, want) in [
        ("", "EOF"),
        ("[]", "invalid"),
        ("{}", "missing field `source`"),
        ("{\"comparisons\": []}", "there is none"),
        ("{\"comparisons\": [{}]}", "missing field"),
        ("{\"comparisons\": [], \"more\": 1}", "unknown field"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.contains(want) && !error.contains('\n'), "{text}: {error}");
    }
    let missing = Matrix::read(&["no-such-file.json"]).expect_err("no such file");
    assert_eq!(missing.to_string(), "no-such-file.json: cannot read");
}
