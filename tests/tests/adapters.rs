//! Adapters of PEFT as `--weights`, with the base that they name or another.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{crosstune, root, words};

fn fixture(name: &str) -> PathBuf {
    root().join("crates/text/tests/fixtures").join(name)
}

/// A copy of the adapter, whose `adapter_config.json` is changed.
fn adapter(to: &Path, change: impl Fn(String) -> String) {
    fs::create_dir(to).unwrap();
    let from = fixture("tiny-bert-pairs-lora");
    fs::copy(from.join("adapter_model.safetensors"), to.join("adapter_model.safetensors")).unwrap();
    let config = fs::read_to_string(from.join("adapter_config.json")).unwrap();
    fs::write(to.join("adapter_config.json"), change(config)).unwrap();
}

#[test]
fn an_adapter_opens_on_the_base_that_it_names_or_on_another() {
    let folder = tempfile::tempdir().unwrap();
    let (named, alone) = (fixture("tiny-bert-pairs-lora"), folder.path().join("alone"));
    adapter(&alone, |config| config);
    let base = fixture("tiny-bert-pairs");
    let asked = |more: &[&std::ffi::OsStr]| {
        let words = words!["inspect"].into_iter().chain(more.iter().map(Into::into));
        crosstune("text", &words.collect::<Vec<_>>())
    };
    let said = asked(&[named.as_os_str()]);
    assert!(said.stderr.contains("adapter     "), "{}", said.stderr);
    assert!(said.ok().contains("family      bert (pretrained on text, adapted by "));
    asked(&[alone.as_os_str(), "--base".as_ref(), base.as_os_str()]).ok();

    let error = asked(&[base.as_os_str(), "--base".as_ref(), base.as_os_str()]).error(2);
    assert!(error.contains("is no adapter of PEFT"), "{error}");
    for (name, from, to, says) in [
        ("dora", "\"use_dora\": false", "\"use_dora\": true", "it has use_dora, which is not read"),
        ("ia3", "\"LORA\"", "\"IA3\"", "its peft_type is \"IA3\", which is not read; merge it"),
        ("gone", "../tiny-bert-pairs", "/no/such", "\"/no/such\", the base model that "),
        ("unnamed", "\"../tiny-bert-pairs\"", "null", "names no base model; name it"),
    ] {
        let changed = folder.path().join(name);
        adapter(&changed, |config| {
            assert!(config.contains(from), "{from}");
            config.replace(from, to)
        });
        let asked = asked(&[changed.as_os_str()]);
        let error = asked.error(if says.contains("base") { 2 } else { 1 });
        assert!(error.contains(says), "{error}");
    }
    // A base whose layers have another width.
    let other = root().join("crates/text/tests/fixtures/tiny-gpt2");
    let error = asked(&[named.as_os_str(), "--base".as_ref(), other.as_os_str()]).error(1);
    assert!(error.contains("which the base model does not have"), "{error}");
}

/// An adapter trains like any other source.
#[test]
fn an_adapter_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, out) = (fixture("tiny-bert-pairs-lora"), folder.path().join("run"));
    let data = root().join("crates/text/samples/digits");
    let short = ["--epochs", "1", "--limit-per-class", "4"].map(Into::into);
    let words = words!["train", "--weights", weights, "--data", data, "--out", out];
    let said = crosstune("text", &words.into_iter().chain(short).collect::<Vec<_>>());
    assert!(
        said.stderr.contains("pretrained embedder, pretrained trunk, new head"),
        "{}",
        said.stderr
    );
    said.ok();
    let result = fs::read_to_string(out.join("result.json")).unwrap();
    assert!(
        result
            .contains("\"base_model.model.bert.encoder.layer.0.intermediate.dense.lora_A.weight\"")
    );
}
