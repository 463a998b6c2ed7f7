//! `check`: what a data set holds and what is wrong with it.

use std::fs;

use serde_json::Value;

use crate::support::{crosstune, root, words};

#[test]
fn a_sound_data_set_is_counted_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (modality, unit, sheet) in [
        ("image", "pixels", "sheet.png"),
        ("audio", "seconds", "sheet.png"),
        ("text", "characters", "sheet.txt"),
    ] {
        let data = root().join(format!("crates/{modality}/samples/digits"));
        let sheet = folder.path().join(sheet);
        let mut line = words!["check", "--data", data, "--sheet", sheet, "--overwrite"].to_vec();
        if modality == "audio" {
            line.extend(words!["--label-pattern", r"^(?<label>\d)_"]);
        }
        let text = crosstune(modality, &line).ok();
        assert!(text.contains(unit) && text.contains("can be read"), "{text}");
        let bytes = fs::read(&sheet).unwrap();
        assert_eq!(bytes.starts_with(b"\x89PNG"), modality != "text");
        assert!(bytes.len() > 1000, "{modality}");
        line.push("--json".into());
        let report: Value = serde_json::from_str(&crosstune(modality, &line).ok()).unwrap();
        assert_eq!(report["ok"], true);
        assert_eq!(report["classes"].as_array().unwrap().len(), 10, "{report}");
    }
}

#[test]
fn what_is_wrong_is_listed_and_the_exit_code_tells() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let samples = root().join("crates/image/samples/digits/train");
    for class in ["0", "1"] {
        for split in ["train", "test"] {
            let to = data.join(split).join(class);
            fs::create_dir_all(&to).unwrap();
            let files = fs::read_dir(samples.join(class)).unwrap().take(3);
            for (at, from) in files.enumerate() {
                // The first of each class is in both splits.
                if split == "train" || at == 0 {
                    fs::copy(from.unwrap().path(), to.join(format!("{at}.png"))).unwrap();
                }
            }
        }
    }
    fs::write(data.join("train/0/broken.png"), b"\x89PNG\r\n\x1a\nno more").unwrap();
    let ran = crosstune("image", &words!["check", "--data", data]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("1 pictures cannot be read:"), "{}", ran.stdout);
    assert!(ran.stdout.contains("broken.png: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("2 pictures are in several splits"), "{}", ran.stdout);
    assert!(ran.stdout.contains("(train, 0) = "), "{}", ran.stdout);
    let json = crosstune("image", &words!["check", "--data", data, "--json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &report["ok"]), (1, &Value::Bool(false)));
    assert_eq!(report["leaks"].as_array().unwrap().len(), 2);
}
