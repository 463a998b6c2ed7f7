//! Sentences through a BERT as transformers computes them; `xtask/scripts/fixtures/text.py` made
//! the files. They prove tokenizer, embedder, key map, transformer and pool together.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crosstune_core::{
    Checkpoint, Encoder, Features, Fresh, Input, LoadReport, Modality, Origin, Pool, Pretrained,
    Sequence, Trunk, VarBuilder,
};
use crosstune_text::TextSettings;
use tch::{Device, Tensor, nn::VarStore};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

/// The sentences of a fixture and what is expected of them.
fn expected(name: &str) -> (Vec<Input>, Checkpoint) {
    let lines = fs::read_to_string(fixture(name).join("sentences.txt")).unwrap();
    let sentences = lines.split('\n').map(|line| Input::Text(line.into()));
    let mut sentences: Vec<_> = sentences.collect();
    sentences.pop(); // behind the last line's end
    (sentences, Checkpoint::open(fixture(name).join("expected.safetensors")).unwrap())
}

fn ids(fixture: &Checkpoint, name: &str) -> Vec<i64> {
    Vec::try_from(fixture.tensor(name).unwrap()).unwrap()
}

fn furthest(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

/// Hidden states `[B, T, D]` that `expected` are to be, sentence embeddings `[B, D]`, and what became of the
/// checkpoint. Where a sentence has ended, hidden states are what is expected: nothing depends on them.
fn outputs(
    model: &Path,
    sentences: &[Input],
    expected: Option<&Tensor>,
) -> (Tensor, Tensor, LoadReport) {
    let _grad = tch::no_grad_guard();
    let pretrained = Pretrained::open(model).unwrap();
    let mut settings = TextSettings::default();
    assert_eq!(settings.adopt(&pretrained).unwrap(), Origin::Pretrained);
    let samples: Vec<_> = sentences.iter().map(|input| settings.read(input).unwrap()).collect();
    let batch = settings.batch(&samples.iter().collect::<Vec<_>>());

    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let source = pretrained.source().unwrap();
    let root = VarBuilder::root(&store, &fresh).with_source(Some(&source));
    let trunk = Trunk::new(&root.sub("trunk"), &pretrained.config().trunk).unwrap();
    let embedder = settings.embedder(root.sub("embed"), trunk.accepts()).unwrap();
    let features = trunk.forward(&embedder.embed(&batch, false), false);
    let encoder = Encoder::join(embedder, trunk, Pool::Mean).unwrap();
    let mean = encoder.forward(&batch, false);
    let embeddings = &mean / mean.norm_scalaropt_dim(2, [1], true);
    let hidden = match features {
        Features::Sequence(Sequence { x, attention_mask }) => match (attention_mask, expected) {
            (Some(mask), Some(expected)) => x.where_self(&mask.unsqueeze(2), expected),
            _ => x,
        },
        Features::FeatureMap(_) => panic!("not a sequence"),
    };
    (hidden, embeddings, LoadReport::new(Some(&source), &fresh))
}

/// Correct runs differ by at most 2e-6; the epsilon and the GELU below show by far more.
const WITHIN: f64 = 5e-6;

#[test]
fn a_small_bert_computes_what_transformers_computes() {
    let (sentences, expected) = expected("tiny-bert");
    let want = expected.tensor("hidden").unwrap();
    let (hidden, embeddings, report) = outputs(&fixture("tiny-bert"), &sentences, Some(&want));
    let far = furthest(&hidden, &want);
    assert!(far < WITHIN, "hidden states differ by {far:e}");
    let far = furthest(&embeddings, &expected.tensor("embedding").unwrap());
    assert!(far < WITHIN, "embeddings differ by {far:e}");
    assert_eq!((report.loaded.len(), report.fresh.len(), report.unused.len()), (37, 0, 0));
}

#[test]
fn the_tolerance_tells_other_models_apart() {
    let (sentences, expected) = expected("tiny-bert");
    let config = fs::read_to_string(fixture("tiny-bert/config.json")).unwrap();
    for (from, to) in [
        ("1e-12", "1e-6"),
        ("\"gelu\"", "\"gelu_new\""),
        ("\"num_attention_heads\": 4", "\"num_attention_heads\": 2"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for file in ["model.safetensors", "tokenizer.json"] {
            fs::copy(fixture("tiny-bert").join(file), folder.path().join(file)).unwrap();
        }
        let changed = config.replace(from, to);
        assert_ne!(changed, config);
        fs::write(folder.path().join("config.json"), changed).unwrap();
        let want = expected.tensor("hidden").unwrap();
        let (hidden, ..) = outputs(folder.path(), &sentences, Some(&want));
        let far = furthest(&hidden, &want);
        assert!(far > 2. * WITHIN, "{to} shows by {far:e} only");
    }
}

#[test]
fn tokens_are_those_of_the_library_in_python() {
    let (sentences, expected) = expected("tiny-bert");
    let pretrained = Pretrained::open(fixture("tiny-bert")).unwrap();
    for (max_length, key) in [(None, "ids"), (Some(8), "cut")] {
        let mut settings = TextSettings::new(max_length);
        settings.adopt(&pretrained).unwrap();
        for (i, input) in sentences.iter().enumerate() {
            let sample = Vec::<i64>::try_from(settings.read(input).unwrap()).unwrap();
            assert_eq!(sample, ids(&expected, &format!("{key}.{i}")), "{input:?}");
        }
    }
}

/// The folder of all-MiniLM-L6-v2, if `cargo xtask weights` put it into the cache.
fn minilm() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("CROSSTUNE_CACHE")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("crosstune")))
        .or_else(|| Some(folder("HOME")?.join(".cache/crosstune")))?;
    Some(cache.join("all-MiniLM-L6-v2")).filter(|folder| folder.is_dir())
}

#[test]
#[allow(clippy::print_stderr)]
fn minilm_embeds_sentences_as_in_python() {
    let Some(folder) = minilm() else {
        eprintln!(
            "skipped: all-MiniLM-L6-v2 is not in the cache; `cargo xtask weights` fetches it"
        );
        return;
    };
    let (sentences, expected) = expected("minilm");
    let mut settings = TextSettings::default();
    settings.adopt(&Pretrained::open(&folder).unwrap()).unwrap();
    for (i, input) in sentences.iter().enumerate() {
        let sample = Vec::<i64>::try_from(settings.read(input).unwrap()).unwrap();
        assert_eq!(sample, ids(&expected, &format!("ids.{i}")), "{input:?}");
    }
    let (_, embeddings, _) = outputs(&folder, &sentences, None);
    let far = furthest(&embeddings, &expected.tensor("embedding").unwrap());
    assert!(far < 1e-5, "embeddings differ by {far:e}");
}
