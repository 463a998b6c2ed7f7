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
    for before in [
        "",
        "module.",
        "model.net.",
        "backbone.encoder.",
        "module.encoder_q.",
        "base_model.model._orig_mod.",
        "_fsdp_wrapped_module.module._checkpoint_wrapped_module.",
    ] {
        for body in ["bert.", ""] {
            for [weight, bias] in [["weight", "bias"], ["gamma", "beta"]] {
                // What belongs to no module, and the words of a wrapper within names.
                let names = [
                    format!("{before}{body}encoder._orig_mod.LayerNorm.{weight}"),
                    format!("{before}{body}encoder.LayerNorm.{bias}"),
                    format!("{before}{body}encoder.total_ops"),
                    format!("{before}classifier.weight"),
                    "loss.weight".into(),
                    "n_averaged".into(),
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
        let said = "several models of test are in it, as `document.…` and `query.…`; name one with \
                    --weights-key document";
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Raw weights, averaged ones and counts, as trainers of timm save them, and flat, as others do.
#[test]
fn of_raw_and_averaged_weights_either_is_taken_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let dict = |p: build_tests::Pickle, key: &str| {
        p.text(key).raw(b"}").text("encoder.LayerNorm.weight").tensor(&TRUE).raw(b"ss")
    };
    let nested = ["state_dict", "state_dict_ema"].into_iter().fold(pickle().raw(b"}"), dict).stop();
    let flat = ["model.encoder.LayerNorm.weight", "model_ema.encoder.LayerNorm.weight"];
    let flat = files(&flat).into_iter().map(|(_, bytes)| (bytes, ["model.", "model_ema."]));
    let nested = [torch_zip(&nested), legacy(&nested, &legacy_tail())];
    let nested = nested.map(|bytes| (bytes, ["state_dict", "state_dict_ema"]));
    for (bytes, [raw, averaged]) in nested.into_iter().chain(flat) {
        fs::write(&path, bytes).unwrap();
        let checkpoint = Checkpoint::open(&path).unwrap();
        let naming = WeightSource::new(&checkpoint, TABLE).unwrap().naming();
        assert_eq!(
            (naming.taken.as_deref(), &naming.left[..]),
            (Some(raw), &[averaged.into()][..])
        );
        let said = format!("of several copies `{raw}` is taken, not `{averaged}`; --weights-key");
        assert!(naming.to_string().contains(&said), "{naming}");

        let key = averaged.trim_end_matches('.');
        let checkpoint = Checkpoint::open_below(&path, Some(key)).unwrap();
        let source = WeightSource::new(&checkpoint, TABLE).unwrap();
        assert!(source.shape("trunk.norm.weight").is_some());
        assert_eq!(source.naming().to_string(), format!("what is below `{key}` is read"));
        let error = Checkpoint::open_below(&path, Some("ema")).unwrap_err().to_string();
        assert!(error.contains("no tensor is below `ema`; there are `"), "{error}");
    }
}

#[test]
fn types_that_libtorch_lacks_or_nobody_knows_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (dtype, bytes, says) in [
        ("U16", 12, "tensor of U16, which libtorch lacks"),
        ("U32", 24, "tensor of U32, which libtorch lacks"),
        ("U64", 48, "tensor of U64, which libtorch lacks"),
        ("F8_E8M0", 6, "tensor of F8_E8M0, which libtorch lacks"),
        ("F4", 3, "tensor of F4, which libtorch lacks"),
        ("NF4", 3, "tensor of the type `NF4`, which is not known here"),
        ("F8_E4M3", 6, ""),
        ("F8_E5M2", 6, ""),
    ] {
        let header = format!(
            r#"{{"encoder.LayerNorm.weight":{{"dtype":"{dtype}","shape":[2,3],"data_offsets":[0,{bytes}]}},
                "encoder.LayerNorm.bias":{{"dtype":"F32","shape":[1],"data_offsets":[{bytes},{}]}}}}"#,
            bytes + 4
        );
        fs::write(&path, safetensors(&header, &vec![0; bytes + 4])).unwrap();
        let checkpoint = Checkpoint::open(&path).unwrap();
        let source = WeightSource::new(&checkpoint, TABLE).unwrap();
        assert_eq!(source.tensor("trunk.norm.bias", &[1]).unwrap().size(), [1]);
        match source.tensor("trunk.norm.weight", &[2, 3]) {
            Ok(value) => assert_eq!((value.kind(), says), (tch::Kind::Float, ""), "{dtype}"),
            Err(error) => {
                let said = format!("`encoder.LayerNorm.weight` holds {says}");
                assert!(!says.is_empty() && error.to_string().contains(&said), "{error}");
            }
        }
    }
}
