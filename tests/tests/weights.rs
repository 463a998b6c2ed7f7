//! Weights that are none, and what is published in other ways than ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::support::{crosstune, root, tiny_bert, train, words};

/// The tensors of a safetensors file, for a change: type, shape and bytes by name.
pub(crate) type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

pub(crate) fn read(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let owned = |(name, view): (String, TensorView<'_>)| {
        (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    tensors.tensors().into_iter().map(owned).collect()
}

fn write(tensors: &Tensors, path: &Path) {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// A copy of a folder, without folders in it, whose weights `change` has changed.
pub(crate) fn changed(from: &Path, to: PathBuf, change: impl FnOnce(&mut Tensors)) -> PathBuf {
    fs::create_dir(&to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let weights = to.join("model.safetensors");
    let mut tensors = read(&weights);
    change(&mut tensors);
    write(&tensors, &weights);
    to
}

/// Overwrites one number of a tensor.
fn put(tensors: &mut Tensors, name: &str, at: usize, value: f32) {
    let (_, _, bytes) = tensors.get_mut(name).unwrap();
    bytes[4 * at..][..4].copy_from_slice(&value.to_le_bytes());
}

fn digits() -> PathBuf {
    root().join("crates/text/samples/digits")
}

#[test]
fn numbers_that_are_none_are_refused_wherever_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train("text", &run, &["--epochs", "1", "--limit-per-class", "4"]).ok();
    let line = folder.path().join("line.txt");
    fs::write(&line, "one\n").unwrap();
    let mut count = 0;
    let mut place = || {
        count += 1;
        folder.path().join(count.to_string())
    };

    // What a tuned model is asked, and what is tuned.
    let name = "trunk.blocks.1.attn.q.weight";
    for (value, said) in [(f32::NAN, "NaN at [0, 5]"), (f32::NEG_INFINITY, "infinity at [0, 5]")] {
        let broken = changed(&run, place(), |tensors| put(tensors, name, 5, value));
        let said = format!("model.safetensors: `{name}` holds {said}, which no weight can be");
        for words in [
            &words!["predict", broken, line][..],
            &words!["predict", broken, line, "--json"],
            &words!["evaluate", broken, digits()],
            &words!["export", broken, "--format", "safetensors", "--out", folder.path().join("x")],
        ] {
            let error = crosstune("text", words).error(1);
            assert!(error.contains(&said) && error.lines().count() == 1, "{error}");
        }
        let theirs = "encoder.layer.1.attention.self.query.weight";
        let broken = changed(&tiny_bert(), place(), |tensors| put(tensors, theirs, 5, value));
        let words = words!["train", "--weights", broken, "--data", digits(), "--out", place()];
        let error = crosstune("text", &words).error(1);
        let said = said.replace(name, theirs);
        assert!(error.contains(&said) && error.lines().count() == 1, "{error}");
        // What is not taken may hold what it likes.
        let theirs = "cls.predictions.bias";
        let odd = changed(&run, place(), |tensors| {
            tensors.insert(theirs.into(), (Dtype::F32, vec![1], value.to_le_bytes().to_vec()));
        });
        let odd = changed(&tiny_bert(), place(), |tensors| {
            tensors.extend(read(&odd.join("model.safetensors")).remove_entry(theirs));
        });
        let words = words!["train", "--weights", odd, "--data", digits(), "--out", place()];
        crosstune(
            "text",
            &[&words[..], &words!["--epochs", "1", "--limit-per-class", "4"]].concat(),
        )
        .ok();
    }

    // Other types than floating-point numbers.
    for (dtype, size, said) in [
        (Dtype::I64, 8, "integers"),
        (Dtype::U8, 1, "integers"),
        (Dtype::BOOL, 1, "bools"),
        (Dtype::C64, 8, "complex numbers"),
    ] {
        let broken = changed(&run, place(), |tensors| {
            let (kind, shape, bytes) = tensors.get_mut("head.weight").unwrap();
            *kind = dtype;
            *bytes = vec![0; size * shape.iter().product::<usize>()];
        });
        let error = crosstune("text", &words!["predict", broken, line]).error(1);
        assert!(error.contains(&format!("`head.weight` holds {said}")), "{error}");
    }

    // Finite numbers whose answer is none.
    let broken = changed(&run, place(), |tensors| {
        for at in 0..32 {
            put(tensors, "head.weight", at, f32::MAX);
        }
    });
    for words in
        [words!["predict", broken, line].to_vec(), words!["evaluate", broken, digits()].to_vec()]
    {
        let error = crosstune("text", &words).error(1);
        assert!(error.contains("what the model makes of it is"), "{error}");
        assert!(error.contains("line.txt:1: ") || error.contains("digits"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_model_of_no_numbers_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let options = ["--lr", "1e38", "--max-steps", "1", "--epochs", "1"];
    for more in [["--validation", "0"], ["--validation", "0.3"]] {
        let error = train("text", &run, &[&options[..], &more].concat()).error(1);
        assert!(error.starts_with("the training diverged, its `"), "{error}");
        assert!(error.contains("` holds ") && error.contains("it was 1e38)"), "{error}");
        assert!(!run.exists());
    }
}

#[test]
fn a_config_that_names_no_family_tells_what_tensors_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let line = folder.path().join("line.txt");
    fs::write(&line, "one\n").unwrap();
    let bert = tiny_bert();
    let config = fs::read_to_string(bert.join("config.json")).unwrap();
    let model = |name: &str, config: &str| {
        let to = changed(&bert, folder.path().join(name), |_| ());
        fs::write(to.join("config.json"), config).unwrap();
        to
    };
    let train = |weights: &Path, out: &str, more: &[&str]| {
        let out = folder.path().join(out);
        let words = words!["train", "--weights", weights, "--data", digits(), "--out", out];
        let short = ["--epochs", "1", "--limit-per-class", "4"];
        let more = short.iter().chain(more).map(Into::into);
        crosstune("text", &words.into_iter().chain(more).collect::<Vec<_>>())
    };
    let weights = |out: &str| read(&folder.path().join(out).join("model.safetensors"));
    let said = train(&bert, "named", &[]);
    assert!(said.stderr.contains("loss"), "{}", said.stderr);
    said.ok();
    let class = config.replace("\"model_type\": \"bert\",", "");
    let unnamed = model("unnamed", &class.replace("BertModel", ""));
    train(&unnamed, "told", &[]).ok();
    assert!(weights("told") == weights("named"));
    // The class that saved it tells as much, before its tensors are asked.
    train(&model("saved", &class), "class", &[]).ok();
    assert!(weights("class") == weights("named"));
    let other = config.replace("\"model_type\": \"bert\"", "\"model_type\": \"older-bert\"");
    let other = model("other", &other);
    train(&other, "asked", &["--family", "bert"]).ok();
    assert!(weights("asked") == weights("named"));
    let error = train(&other, "x", &[]).error(1);
    for said in [
        "the model_type is \"older-bert\", which is no known family",
        "the nearest family is bert, and --family bert tries it",
        "`inspect --families` lists those that are known",
    ] {
        assert!(error.contains(said), "{error}");
    }

    // Another family than the config's is not taken, and the config that lies there not asked for.
    let roberta = config.replace("\"model_type\": \"bert\"", "\"model_type\": \"roberta\"");
    let error = train(&model("roberta", &roberta), "x", &["--family", "bert"]).error(2);
    assert!(error.contains("--family: bert, but in ") && error.contains("leave it out"), "{error}");
    // A family that has other names.
    let error = train(&unnamed, "x", &["--family", "gpt2"]).error(1);
    assert!(error.contains("no tensor has a name of the key map gpt2"), "{error}");
}

#[test]
fn unknown_names_are_shown_with_the_nearest_family() {
    let folder = tempfile::tempdir().unwrap();
    let strange = changed(&tiny_bert(), folder.path().join("strange"), |tensors| {
        let renamed = std::mem::take(tensors).into_iter().map(|(name, tensor)| {
            (name.replace("attention.self.query", "attention.self.queries"), tensor)
        });
        tensors.extend(renamed);
    });
    fs::remove_file(strange.join("config.json")).unwrap();
    let out = folder.path().join("x");
    let words = words!["train", "--weights", strange, "--data", digits(), "--out", out];
    let error = crosstune("text", &words).error(1);
    for said in [
        "of no known family: `embeddings.LayerNorm.bias` [32], `",
        " more (the nearest family is bert, which has `encoder.layer.0.attention.self.query.weight`)",
        "there is no config.json beside it",
    ] {
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(error.lines().count(), 1);

    // A name of any depth and length, as long as there is room for it.
    let deep = changed(&tiny_bert(), folder.path().join("deep"), |tensors| {
        for name in [".".repeat(21_000), "a.".repeat(100_000), "x".repeat(2_000_000)] {
            tensors.insert(name, (Dtype::F32, vec![1], vec![0; 4]));
        }
    });
    let shown = crosstune("text", &words!["inspect", deep]).ok();
    assert!(shown.contains("family      bert"), "{}", &shown[..1000]);
    crosstune("text", &words!["inspect", deep, "--json"]).ok();
}
