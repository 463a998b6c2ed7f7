//! A run folder as the source of another run, and architectures without weights.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::{crosstune, root, tiny_bert, train_on, words};

const SHORT: [&str; 4] = ["--epochs", "1", "--limit-per-class", "4"];

/// A small network that a person designed.
fn designed(folder: &Path, trunk: &str) -> PathBuf {
    let path = folder.join("design.json");
    fs::write(&path, format!(r#"{{"trunk": {trunk}}}"#)).unwrap();
    path
}

const SEQUENCES: &str = r#"{"transformer": {"width": 16, "depth": 2, "heads": 2}}"#;
const PLANES: &str = r#"{"resnet": {"planes": 8, "shortcut": "padded",
    "stages": [{"blocks": 1, "width": 8, "stride": 1}, {"blocks": 1, "width": 16, "stride": 2}]}}"#;

fn result(run: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(run.join("result.json")).unwrap()).unwrap()
}

/// The names in an account of what was loaded.
fn names<'r>(result: &'r Value, what: &str) -> Vec<&'r str> {
    let names = result["loaded"][what].as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn a_run_is_a_source_for_every_modality() {
    for trunk in [SEQUENCES, PLANES] {
        let folder = tempfile::tempdir().unwrap();
        let design = designed(folder.path(), trunk);
        for from in ["image", "audio", "text"] {
            let source = folder.path().join(from);
            let random = [&SHORT[..], &["--recipe", "scratch"]].concat();
            train_on(&design, from, &source, &random).ok();
            for to in ["image", "audio", "text"] {
                let run = folder.path().join(format!("{from}-{to}"));
                let said = train_on(&source, to, &run, &SHORT).stderr;
                let result = result(&run);
                let fresh = names(&result, "fresh");
                let embedder = fresh.iter().any(|name| name.starts_with("embed."));
                let own = said.contains("pretrained embedder, pretrained trunk");
                // The stem of pictures serves spectrograms, too.
                let stays = from == to || (trunk == PLANES && (from, to) == ("image", "audio"));
                assert_eq!((embedder, own), (!stays, stays), "{from} to {to}: {said}");
                assert!(!fresh.iter().any(|name| name.starts_with("trunk.")), "{said}");
                let left = names(&result, "unused");
                let heads = left.iter().filter(|name| name.starts_with("head."));
                assert_eq!(heads.count(), 2, "{left:?}");
                // What was made of it is a run like any other.
                let data = root().join(format!("crates/{to}/samples/digits"));
                let evaluated = crosstune(to, &words!["evaluate", run, data, "--json"]).ok();
                let evaluated: Value = serde_json::from_str(&evaluated).unwrap();
                let measured = &result["test"]["confusion"];
                assert_eq!(evaluated["evaluation"]["confusion"], *measured, "{from} to {to}");
            }
        }
    }
}

#[test]
fn a_run_prepares_inputs_as_it_was_trained_to() {
    let folder = tempfile::tempdir().unwrap();
    let design = designed(folder.path(), SEQUENCES);
    let scratch = |modality: &str, more: &[&str]| {
        let run = folder.path().join(modality);
        let options = [&SHORT[..], &["--recipe", "scratch"], more].concat();
        train_on(&design, modality, &run, &options).ok();
        run
    };
    let image = scratch("image", &[]);
    let audio = scratch("audio", &["--bands", "20"]);
    let text = scratch("text", &["--units", "characters", "--max-length", "40"]);
    let out = folder.path().join("out");
    let preparation = |run: &Path| -> Value {
        serde_json::from_str(&fs::read_to_string(run.join("preprocessing.json")).unwrap()).unwrap()
    };
    for (modality, run) in [("image", &image), ("audio", &audio), ("text", &text)] {
        let out = folder.path().join(format!("{modality}-again"));
        // Other samples would have another scale, other characters and another length.
        train_on(run, modality, &out, &["--epochs", "1", "--limit-per-class", "2"]).ok();
        let (before, after) = (preparation(run), preparation(&out));
        for field in ["size", "mean", "deviation", "bands", "frames", "scale", "symbols"] {
            assert_eq!(before.get(field), after.get(field), "{modality}: {field}");
        }
        let rank = words!["rank", "--weights", run, "--seeds", "1", "--folds", "3"].to_vec();
        let data = root().join(format!("crates/{modality}/samples/digits"));
        let more = words!["--data", data, "--limit-per-class", "4", "--label-pattern"];
        let pattern = words![r"^(?<label>\d)_"];
        let more =
            if modality == "audio" { [&more[..], &pattern].concat() } else { more[..4].into() };
        let ranked = crosstune(modality, &[rank, more].concat()).ok();
        assert!(ranked.contains("own"), "{ranked}");
    }
    for (modality, run, more, said) in [
        ("image", &image, ["--size", "12"], "--size: the run was trained at 8, got 12"),
        ("audio", &audio, ["--bands", "40"], "--bands: the pretrained model was trained at 20"),
        ("text", &text, ["--units", "bytes"], "--units: the run was trained on other units"),
        ("text", &text, ["--max-length", "50"], "--max-length: the run was trained at 40"),
        ("text", &text, ["--family", "bert"], "--family: bert, but "),
    ] {
        let error = train_on(run, modality, &out, &[&SHORT[..], &more].concat()).error(2);
        assert!(error.contains(said), "{error:?} does not say {said:?}");
    }
}

#[test]
fn a_run_hears_the_frames_that_it_was_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let design = designed(folder.path(), SEQUENCES);
    for (features, asked, said) in [
        ("fbank", "--features mfcc", "--features: the pretrained model was trained at fbank"),
        (
            "mfcc",
            "--features mfcc --coefficients 12",
            "--coefficients: the pretrained model was trained at 13, got 12",
        ),
        ("log-mel", "--coefficients 13", "--coefficients: there are cepstral coefficients only"),
    ] {
        let (run, again) = (folder.path().join(features), folder.path().join("again"));
        let options = ["--recipe", "scratch", "--features", features];
        train_on(&design, "audio", &run, &[&SHORT[..], &options].concat()).ok();
        train_on(&run, "audio", &again, &[&SHORT[..], &["--overwrite"]].concat()).ok();
        let out = folder.path().join("out");
        let asked: Vec<_> = SHORT.into_iter().chain(asked.split(' ')).collect();
        let error = train_on(&run, "audio", &out, &asked).error(2);
        assert!(error.contains(said), "{error:?} does not say {said:?}");
    }
}

#[test]
fn a_run_keeps_its_tokenizer_and_its_head() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let lora = [&SHORT[..], &["--recipe", "lora"]].concat();
    train_on(&tiny_bert(), "text", &first, &lora).ok();
    let kept = ["--epochs", "1", "--limit-per-class", "4", "--head", "pretrained"];
    train_on(&first, "text", &second, &kept).ok();
    let result = result(&second);
    assert_eq!(names(&result, "fresh"), Vec::<&str>::new());
    assert_eq!(names(&result, "unused"), Vec::<&str>::new(), "adapters are merged");
    assert!(second.join("tokenizer.json").is_file());
    // Whoever may read one file may read them all.
    let rights = |name: &str| fs::metadata(second.join(name)).unwrap().permissions();
    assert_eq!(rights("model.safetensors"), rights("spec.json"));
}

#[test]
fn an_architecture_alone_has_to_be_trained_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let design = designed(folder.path(), SEQUENCES);
    let out = folder.path().join("out");
    let error = train_on(&design, "image", &out, &SHORT).error(2);
    assert!(error.contains("an architecture without weights: --init random"), "{error}");
    assert!(!out.exists());
    let shown = crosstune("image", &words!["inspect", design]).ok();
    assert!(shown.contains("an architecture without weights"), "{shown}");
    let data = root().join("crates/image/samples/digits");
    let error = crosstune("image", &words!["rank", "--weights", design, "--data", data]).error(1);
    assert!(error.contains("an architecture without weights"), "{error}");

    // A folder as transformers lays it out, of which only the config is there.
    let config = folder.path().join("vit");
    fs::create_dir(&config).unwrap();
    let fixture = root().join("crates/image/tests/fixtures/tiny-vit/config.json");
    fs::copy(fixture, config.join("config.json")).unwrap();
    let random = [&SHORT[..], &["--init", "random"]].concat();
    let said = train_on(&config, "image", &out, &random).stderr;
    assert!(said.contains("0 tensors loaded"), "{said}");
    assert_eq!(result(&out)["init"], "random");
}
