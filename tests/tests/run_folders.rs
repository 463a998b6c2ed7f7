//! Run folders that a hand or an accident has changed: each fault is one line that names its file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{crosstune, root, words};

/// A tuned model of a modality, and an input for it.
fn run(modality: &str) -> PathBuf {
    match modality {
        "text" => root().join("tests/fixtures/format-1/run"),
        _ => root().join("crates/core/pretrained").join(modality),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// What `inspect` or `predict` says of a run folder in which a member of a JSON file has another
/// value; `null` takes it out.
fn said(modality: &str, file: &str, pointer: &str, value: &Value) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("run");
    copy(&run(modality), &changed);
    let path = changed.join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
        Value::Object(members) if value.is_null() => drop(members.remove(name)),
        Value::Object(members) => drop(members.insert(name.into(), value.clone())),
        other => panic!("{pointer} in {other}"),
    }
    fs::write(&path, json.to_string()).unwrap();
    predicted(modality, &changed)
}

fn predicted(modality: &str, run: &Path) -> (i32, String) {
    let input = run.with_extension("txt");
    fs::write(&input, "a line\n").unwrap();
    // Any input will do: the model is opened first.
    let ran = crosstune(modality, &words!["predict", run, input]);
    (ran.code, ran.stderr)
}

#[test]
fn a_member_that_cannot_be_is_named_with_its_file() {
    let trunk = "/trunk/transformer";
    let of = |field: &str| format!("{trunk}/{field}");
    let spec = "spec.json";
    let cases = [
        ("text", spec, "/format".into(), json!(3), "written by a newer version of crosstune"),
        ("text", spec, "/format".into(), json!(0), "format 0: expected 1 to"),
        ("text", spec, "/format".into(), json!("2"), "format \"2\": expected 1 to"),
        ("text", spec, "/format".into(), Value::Null, "format null: expected 1 to"),
        ("text", spec, "/colour".into(), json!("red"), "unknown field `colour`"),
        ("text", spec, of("colour"), json!("red"), "unknown field `colour`"),
        ("text", spec, "/lora/colour".into(), json!("red"), "unknown field `colour`"),
        ("text", spec, "/head/colour".into(), json!("red"), "unknown field `colour`"),
        ("text", spec, of("width"), json!(0), "must be at least 1"),
        ("text", spec, of("width"), json!(-32), "must be at least 1"),
        ("text", spec, of("depth"), json!(0), "must be at least 1"),
        ("text", spec, of("eps"), json!(-1), "eps -1: must be above 0"),
        ("text", spec, of("eps"), json!(0), "eps 0: must be above 0"),
        ("text", spec, of("eps"), Value::Null, "missing field `eps`"),
        ("text", spec, of("dropout"), json!(1), "dropout 1: must be"),
        ("text", spec, "/lora/rank".into(), json!(0), "--lora-rank: 0"),
        ("text", spec, "/labels".into(), json!([]), "labels: there are none"),
        ("text", spec, "/labels/1".into(), json!("extra"), "labels.json: not the labels of"),
        ("text", spec, "/scales".into(), json!([{"mean": 0, "std": 1}]), "scales: 1, but 0"),
        ("text", "labels.json", "/0".into(), json!("other"), "labels.json: not the labels of"),
        ("text", "preprocessing.json", "/colour".into(), json!(1), "unknown field `colour`"),
        ("text", "preprocessing.json", "/embedder/eps".into(), json!(-1), "eps -1: must be above"),
        ("text", "preprocessing.json", "/embedder/dropout".into(), json!(2), "dropout 2: must be"),
        (
            "text",
            "preprocessing.json",
            "/embedder/positions".into(),
            json!(0),
            "preprocessing.json: --max-length: 64",
        ),
        ("text", "preprocessing.json", "/embedder/segments".into(), json!(-1), "segments -1: must"),
        ("image", "preprocessing.json", "/colour".into(), json!(1), "unknown field `colour`"),
        ("image", "preprocessing.json", "/size".into(), json!(0), "preprocessing.json"),
        ("image", "preprocessing.json", "/patch".into(), json!(0), "preprocessing.json"),
        ("image", "preprocessing.json", "/deviation/0".into(), json!(-0.5), "preprocessing.json"),
        ("image", "preprocessing.json", "/deviation/0".into(), json!(0), "preprocessing.json"),
        ("audio", "preprocessing.json", "/colour".into(), json!(1), "unknown field `colour`"),
        (
            "audio",
            "preprocessing.json",
            "/scale/deviation/0".into(),
            json!(-0.5),
            "preprocessing.json",
        ),
        ("audio", "preprocessing.json", "/bands".into(), json!(0), "preprocessing.json"),
    ];
    for (modality, file, pointer, value, wanted) in cases {
        let (code, said) = said(modality, file, &pointer, &value);
        let what = format!("{modality} {file} {pointer} {value}: {said}");
        assert!(matches!(code, 1 | 2) && said.lines().count() == 1, "{what}");
        assert!(said.contains(wanted), "{what} does not say {wanted:?}");
    }
}

#[test]
fn a_file_too_few_or_a_tensor_too_many_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for missing in
        ["spec.json", "labels.json", "model.safetensors", "preprocessing.json", "tokenizer.json"]
    {
        let changed = folder.path().join(format!("without-{missing}"));
        copy(&run("text"), &changed);
        fs::remove_file(changed.join(missing)).unwrap();
        let (code, said) = predicted("text", &changed);
        assert!(code > 0 && said.contains(missing) && said.lines().count() == 1, "{said}");
    }
    // What tells of the training is not needed.
    let spare = folder.path().join("spare");
    copy(&run("text"), &spare);
    for name in ["result.json", "metrics.jsonl"] {
        let _ = fs::remove_file(spare.join(name));
    }
    assert_eq!(predicted("text", &spare).0, 0);
    for labels in ["[]", "{}", "", "[\"a\", 1]"] {
        fs::write(spare.join("labels.json"), labels).unwrap();
        let (code, said) = predicted("text", &spare);
        assert!(code == 1 && said.contains("labels.json: "), "{labels}: {said}");
    }

    let weights = fs::read(run("text").join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let bias = tensors.tensor("head.bias").unwrap();
    let write = |name: &str, of: Vec<(String, _)>| {
        let changed = folder.path().join(name);
        copy(&run("text"), &changed);
        safetensors::serialize_to_file(of, None, &changed.join("model.safetensors")).unwrap();
        predicted("text", &changed)
    };
    let mut more = tensors.tensors();
    more.push(("trunk.blocks.9.norm1.bias".into(), bias.clone()));
    let (code, said) = write("more", more);
    assert!(code == 1 && said.contains("`trunk.blocks.9.norm1.bias` has no place"), "{said}");
    let mut fewer = tensors.tensors();
    fewer.retain(|(name, _)| name != "head.bias");
    let (code, said) = write("fewer", fewer);
    assert!(code == 1 && said.contains("no tensor `head.bias`"), "{said}");
}
