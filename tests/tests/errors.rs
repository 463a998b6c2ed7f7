//! Everything that a person gets wrong: one clear line, the right code, nothing left behind.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Ran, crosstune, names, root, tiny_bert, train, words};

/// A folder of two classes with two pictures each.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for class in ["3", "7"] {
        let to = folder.path().join("data").join(class);
        fs::create_dir_all(&to).unwrap();
        let from = root().join("crates/image/samples/digits/train").join(class);
        let mut files: Vec<_> = fs::read_dir(from).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        for file in &files[..4] {
            fs::copy(file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    folder
}

fn train_image(weights: &Path, data: &Path, out: &Path, more: &[&str]) -> Ran {
    let mut words =
        words!["train", "--weights", weights, "--data", data, "--out", out, "--epochs", "1"]
            .to_vec();
    words.extend(more.iter().map(OsString::from));
    crosstune("image", &words)
}

#[test]
fn all_bad_samples_are_listed_at_once_or_skipped() {
    let folder = pictures();
    let data = folder.path().join("data");
    fs::write(data.join("3/broken.jpg"), b"\xff\xd8\xff\xe0 not a picture").unwrap();
    fs::write(data.join("7/empty.png"), b"").unwrap();
    let run = folder.path().join("run");

    let message = train_image(&tiny_bert(), &data, &run, &[]).error(1);
    assert!(
        message.starts_with("2 samples cannot be used (--skip-bad leaves them out):"),
        "{message}"
    );
    assert!(message.contains("broken.jpg: ") && message.contains("empty.png: "), "{message}");
    assert_eq!(message.lines().count(), 3, "{message}");
    assert_eq!(names(folder.path()), ["data"], "nothing half-written");

    train_image(&tiny_bert(), &data, &run, &["--skip-bad"]).ok();
    let result = fs::read_to_string(run.join("result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["samples"]["skipped"].as_array().map(Vec::len), Some(2));
}

#[test]
fn data_that_cannot_be_used() {
    let folder = pictures();
    let data = folder.path().join("data");
    let run = folder.path().join("run");
    let fails = |data: &Path, code: i32, said: &[&str]| {
        let message = train_image(&tiny_bert(), data, &run, &[]).error(code);
        for part in said {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
        assert!(!run.exists());
    };
    fails(&folder.path().join("nowhere"), 2, &["--data: ", "nowhere: no such file or folder"]);

    fs::create_dir(data.join("9")).unwrap();
    fails(&data, 1, &["data/9: this class folder holds no pictures", "fill it or remove it"]);
    fs::remove_dir(data.join("9")).unwrap();

    let table = folder.path().join("table.csv");
    fs::write(&table, "path,label\ndata/3/gone.png,3\n").unwrap();
    fails(&table, 1, &["table.csv:2: names a file that is not there: ", "gone.png; --skip-bad"]);

    let splits = folder.path().join("splits");
    fs::create_dir_all(splits.join("test")).unwrap();
    fs::rename(&data, splits.join("train")).unwrap();
    fs::rename(splits.join("train/7"), splits.join("test/7")).unwrap();
    fs::create_dir(splits.join("train/5")).unwrap();
    let other = fs::read_dir(splits.join("train/3")).unwrap().next().unwrap().unwrap().path();
    fs::rename(other, splits.join("train/5/x.png")).unwrap();
    fails(&splits, 1, &["the label \"7\" is not among those of the training split (3, 5)"]);
}

#[test]
fn weights_that_cannot_be_used() {
    let folder = pictures();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    let weights = folder.path().join("weights");
    fs::create_dir(&weights).unwrap();
    let fails = |code: i32, said: &[&str]| {
        let message = train_image(&weights, &data, &run, &[]).error(code);
        assert_eq!(message.lines().count(), 1, "{message}");
        for part in said {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
        assert!(!run.exists());
    };
    fails(2, &["no model.safetensors in this folder"]);

    let whole = fs::read(tiny_bert().join("model.safetensors")).unwrap();
    fs::copy(tiny_bert().join("config.json"), weights.join("config.json")).unwrap();
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(weights.join("model.safetensors"), &whole[..length]).unwrap();
        let what = if length < 9 { "not a checkpoint" } else { "not a whole safetensors file" };
        fails(1, &[&format!("model.safetensors: {what}"), "fetch it again"]);
    }

    fs::write(weights.join("model.safetensors"), &whole).unwrap();
    let config = fs::read_to_string(tiny_bert().join("config.json")).unwrap();
    for (from, to, said) in [
        ("\"hidden_size\": 32", "\"hidden_size\": 64", "wants [64"),
        ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "encoder.layer.2"),
        ("\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "5 heads do not divide"),
        ("\"model_type\": \"bert\"", "\"model_type\": \"mamba\"", "is no known family"),
        ("\"hidden_size\": 32,", "", "missing field `hidden_size`"),
    ] {
        assert!(config.contains(from), "{from}");
        fs::write(weights.join("config.json"), config.replace(from, to)).unwrap();
        let message = train_image(&weights, &data, &run, &[]);
        let message = message.error(if said.contains("heads") { 2 } else { 1 });
        assert!(message.contains(said), "{message:?} does not say {said:?}");
    }
}

#[test]
fn wrong_use_has_code_2_and_names_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    for (options, said) in [
        (&["--freeze", "below:9"][..], "--freeze: below:9 counts too far"),
        (&["--freeze", "everything"], "--freeze: nothing is left to train"),
        (&["--freeze", "all"], "expected none, everything"),
        (&["--epochs", "0"], "--epochs: 0: must be at least 1"),
        (&["--lr", "nan"], "--lr: NaN: must be above 0"),
        (&["--validation", "1"], "--validation: 1: must be at least 0 and below 1"),
        (&["--dropout", "2"], "--dropout: 2: must be at least 0 and below 1"),
        (&["--drop-path", "1"], "--drop-path: 1: must be at least 0 and below 1"),
        (&["--limit-per-class", "0"], "--limit-per-class: 0: must be at least 1"),
        (&["--patch", "3", "--size", "8"], "--patch"),
        (&["--device", "cuda:7"], "CUDA"),
        (&["--label-pattern", "("], "--label-pattern"),
    ] {
        let message = train("image", &run, options).error(2);
        assert!(message.contains(said), "{message:?} does not say {said:?}");
        assert!(!run.exists(), "{options:?}");
    }
}

#[test]
fn a_folder_that_exists_is_not_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("thesis.txt"), "mine").unwrap();
    let quick = ["--epochs", "1", "--max-steps", "1"];
    let message = train("image", &precious, &quick).error(2);
    assert!(message.contains("precious exists; name another folder"), "{message}");
    let message = train("image", &precious, &[&quick[..], &["--overwrite"]].concat()).error(2);
    assert!(message.contains("not a run folder"), "{message}");
    assert_eq!(names(&precious), ["thesis.txt"]);

    let run = folder.path().join("run");
    train("image", &run, &quick).ok();
    train("image", &run, &[&quick[..], &["--overwrite"]].concat()).ok();
    assert_eq!(names(folder.path()), ["precious", "run"]);
}

#[test]
fn a_run_folder_that_is_none_or_another_modalitys() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let sample = root().join("crates/image/samples/digits/test");
    let none = PathBuf::from("no/run");
    let message = crosstune("image", &words!["evaluate", none, sample]).error(2);
    assert!(message.contains("no/run: no such run folder or weights"), "{message}");
    train("text", &run, &["--epochs", "1", "--max-steps", "1"]).ok();
    let message = crosstune("image", &words!["evaluate", run, sample]).error(2);
    assert!(message.contains("takes text inputs; use crosstune-text"), "{message}");
    let missing = folder.path().join("missing.txt");
    let message = crosstune("text", &words!["predict", run, missing]).error(2);
    assert!(message.contains("missing.txt: no such file"), "{message}");
}

#[test]
fn a_recording_with_a_lying_header_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    fs::create_dir(&data).unwrap();
    let samples = root().join("crates/audio/samples/digits/train");
    let mut files: Vec<_> = fs::read_dir(samples).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files.iter().step_by(20) {
        fs::copy(file, data.join(file.file_name().unwrap())).unwrap();
    }
    let mut lying = fs::read(&files[0]).unwrap();
    lying[40..44].copy_from_slice(&0x3fff_fff0u32.to_le_bytes());
    fs::write(data.join("0_liar_0.wav"), lying).unwrap();
    let pattern = ["--label-pattern", r"^(\d)_"];
    let words = words!["train", "--weights", tiny_bert(), "--data", data, "--out", run];
    let words: Vec<_> = words.into_iter().chain(pattern.map(OsString::from)).collect();
    let message = crosstune("audio", &words).error(1);
    assert!(message.contains("0_liar_0.wav: ") && message.contains("header"), "{message}");
    assert!(!run.exists());
}
