//! Each `config.json` that is a fixture, with each of its values replaced by one that no model has: it is
//! taken or refused in one line, and nothing overflows.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use crosstune_core::{Pretrained, error::is_hidden};
use serde_json::{Value, json};

use crate::support::root;

/// The configurations below a folder.
fn configs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            configs(&path, found);
        } else if path.file_name().is_some_and(|name| name == "config.json") {
            found.push(path);
        }
    }
}

/// The places of all values, outer ones first.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        // Of lists of labels the first few stand for all.
        Value::Object(fields) => {
            let most = if at.is_empty() { usize::MAX } else { 5 };
            fields.iter().take(most).map(|(name, v)| (name.clone(), v)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().take(2).map(|(i, v)| (i.to_string(), v)).collect()
        }
        _ => vec![],
    };
    for (name, value) in below {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(at.clone());
        pointers(value, at, found);
    }
}

#[test]
fn no_value_of_a_config_is_taken_on_trust() {
    let mut files = vec![];
    for modality in ["text", "image", "audio"] {
        configs(&root().join(format!("crates/{modality}/tests/fixtures")), &mut files);
    }
    assert!(files.len() > 8, "{files:?}");
    let values = [
        json!(0),
        json!(1),
        json!(-1),
        json!(7),
        json!(1_u64 << 31),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.5),
        json!(null),
        json!(true),
        json!(""),
        json!("x"),
        json!([]),
        json!([0]),
        json!([i64::MAX, i64::MAX]),
        json!({}),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let (mut tried, mut overflown) = (0, vec![]);
    for file in files {
        let published: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let mut places = vec![];
        pointers(&published, String::new(), &mut places);
        for (place, value) in places.iter().flat_map(|p| values.iter().map(move |v| (p, v))) {
            let mut config = published.clone();
            *config.pointer_mut(place).unwrap() = value.clone();
            fs::write(&path, config.to_string()).unwrap();
            let opened = panic::catch_unwind(AssertUnwindSafe(|| {
                Pretrained::open(&path).map(|source| {
                    let trunk = &source.config().trunk;
                    let _ = (trunk.depth(), trunk.accepts(), source.task());
                })
            }));
            let Ok(opened) = opened else {
                overflown.push(format!("{}: {place} = {value}", file.display()));
                continue;
            };
            if let Err(error) = opened {
                assert!(!error.to_string().contains(is_hidden), "{error}");
            }
            tried += 1;
        }
    }
    assert!(overflown.is_empty(), "{overflown:#?}");
    assert!(tried > 1000, "{tried}");
}
