//! What is left out, silent or likely a mistake is said: by `train`, `check`, `evaluate` and
//! `predict`.

use std::{fs, path::Path};

use serde_json::Value;
use tch::{Kind, Tensor};

use crate::support::{crosstune, names, root, tiny_bert, words};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text:?}"))
}

fn read_json(path: &Path) -> Value {
    json_of(&fs::read_to_string(path).unwrap())
}

/// A recording of 8 kHz: a tone from `from` to `to` seconds, of `length` seconds, in each channel
/// times its factor.
fn write_tone(path: &Path, hertz: f64, (from, to): (f64, f64), length: f64, channels: &[f64]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let sample = |n: usize| {
        let t = n as f64 / 8000.;
        let heard = (from..to).contains(&t);
        if heard { (t * hertz * std::f64::consts::TAU).sin() * 8000. } else { 0. }
    };
    let data: Vec<u8> = (0..(length * 8000.) as usize)
        .flat_map(|n| channels.iter().map(move |c| (sample(n) * c) as i16))
        .flat_map(i16::to_le_bytes)
        .collect();
    let count = channels.len() as u16;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(count.to_le_bytes());
    file.extend(8000_u32.to_le_bytes());
    file.extend((8000 * 2 * u32::from(count)).to_le_bytes());
    file.extend((2 * count).to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    fs::write(path, [file, data].concat()).unwrap();
}

/// Two classes of recordings of `length` seconds, told apart by their last second alone.
fn late(folder: &Path, length: f64) {
    for (class, hertz) in [("high", 1500.), ("low", 300.)] {
        for i in 0..16 {
            let split = if i < 12 { "train" } else { "test" };
            let path = folder.join(format!("{split}/{class}/{i}.wav"));
            let hertz = hertz * (1. + 0.01 * f64::from(i));
            write_tone(&path, hertz, (length - 1., length), length, &[1.]);
        }
    }
}

#[test]
fn recordings_are_taken_to_their_end_or_what_is_cut_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let [data, run] = ["data", "run"].map(|name| folder.path().join(name));
    late(&data, 5.);
    let train = |more: &[&str]| {
        let mut line =
            words!["train", "--weights", tiny_bert(), "--data", data, "--out", run].to_vec();
        line.extend(words!["--epochs", "12", "--overwrite", "--batch-size", "6", "--lr", "1e-2"]);
        line.extend(more.iter().map(std::ffi::OsString::from));
        let ran = crosstune("audio", &line);
        let said = ran.stderr.clone();
        ran.ok();
        (said, read_json(&run.join("result.json")))
    };
    // A length that holds them, though no more than 2.56 s were taken once.
    let (said, result) = train(&[]);
    assert!(!said.contains("\ncut "), "{said}");
    assert_eq!(result["samples"]["coverage"]["cut"], 0);
    assert_eq!(result["test"]["accuracy"], 1.0, "{said}");
    // Windows, where the length is asked for and does not.
    let (said, result) = train(&["--frames", "64"]);
    assert!(said.contains("\nwindows     32 of 32 recordings are longer than the 0.6"), "{said}");
    assert_eq!(result["samples"]["coverage"]["cut"], 0);
    let (said, result) = train(&["--frames", "64", "--long", "cut"]);
    assert!(said.contains("\ncut         32 of 32 recordings are longer than the 0.6"), "{said}");
    assert!(said.contains("of all seconds are left out, 4.3"), "{said}");
    assert!(said.contains("--long windows takes all"), "{said}");
    assert_eq!(result["samples"]["coverage"]["cut"], 32);
    assert_eq!(result["samples"]["coverage"]["unit"], "seconds");
    // The run cuts, and all that use it say so.
    let check = words!["check", "--data", data, "--frames", "64", "--long", "cut", "--json"];
    let checked = json_of(&crosstune("audio", &check).ok());
    assert_eq!(checked["coverage"]["cut"], 32);
    let ran = crosstune("audio", &words!["evaluate", run, data, "--json"]);
    assert!(ran.stderr.contains("in training, --long windows takes all"), "{}", ran.stderr);
    assert_eq!(json_of(&ran.ok())["coverage"]["cut"], 8);
    let file = data.join("test/low/12.wav");
    let line = json_of(&crosstune("audio", &words!["predict", run, file, "--json"]).ok());
    assert_eq!((&line["cut"]["whole"], &line["cut"]["unit"]), (&5.0.into(), &"seconds".into()));
}

#[test]
fn padding_that_costs_a_multiple_is_said_with_the_option() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        for i in 0..6 {
            let path = folder.path().join(format!("data/{class}/{i}.wav"));
            write_tone(&path, 400. + 10. * f64::from(i), (0., 0.05), 0.05, &[1.]);
        }
    }
    let weights = root().join("crates/audio/tests/fixtures/tiny-whisper");
    let [data, run] = ["data", "run"].map(|name| folder.path().join(name));
    let mut line = words!["train", "--weights", weights, "--data", data, "--out", run].to_vec();
    line.extend(words!["--epochs", "1"]);
    let ran = crosstune("audio", &line);
    assert!(ran.stderr.contains("\npadded      recordings are padded to "), "{}", ran.stderr);
    let option = ran.stderr.split_once("--frames ").unwrap().1.split(' ').next().unwrap();
    assert!(ran.stderr.contains("of the cost"), "{}", ran.stderr);
    line.extend(words!["--frames", option, "--overwrite"]);
    let shorter = crosstune("audio", &line);
    assert!(!shorter.stderr.contains("padded"), "{}", shorter.stderr);
    shorter.ok();
}

#[test]
fn texts_that_are_cut_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let [data, run, input] = ["t.csv", "run", "in.txt"].map(|name| folder.path().join(name));
    let row = |i: usize| {
        let long = if i < 2 { " the sea".repeat(40) } else { String::new() };
        format!("a house {i}{long},{}\n", ["x", "y"][i % 2])
    };
    fs::write(&data, format!("text,label\n{}", (0..40).map(row).collect::<String>())).unwrap();
    let mut line = words!["train", "--weights", tiny_bert(), "--data", data, "--out", run].to_vec();
    line.extend(words!["--epochs", "1", "--max-length", "16"]);
    let ran = crosstune("text", &line);
    let said = ran.stderr.clone();
    ran.ok();
    assert!(
        said.contains("\ncut         2 of 40 sentences are longer than the 16 tokens"),
        "{said}"
    );
    let result = read_json(&run.join("result.json"));
    assert_eq!(result["samples"]["coverage"]["cut"], 2);
    let mut check = words!["check", "--data", data, "--weights", tiny_bert(), "--json"].to_vec();
    check.extend(words!["--max-length", "16"]);
    assert_eq!(json_of(&crosstune("text", &check).ok())["coverage"]["cut"], 2);
    fs::write(&input, format!("a house\n{}\n", "the sea ".repeat(40))).unwrap();
    let lines = crosstune("text", &words!["predict", run, input, "--json"]).ok();
    let lines: Vec<Value> = lines.lines().map(json_of).collect();
    assert_eq!(lines[0]["cut"], Value::Null);
    assert_eq!(lines[1]["cut"]["taken"], 16.0, "{}", lines[1]);
}

#[test]
fn silence_and_labels_that_look_alike_are_said_by_check() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["Cat", "cat"] {
        write_tone(&folder.path().join(class).join("a.wav"), 500., (0., 1.), 1., &[1.]);
        write_tone(&folder.path().join(class).join("b.wav"), 700., (0., 1.), 1., &[1., -1.]);
        write_tone(&folder.path().join(class).join("c.wav"), 700., (0., 0.), 1., &[1.]);
    }
    let report = crosstune("audio", &words!["check", "--data", folder.path(), "--json"]);
    let report = json_of(&report.stdout);
    let odd: Vec<_> =
        report["odd"].as_array().unwrap().iter().map(|o| o.as_str().unwrap()).collect();
    assert_eq!(odd.len(), 4, "{odd:?}");
    assert!(odd[0].contains("b.wav: silence, as the mean of its 2 channels"), "{odd:?}");
    assert!(odd[1].ends_with("c.wav: silence"), "{odd:?}");
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.contains("\"Cat\" (3) and \"cat\" (3)"), "{note}");
    let text = crosstune("audio", &words!["check", "--data", folder.path()]).stdout;
    assert!(text.contains("4 recordings may not be what they should be:"), "{text}");
    assert!(text.contains("note        labels that differ only in case"), "{text}");
}

#[test]
fn what_a_checkpoint_holds_beside_the_weights_is_said_by_train() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("bert");
    fs::create_dir(&weights).unwrap();
    for name in names(&tiny_bert()) {
        fs::copy(tiny_bert().join(&name), weights.join(&name)).unwrap();
    }
    // Averaged weights and another head lie beside them.
    let path = weights.join("model.safetensors");
    let mut tensors = Tensor::read_safetensors(&path).unwrap();
    let ones = || Tensor::ones([2], (Kind::Float, tch::Device::Cpu));
    for name in ["ema.layer.weight", "ema.layer.bias", "cls.seq_relationship.weight"] {
        tensors.push((name.into(), ones()));
    }
    let named: Vec<_> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    Tensor::write_safetensors(&named, &path).unwrap();
    let run = folder.path().join("run");
    let ran = crate::support::train_on(&weights, "text", &run, &["--epochs", "1"]);
    let said = ran.stderr.clone();
    ran.ok();
    let line =
        said.lines().find(|line| line.starts_with("unused ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("ema.layer (2)") && line.contains("cls.seq_relationship (1)"), "{line}");
}

#[test]
fn thousands_of_classes_make_a_small_result() {
    let folder = tempfile::tempdir().unwrap();
    let [data, run] = ["t.csv", "run"].map(|name| folder.path().join(name));
    let row = |i: usize| format!("the house {i},title {i}\n");
    fs::write(&data, format!("text,label\n{}", (0..3000).map(row).collect::<String>())).unwrap();
    let mut line = words!["train", "--weights", tiny_bert(), "--data", data, "--out", run].to_vec();
    line.extend(words!["--max-steps", "1", "--validation", "0", "--eval-data", data]);
    let ran = crosstune("text", &line);
    let said = ran.stderr.clone();
    ran.ok();
    assert!(said.contains("note        3000 classes for 3000 sentences"), "{said}");
    let size = fs::metadata(run.join("result.json")).unwrap().len();
    assert!(size < 1 << 20, "result.json has {size} bytes");
    let result = read_json(&run.join("result.json"));
    assert_eq!(result["test"]["confusion"]["classes"], 3000);
}
