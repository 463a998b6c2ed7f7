//! What is read through a key map, from files of every kind.

use super::build_tests::{
    TRUE, archive, legacy, legacy_tail, npy, pickle, record, safetensors, torch_zip,
};
use super::*;
use crate::weights::key_map::{KeyMap, same};

const TABLE: KeyMap = KeyMap {
    name: "test",
    prefixes: &["bert.", ""],
    body: &[same("trunk.norm", "encoder.LayerNorm")],
    head: &[same("head", "classifier")],
};

/// A file of 2 × 3 zeros for each name, in every format that has names.
fn files(names: &[&str]) -> Vec<(&'static str, Vec<u8>)> {
    let entry =
        |name: &&str| format!(r#"{name:?}:{{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}}"#);
    let header = format!("{{{}}}", names.iter().map(entry).collect::<Vec<_>>().join(","));
    let tensor = |p: build_tests::Pickle, name: &&str| p.text(name).tensor(&TRUE).raw(b"s");
    let dict = names.iter().fold(pickle().raw(b"}"), tensor).stop();
    let array = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", &[0; 24]);
    let records: Vec<_> = names.iter().map(|name| record(format!("{name}.npy"), &array)).collect();
    vec![
        ("safetensors", safetensors(&header, &[])),
        ("zip", torch_zip(&dict)),
        ("legacy", legacy(&dict, &legacy_tail())),
        ("npz", archive(&records, None)),
    ]
}

#[test]
fn old_names_and_wrappers_are_read_in_every_container() {
    for before in ["", "module.", "model.net.", "module.encoder_q.", "base_model.model._orig_mod."]
    {
        for body in ["bert.", ""] {
            for [weight, bias] in [["weight", "bias"], ["gamma", "beta"]] {
                let names = [
                    format!("{before}{body}encoder.LayerNorm.{weight}"),
                    format!("{before}{body}encoder.LayerNorm.{bias}"),
                    format!("{before}classifier.weight"),
                    "loss.weight".into(),
                ];
                for (format, bytes) in files(&names.each_ref().map(String::as_str)) {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("file");
                    fs::write(&path, bytes).unwrap();
                    let checkpoint = Checkpoint::open(&path).unwrap();
                    let source = WeightSource::new(&checkpoint, TABLE).unwrap();
                    for ours in ["trunk.norm.weight", "trunk.norm.bias", "head.weight"] {
                        let shape = source.shape(ours).map(<[i64]>::to_vec);
                        let shape = shape.unwrap_or_else(|| panic!("{format} {names:?}: {ours}"));
                        assert_eq!(source.tensor(ours, &shape).unwrap().size(), shape);
                    }
                    assert!(source.shape("head.bias").is_none(), "there is none");
                }
            }
        }
    }
}

#[test]
fn several_models_in_one_file_are_not_chosen_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let names = ["query.encoder.LayerNorm.weight", "document.encoder.LayerNorm.weight"];
    for (_, bytes) in files(&names) {
        fs::write(&path, bytes).unwrap();
        let error = WeightSource::new(&Checkpoint::open(&path).unwrap(), TABLE).unwrap_err();
        let said = "several models of test are in it, as `document.…` and `query.…`";
        assert!(error.to_string().contains(said), "{error}");
    }
}
