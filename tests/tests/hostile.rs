//! Names, labels and texts that steer a terminal, forge a line or hide: whatever the binaries print,
//! none of it does.
#![cfg(unix)]

use std::{fs, path::Path};

use crosstune_core::error::is_hidden;

use crate::support::{Ran, crosstune, ran, tiny_bert, train_on, training, words};

/// Clears the screen, forges a line, colours, turns the direction, breaks lines and columns.
const HOSTILE: &str = "\u{1b}[2J\nFORGED\r\u{9b}31m\u{202e}\u{2028}\u{200b}\tFORGED";

/// Checks all that was printed; tabs may stand between columns.
fn harmless(ran: Ran, code: i32) -> Ran {
    for said in [&ran.stdout, &ran.stderr] {
        assert!(!said.replace(['\n', '\t'], "").contains(is_hidden), "{said:?}");
        for word in said.split(['\n', '\t']) {
            assert!(!word.starts_with("FORGED"), "{said:?}");
        }
    }
    assert_eq!(ran.code, code, "{}", ran.stderr);
    ran
}

/// A table with two hostile labels, in a folder with a hostile name.
fn table(folder: &Path) -> std::path::PathBuf {
    let folder = folder.join(format!("d{HOSTILE}"));
    fs::create_dir(&folder).unwrap();
    let path = folder.join("t.csv");
    let rows: String =
        (0..12).map(|i| format!("\"the cat {HOSTILE} {i}\",\"{}{HOSTILE}\"\n", i % 2)).collect();
    fs::write(&path, format!("text,label\n{rows}")).unwrap();
    path
}

#[test]
fn labels_texts_and_paths_are_shown_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let data = table(folder.path());
    let run = data.with_file_name("run");
    let train = words!["train", "--weights", tiny_bert(), "--data", data, "--out", run];
    let train = [&train[..], &words!["--epochs", "1", "--max-steps", "1", "--verbose"]].concat();
    let said = harmless(crosstune("text", &train), 0).stderr;
    assert!(said.contains("\\x1b[2J\\nFORGED\\r\\u{9b}31m\\u{202e}\\u{2028}"), "{said}");

    let said = harmless(crosstune("text", &words!["check", "--data", data]), 0).stdout;
    assert!(said.contains("0\\x1b[2J\\nFORGED"), "{said}");
    for json in [&[][..], &words!["--json"]] {
        for command in [&words!["evaluate", run, data][..], &words!["inspect", run]] {
            let said = harmless(crosstune("text", &[command, json].concat()), 0).stdout;
            assert!(said.contains("FORGED"), "{said}");
        }
    }
    let rank = words!["rank", "--weights", tiny_bert(), "--weights", run, "--data", data];
    harmless(crosstune("text", &[&rank[..], &words!["--folds", "3"]].concat()), 0);
}

#[test]
fn a_prediction_is_a_line_whatever_the_text_holds() {
    let folder = tempfile::tempdir().unwrap();
    let data = table(folder.path());
    let run = folder.path().join("run");
    let train = words!["train", "--weights", tiny_bert(), "--data", data, "--out", run];
    harmless(crosstune("text", &[&train[..], &words!["--max-steps", "1"]].concat()), 0);
    // Each character that is hidden, but those that end lines.
    let hidden = ('\0'..=char::MAX).filter(|&c| is_hidden(c) && !"\0\n\r".contains(c));
    let texts: Vec<String> = hidden.map(|c| format!("a{c}FORGED")).collect();
    let file = folder.path().join("texts.txt");
    fs::write(&file, texts.join("\n")).unwrap();
    let predict = words!["predict", run, file, "--top", "2"];
    let said = harmless(crosstune("text", &predict), 0).stdout;
    assert_eq!(said.lines().count(), texts.len());
    for line in said.lines() {
        assert_eq!(line.split('\t').count(), 3, "{line}");
    }
    let predict = [&predict[..], &words!["--json"]].concat();
    let said = harmless(crosstune("text", &predict), 0).stdout;
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let values: Vec<_> = said.lines().map(read).collect();
    assert_eq!(values.len(), texts.len());
    for (value, text) in values.iter().zip(&texts) {
        assert_eq!(value["text"].as_str(), Some(text.as_str()), "JSON is for programs");
        assert!(value["labels"][0]["label"].as_str().unwrap().contains("\u{9b}31m\u{202e}"));
    }
}

#[test]
fn names_of_tensors_and_files_are_shown_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let name = serde_json::to_string(&format!("block.{HOSTILE}.weight")).unwrap();
    let header = format!(r#"{{{name}:{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
    let file = folder.path().join(format!("{HOSTILE}.safetensors"));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 4]);
    fs::write(&file, bytes).unwrap();
    let said = harmless(crosstune("text", &words!["inspect", file]), 0).stdout;
    assert!(said.contains("\\nFORGED"), "{said}");
    harmless(crosstune("text", &words!["inspect", file, "--json"]), 0);
    let run = folder.path().join("run");
    harmless(train_on(&file, "text", &run, &[]), 1);

    // A copy of the small model that says more of itself.
    let model = folder.path().join(format!("m{HOSTILE}"));
    fs::create_dir(&model).unwrap();
    for file in ["model.safetensors", "tokenizer.json"] {
        fs::copy(tiny_bert().join(file), model.join(file)).unwrap();
    }
    let config = fs::read_to_string(tiny_bert().join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["id2label"] = serde_json::json!({"0": HOSTILE, "1": format!("1{HOSTILE}")});
    config["label2id"] = serde_json::json!({HOSTILE: 0, format!("1{HOSTILE}"): 1});
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    harmless(crosstune("text", &words!["inspect", model]), 0);
    harmless(ran(&mut training(&model, "text", &run, &["--max-steps", "1"])), 0);
    let texts = folder.path().join("texts.txt");
    fs::write(&texts, "the cat").unwrap();
    let ran = crosstune("text", &words!["predict", model, texts]);
    let code = ran.code;
    harmless(ran, code);
    config["model_type"] = HOSTILE.into();
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    harmless(crosstune("text", &words!["predict", model, texts]), 1);
}

#[test]
fn errors_are_their_own_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(format!("{name}{HOSTILE}"));
    let run = folder.path().join("run");
    let fails = |data: &Path, code: i32, more: &[&str], lines: usize| {
        let train = words!["train", "--weights", tiny_bert(), "--data", data, "--out", run];
        let more: Vec<_> = more.iter().map(std::ffi::OsString::from).collect();
        let message = harmless(crosstune("image", &[&train[..], &more].concat()), code).error(code);
        assert_eq!(message.lines().count(), lines, "{message}");
    };
    fails(&path("gone"), 2, &[], 1);
    let option = format!("--label-column={HOSTILE}");
    let headers = path("headers").with_extension("csv");
    fs::write(&headers, format!("\"a{HOSTILE}\",\"b{HOSTILE}\"\n1,2\n")).unwrap();
    fails(&headers, 2, &[&option], 1);
    let missing = path("missing").with_extension("csv");
    let named = HOSTILE.replace(['\n', '\r'], " ");
    fs::write(&missing, format!("path,label\n\"{HOSTILE}.png\",1\n{named},2\n")).unwrap();
    fails(&missing, 1, &[], 3);
    let classes = path("classes");
    for class in ["a", "b"] {
        fs::create_dir_all(classes.join(format!("{class}{HOSTILE}"))).unwrap();
        fs::write(classes.join(format!("{class}{HOSTILE}/{HOSTILE}.png")), "no picture").unwrap();
    }
    fails(&classes, 1, &[], 3);
    // What clap says of a command line that it does not understand.
    for word in [HOSTILE, &format!("--{HOSTILE}"), &format!("--epochs={HOSTILE}")] {
        harmless(crosstune("text", &words!["train", word]), 2);
        harmless(crosstune("text", &words!["compare", "--rates", format!("1,{word}")]), 2);
    }
    harmless(crosstune("text", &words![HOSTILE]), 2);
}
