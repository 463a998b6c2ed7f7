//! Sentences on a trunk of convolutions, from a table to predictions and an export.

use std::{ffi::OsString, fs};

use crosstune_core::{Device, Input, Modality, run};
use crosstune_text::TextSettings;
use serde_json::Value;
use tch::{CModule, Kind, Tensor};

use crate::support::{crosstune, root, words};

/// Sentences about two things, every fifth for the test: names and verbs are the same in both, and
/// no test's sentence is trained on.
fn table() -> String {
    let names = ["Anna", "Борис", "Chloë", "大輔", "Eve", "Ферн", "Gil", "花子"];
    let verbs = ["sees", "likes", "draws", "feeds", "greets"];
    let rows = names.iter().enumerate().flat_map(|(i, name)| {
        verbs.iter().enumerate().flat_map(move |(j, verb)| {
            let split = if (i + j) % 5 == 0 { "test" } else { "train" };
            let thing = move |thing, label| format!("{name} {verb} {thing},{label},{split}\n");
            [thing("a cat", "cat"), thing("the moon", "moon")]
        })
    });
    format!("text,label,split\n{}", rows.collect::<String>())
}

#[test]
fn a_resnet_learns_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let [data, tuned, input, traced] = ["t.csv", "run", "input.txt", "model.pt"].map(place);
    fs::write(&data, table()).unwrap();
    let resnet = root().join("crates/image/tests/fixtures/tiny-resnet-hf-basic");
    let mut line = words!["train", "--weights", resnet, "--data", data, "--out", tuned].to_vec();
    let more = "--epochs 16 --batch-size 8 --lr 3e-3 --validation 0 --max-length 40";
    line.extend(more.split(' ').map(OsString::from));
    crosstune("text", &line).ok();

    let json = |words: &[OsString]| -> Value {
        serde_json::from_str(&crosstune("text", words).ok()).unwrap()
    };
    let report = json(&words!["evaluate", tuned, data, "--json"]);
    let accuracy = report["evaluation"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{report}");

    let sentence = "Ivy sees the moon";
    fs::write(&input, format!("{sentence}\n")).unwrap();
    let line = json(&words!["predict", tuned, input, "--json"]);
    assert_eq!(line["labels"][0]["label"], "moon", "{line}");
    let said = line["labels"][0]["probability"].as_f64().unwrap();

    // The TorchScript takes texts of the length that it was traced with, padded.
    crosstune("text", &words!["export", tuned, "--format", "torchscript", "--out", traced]).ok();
    let (_, sentences) = run::open::<TextSettings>(&tuned, Device::Cpu).unwrap();
    let ids = sentences.read(&Input::Text(sentence.into())).unwrap();
    let (length, longest) = (ids.size()[0], sentences.example().x.size()[1]);
    assert!(length < longest, "{length} of {longest}");
    let x = ids.constant_pad_nd([0, longest - length]).unsqueeze(0);
    let mask = Tensor::arange(longest, (Kind::Int64, Device::Cpu)).lt(length).unsqueeze(0);
    let logits = CModule::load(&traced).unwrap().forward_ts(&[x, mask]).unwrap();
    let moon = logits.softmax(-1, Kind::Double).get(0).double_value(&[1]);
    assert!((moon - said).abs() < 1e-5, "{moon} as TorchScript, {said} in the run");
}
