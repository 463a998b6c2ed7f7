//! Trainings that are watched: event files for TensorBoard, lines for machines, curves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{command, crosstune, names, ran, tiny_bert, train, training, words};

const SHORT: [&str; 6] = ["--epochs", "2", "--limit-per-class", "8", "--validation", "0.25"];

/// The data of all records of the event files in a folder, file by file, in the order of their names.
fn records(folder: &Path) -> Vec<Vec<Vec<u8>>> {
    let read = |name: &String| {
        let file = fs::read(folder.join(name)).unwrap();
        let (mut rest, mut records) = (&file[..], vec![]);
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            records.push(rest[12..12 + length].to_vec());
            rest = &rest[12 + length + 4..];
        }
        records
    };
    names(folder).iter().map(read).collect()
}

/// The step of an event: its field 2, behind the time in field 1; 0 is not written.
fn step(event: &[u8]) -> u64 {
    assert_eq!(event[0], 0x09, "the time stands first");
    if event[9] != 0x10 {
        return 0;
    }
    let bytes = event[10..].iter().scan(true, |more, &byte| {
        (std::mem::replace(more, byte & 0x80 != 0)).then_some(u64::from(byte & 0x7f))
    });
    bytes.enumerate().map(|(at, seven)| seven << (7 * at)).sum()
}

fn has(events: &[Vec<u8>], text: &str) -> bool {
    events.iter().any(|event| event.windows(text.len()).any(|part| part == text.as_bytes()))
}

/// The events of a training for machines: each line of what it said is one.
fn events(said: &str) -> Vec<Value> {
    let event = |line: &str| -> Value {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(event["time"].is_f64() && event["event"].is_string(), "{line}");
        event
    };
    said.lines().map(event).collect()
}

fn of<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

fn run_and_board(folder: &Path) -> (PathBuf, PathBuf, String) {
    let (run, board) = (folder.join("run"), folder.join("board"));
    let option = board.display().to_string();
    (run, board, option)
}

#[test]
fn a_training_says_what_it_does_to_tensorboard_and_to_machines() {
    let folder = tempfile::tempdir().unwrap();
    let (run, board, option) = run_and_board(folder.path());
    let more = [&SHORT[..], &["--tensorboard", &option, "--log-format", "json"]].concat();
    let ran = train("image", &run, &more);
    let said = ran.stderr.clone();
    ran.ok();

    let told = events(&said);
    let epochs = of(&told, "epoch");
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(epochs.len(), 2);
    for (event, line) in epochs.iter().zip(metrics.lines()) {
        let record: Value = serde_json::from_str(line).unwrap();
        for (name, value) in record.as_object().unwrap() {
            assert_eq!(&event[name], value, "{name}");
        }
        assert_eq!(event["epochs"], 2);
    }
    let start = of(&told, "start")[0];
    assert_eq!((&start["modality"], &start["options"]["epochs"]), (&"image".into(), &2.into()));
    let last = of(&told, "step").into_iter().next_back().unwrap();
    assert_eq!((&last["epoch"], &last["step"]), (&2.into(), &last["steps"]));
    for name in ["loss", "batch_loss", "gradient_norm"] {
        assert!(last[name].as_f64().unwrap() > 0., "{last}");
    }
    assert!(
        last["learning_rates"]["new"].is_f64() && last["learning_rates"]["pretrained"].is_f64()
    );
    let splits: Vec<_> = of(&told, "result").iter().map(|of| of["split"].clone()).collect();
    assert_eq!(splits, ["validation", "test"]);
    assert_eq!(of(&told, "saved")[0]["run"], run.display().to_string());
    assert_eq!(of(&told, "end")[0]["status"], "finished");
    assert_eq!(told.last().unwrap()["event"], "end");

    let [events] = &records(&board)[..] else { panic!("{:?}", names(&board)) };
    for tag in [
        "train/loss",
        "train/gradient_norm",
        "train/accuracy",
        "learning_rate/new",
        "learning_rate/pretrained",
        "validation/accuracy",
        "validation/macro_f1",
        "validation/confusion",
        "test/loss",
        "test/confusion",
        "head/weight",
        "trunk/blocks.1.attn.q.weight",
        "options/text_summary",
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
    ] {
        assert!(has(events, tag), "{tag}");
    }
    let steps = last["steps"].as_u64().unwrap();
    assert_eq!(events.iter().map(|event| step(event)).max(), Some(2 * steps));

    // Another training does not mix with it unasked.
    let other = folder.path().join("other");
    let refused = train("image", &other, &more).stderr;
    let error = events_error(&refused);
    assert!(error.contains("--tensorboard") && error.contains("--overwrite"), "{error}");
    assert!(!other.exists() && records(&board).len() == 1);
    train("image", &other, &[&more[..], &["--overwrite"]].concat()).ok();
    assert_eq!(records(&board).len(), 2);
}

/// The text of the error that a training for machines ends with.
fn events_error(said: &str) -> String {
    let told = events(said);
    of(&told, "error")[0]["text"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn a_training_that_goes_on_takes_back_what_came_after_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (run, board, option) = run_and_board(folder.path());
    let more = ["--epochs", "4", "--limit-per-class", "16", "--checkpoint-every", "1epoch"];
    let more = [&more[..], &["--tensorboard", &option, "--log-format", "json"]].concat();
    let mut begun = training(&tiny_bert(), "text", &run, &more);
    let mut process = begun.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // After two epochs, it is killed without a word.
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut seen = 0;
    while seen < 2 {
        let line = lines.next().expect("the training goes on");
        seen += usize::from(events(&line)[0]["event"] == "epoch");
    }
    process.kill().unwrap();
    process.wait().unwrap();

    let resumed = ran(command("text").args(words!["train", "--resume", run]));
    let said = resumed.stderr.clone();
    resumed.ok();
    // It speaks as it did.
    let told = events(&said);
    let steps = of(&told, "step").last().unwrap()["steps"].as_u64().unwrap();
    let files = records(&board);
    assert_eq!(files.len(), 2, "{:?}", names(&board));
    let done = of(&told, "resumed").first().map_or(0, |resumed| {
        resumed["epochs"].as_u64().unwrap() * steps + resumed["steps"].as_u64().unwrap()
    });
    let second = &files[1];
    assert!(has(&second[..1], "brain.Event:2"));
    // A session starts behind what is kept: field 7 of the event, of two bytes, says so.
    let start = &second[1];
    assert_eq!((step(&second[0]), step(start)), (done + 1, done + 1));
    assert!(start.ends_with(&[0x3a, 2, 0x08, 1]), "{start:?}");
    assert_eq!(second.iter().map(|event| step(event)).max(), Some(4 * steps));
}

#[test]
fn the_curves_of_finished_runs_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let runs = ["one", "two"].map(|name| folder.path().join(name));
    for run in &runs {
        train("text", run, &SHORT).ok();
    }
    let plotted = |out: &Path| crosstune("text", &words!["plot", runs[0], runs[1], "--out", out]);
    let svg = folder.path().join("curves.svg");
    plotted(&svg).ok();
    let picture = fs::read_to_string(&svg).unwrap();
    for text in [">one<", ">two<", ">Loss<", ">Accuracy<", "best epoch"] {
        assert!(picture.contains(text), "{text}: {picture}");
    }
    let page = folder.path().join("curves.html");
    plotted(&page).ok();
    assert!(fs::read_to_string(&page).unwrap().contains(picture.trim_end()));
    assert!(plotted(&svg).error(2).contains("curves.svg exists"));
    assert!(plotted(&folder.path().join("curves.png")).error(2).contains(".svg or .html"));
    let none = folder.path().join("none");
    let error = crosstune("text", &words!["plot", none, "--out", folder.path().join("x.svg")]);
    assert!(error.error(2).contains("not a run folder"));
}

#[test]
fn shells_and_man_know_the_commands() {
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c")] {
        let script = crosstune("image", &words!["completions", shell]).ok();
        assert!(script.contains(word), "{shell}");
        assert!(script.contains("pretrained-lr"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    crosstune("image", &words!["man", "--out", folder.path()]).ok();
    let pages = names(folder.path());
    for page in ["crosstune-image.1", "crosstune-image-train.1", "crosstune-image-predict.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let page = fs::read_to_string(folder.path().join("crosstune-image-train.1")).unwrap();
    assert!(page.contains("\\-\\-pretrained\\-lr") && page.contains(".SH OPTIONS"), "{page}");
}
