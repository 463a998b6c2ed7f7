//! Answers that are sequences, from any trunk: what is cached at a cut is what would be computed, a
//! sample's answer is the one that it has alone, and every direction trains, is saved and is traced.

use std::path::{Path, PathBuf};

use crosstune_audio::{AudioOptions, AudioSettings};
use crosstune_core::{
    Batch, CacheBudget, CutPoint, Device, FitOptions, Freeze, Input, Item, LoadParts, Location,
    MemoryBudget, Modality, Model, Origin, Pool, Pretrained, ReadMode, RunWriter, Samples, Scores,
    Spec, Target, Task, Vocabulary, export, fit, predict::score, run, task::LetterCase,
};
use crosstune_image::{ImageOptions, ImageSettings};
use crosstune_text::{TextSettings, Units};
use serde_json::Value;
use tch::{CModule, Kind, Tensor};

use crate::support::{line, root, seeded, tones};

/// Correct ones differ by a few 1e-6: libtorch chooses its kernels by the size of a batch.
const WITHIN: f64 = 1e-5;

/// A transformer and a network of planes of each modality, and those that are laid out in their own way.
const SOURCES: [&str; 11] = [
    "image/tiny-vit",
    "image/tiny-resnet-cifar/resnet.th",
    "image/tiny-densenet-timm",
    "image/tiny-convnext-hf",
    "image/tiny-swin",
    "text/tiny-bert",
    "audio/tiny-whisper",
    "audio/tiny-wav2vec2",
    "audio/tiny-ast",
    "audio/tiny-honk/res8.pt",
    "audio/tiny-clap",
];

/// What is said, sung or written, and labelled word by word.
const TEXTS: [&str; 6] = ["a", "ab", "b a", "bb", "aba", "ba"];

fn fixture(path: &str) -> PathBuf {
    let (modality, name) = path.split_once('/').unwrap();
    root().join(format!("crates/{modality}/tests/fixtures/{name}"))
}

/// What is asked, with the answers' names.
struct Asked {
    items: Vec<Item>,
    task: Task,
    labels: Vec<String>,
    vocabulary: Option<Vocabulary>,
}

fn item(line: usize, input: Input, target: Target) -> Item {
    let place = Location { path: Path::new("inputs").into(), line: Some(line as u64 + 1) };
    Item { target, ..Item::new(input, place) }
}

/// The texts with their symbols, of inputs that `input` makes of them.
fn transcribed(input: impl Fn(&str) -> Input) -> Asked {
    let (labels, vocabulary) = Vocabulary::of(TEXTS, LetterCase::Kept);
    let asked = |(at, text): (usize, &&str)| {
        let (symbols, _) = vocabulary.encode(text, &labels);
        item(at, input(text), Target::Text { text: (*text).into(), symbols })
    };
    let items = TEXTS.iter().enumerate().map(asked).collect();
    Asked { items, task: Task::Transcription, labels, vocabulary: Some(vocabulary) }
}

/// A word for each letter of the texts, of which some are labelled.
fn tagged() -> Asked {
    let asked = |(at, text): (usize, &&str)| {
        let letters: Vec<char> = text.chars().filter(|letter| *letter != ' ').collect();
        let words = letters.iter().map(|letter| letter.to_string().repeat(3)).collect();
        let tags = letters.iter().map(|letter| usize::from(*letter == 'b')).collect();
        item(at, Input::Words(words), Target::Tags(tags))
    };
    let items = TEXTS.iter().enumerate().map(asked).collect();
    let labels = ["O", "B-bee"].map(String::from).to_vec();
    Asked { items, task: Task::Tagging, labels, vocabulary: None }
}

/// A source on a modality, with what it is trained on.
struct Prepared<M> {
    modality: M,
    items: Vec<Item>,
    train: Samples,
    validation: Samples,
    source: Pretrained,
    spec: Spec,
    shown: String,
}

fn prepared<M: Modality>(path: &str, mut modality: M, asked: Asked) -> Prepared<M> {
    let Asked { items, task, labels, vocabulary } = asked;
    let shown = format!("{path} on {}", M::SAMPLES);
    let source = Pretrained::open(fixture(path))
        .and_then(|source| source.with_dropout(0.)?.with_drop_path(0.));
    let source = source.unwrap_or_else(|e| panic!("{shown}: {e}"));
    let embedder = modality.adopt(&source).unwrap_or_else(|e| panic!("{shown}: {e}"));
    modality.set_task(task).unwrap();
    modality.survey(&items.iter().map(|item| &item.input).collect::<Vec<_>>());
    let read = |mode| {
        let memory = &mut MemoryBudget::default();
        let (samples, bad) = Samples::read(&modality, &items, mode, memory, || ());
        assert!(bad.is_empty(), "{shown}: {bad:?}");
        samples
    };
    let (train, validation) = (read(ReadMode::Training), read(ReadMode::Inference));
    modality.fit_normalization(train.moments());
    let spec = M::spec(&source, embedder, labels).for_task(task, &[]).unwrap();
    let spec = spec.with_vocabulary(vocabulary);
    Prepared { modality, items, train, validation, source, spec, shown }
}

impl<M: Modality> Prepared<M> {
    fn model(&self, pool: Pool) -> Model {
        let spec = Spec { pool, ..self.spec.clone() };
        let weights = self.source.source().unwrap();
        let from = Some((&weights, LoadParts::Body));
        let model = seeded(1, || Model::new(spec, &self.modality, from, Device::Cpu));
        model.unwrap_or_else(|e| panic!("{}: {e}", self.shown))
    }

    /// The pools that this source has.
    fn pools(&self) -> Vec<Pool> {
        let over_layers = match self.source.config().trunk {
            crosstune_core::TrunkConfig::Transformer(_) => Some(Pool::WeightedPositions),
            _ => None,
        };
        [Some(Pool::Positions), over_layers].into_iter().flatten().collect()
    }

    /// All samples as one batch.
    fn batch(&self) -> Batch {
        let windows =
            |item: &Item| self.modality.windows(&self.modality.read(&item.input).unwrap());
        let samples: Vec<_> = self.items.iter().flat_map(windows).map(|window| window.x).collect();
        self.modality.batch(&samples.iter().collect::<Vec<_>>())
    }

    /// What a model says of the samples in batches of `size`, `[T, symbols]` each.
    fn said(&self, model: &Model, samples: &Samples, size: usize) -> Vec<Tensor> {
        let mut all = vec![];
        score(model, &self.modality, samples, size, |_, scores| {
            let Scores::Sequences(scores) = scores else { panic!("a sequence for each") };
            all.extend(scores.iter().map(Tensor::shallow_clone));
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{}: {e}", self.shown));
        all
    }
}

fn same(want: &Tensor, got: &Tensor, within: f64, shown: &str) {
    assert_eq!(want.size(), got.size(), "{shown}");
    let far = (want - got).abs().max().double_value(&[]);
    // Not `>`: NaN is no answer either.
    assert!(far < within, "{shown}: off by {far:e}");
}

/// At every cut, in company: the scores and which positions they are of.
fn cuts<M: Modality>(of: &Prepared<M>) {
    for pool in of.pools() {
        let (model, batch) = (of.model(pool), of.batch());
        let classifier = model.classifier();
        let whole = tch::no_grad(|| classifier.forward_from(&batch, CutPoint::Inputs, false));
        // A recording may be heard in several windows.
        assert!(whole.x.size()[0] >= TEXTS.len() as i64, "{}", of.shown);
        let depth = of.spec.trunk.depth();
        let cuts = (0..=depth).map(CutPoint::Trunk).chain([CutPoint::Pooled]);
        for cut in cuts {
            let shown = format!("{}, {pool}, cut at {cut:?}", of.shown);
            let there = classifier.forward_to(&batch, cut);
            let again = tch::no_grad(|| classifier.forward_from(&there, cut, false));
            same(&whole.x, &again.x, 1e-6, &shown);
            match (&whole.attention_mask, &again.attention_mask) {
                (None, None) => {}
                (Some(a), Some(b)) => assert!(a.equal(b), "{shown}: other positions"),
                (a, b) => panic!("{shown}: {a:?} and {b:?}"),
            }
        }
    }
}

/// Alone and in batches of any size.
fn company<M: Modality>(of: &Prepared<M>) {
    for pool in of.pools() {
        let model = of.model(pool);
        let alone = of.said(&model, &of.validation, 1);
        for size in [2, 4, 6] {
            let together = of.said(&model, &of.validation, size);
            for (at, (alone, together)) in alone.iter().zip(&together).enumerate() {
                let shown = format!("{}, {pool}: sample {at} in batches of {size}", of.shown);
                same(alone, together, WITHIN, &shown);
            }
        }
    }
}

/// No answer is behind the end of a recording, whatever the model is filled up with: there are as many as
/// its share of the longest has.
fn ends(of: &Prepared<AudioSettings>) {
    let model = of.model(Pool::Positions);
    let said = of.said(&model, &of.validation, 6);
    let positions: Vec<i64> = said.iter().map(|scores| scores.size()[0]).collect();
    let longest = positions.iter().copied().max().unwrap();
    for (text, &count) in TEXTS.iter().zip(&positions) {
        // Three letters are the longest.
        let share = longest as f64 * text.len() as f64 / 3.;
        // Windows of a front end reach beyond the ends.
        let beyond = 2. + longest as f64 / 20.;
        let off = (count as f64 - share).abs();
        assert!(off <= beyond, "{}: {text:?} has {count} of {longest} positions", of.shown);
    }
}

/// Losses of a training of what lies above a cut, with what lies below kept and computed anew.
fn cached<M: Modality>(of: &Prepared<M>) {
    let depth = of.spec.trunk.depth();
    for freeze in
        ["embedder".into(), format!("below:{}", depth.div_ceil(2)), "trunk,embedder".into()]
    {
        if of.spec.embedder == Origin::Fresh && freeze != "trunk,embedder" {
            continue;
        }
        let start = of.model(Pool::Positions);
        let losses = |cache_budget: Option<CacheBudget>| -> Vec<f64> {
            let model = of.model(Pool::Positions);
            let begun = start.store().variables();
            tch::no_grad(|| {
                for (name, mut value) in model.store().variables() {
                    value.copy_(&begun[&name]);
                }
            });
            let frozen: Freeze = freeze.parse().unwrap();
            frozen.apply(model.store(), model.outline()).unwrap();
            assert!(model.cut_point() > CutPoint::Inputs, "{}: {freeze}", of.shown);
            let options =
                FitOptions { epochs: 2, batch_size: 4, cache_budget, ..FitOptions::default() };
            let fitted =
                fit(&model, &of.modality, &of.train, &of.validation, &options, &mut |_| Ok(()));
            let epochs = fitted.unwrap_or_else(|e| panic!("{}: {e}", of.shown)).epochs;
            let both = |epoch: &crosstune_core::EpochRecord| {
                [Some(epoch.train_loss), epoch.validation_loss]
            };
            epochs.iter().flat_map(both).flatten().collect()
        };
        let (kept, again) = (losses(Some(CacheBudget::default())), losses(None));
        assert_eq!(kept.len(), 4);
        for (kept, again) in kept.iter().zip(&again) {
            // A step of Adam is larger than the gradient that it follows.
            let off = (kept - again).abs() / kept.max(1.);
            assert!(off < 1e-4, "{}, {freeze}: {kept} kept, {again} anew", of.shown);
        }
    }
}

/// Trains; what is saved and what is traced say the same.
fn learns<M: Modality>(of: &Prepared<M>) {
    let (model, shown) = (of.model(Pool::Positions), &of.shown);
    let options = FitOptions {
        epochs: 8,
        batch_size: 6,
        lr: 3e-3,
        pretrained_lr: 1e-3,
        ..FitOptions::default()
    };
    let none = Samples::default();
    let fitted = fit(&model, &of.modality, &of.train, &none, &options, &mut |_| Ok(()));
    let epochs = fitted.unwrap_or_else(|e| panic!("{shown}: {e}")).epochs;
    let losses: Vec<f64> = epochs.iter().map(|epoch| epoch.train_loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite() && *loss > 0.), "{shown}: {losses:?}");
    assert!(losses[7] < 0.98 * losses[0], "{shown}: {losses:?}");

    let want = of.said(&model, &of.validation, 6);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("run");
    let writer = RunWriter::create(&place, false).unwrap();
    writer.finish(&model, &of.modality, &Value::Null).unwrap();
    let (again, modality) =
        run::open::<M>(&place, Device::Cpu).unwrap_or_else(|e| panic!("{shown}: {e}"));
    assert_eq!(again.spec(), model.spec(), "{shown}");
    let reopened = Prepared { modality, ..prepared_again(of) };
    for (want, got) in want.iter().zip(&reopened.said(&again, &of.validation, 6)) {
        same(want, got, WITHIN, shown);
    }

    let (file, example) = (folder.path().join("model.pt"), of.modality.example());
    export::torchscript(&model, &of.modality, &example, &file).unwrap();
    let traced = CModule::load(&file).unwrap();
    for rows in [1, 3] {
        let x = match example.x.kind() {
            Kind::Int64 => example.x.repeat([rows, 1]),
            kind => Tensor::randn([&[rows], &example.x.size()[1..]].concat(), (kind, Device::Cpu)),
        };
        let mask = example.attention_mask.as_ref().map(|mask| mask.repeat([rows, 1]));
        let inputs: Vec<Tensor> = [Some(x.shallow_clone()), mask.as_ref().map(Tensor::copy)]
            .into_iter()
            .flatten()
            .collect();
        tch::no_grad(|| {
            let batch = Batch { x, attention_mask: mask };
            let want = model.classifier().forward(&batch, false);
            assert_eq!((want.dim(), want.size()[0]), (3, rows), "{shown}");
            assert_eq!(want.size()[2], model.spec().labels.len() as i64, "{shown}");
            same(&want, &traced.forward_ts(&inputs).unwrap(), WITHIN, shown);
        });
    }
}

/// The same, to replace its settings.
fn prepared_again<M: Modality>(of: &Prepared<M>) -> Prepared<M> {
    Prepared {
        modality: of.modality.clone(),
        items: of.items.clone(),
        train: Samples::default(),
        validation: Samples::default(),
        source: Pretrained::open(of.source.checkpoint().path()).unwrap(),
        spec: of.spec.clone(),
        shown: of.shown.clone(),
    }
}

fn heard(source: &str) -> Prepared<AudioSettings> {
    // What AST takes at once is short.
    let samples = if source.ends_with("ast") { 1000 } else { 2000 };
    let sung = |text: &str| tones(text, samples);
    prepared(source, AudioSettings::new(AudioOptions::default()).unwrap(), transcribed(sung))
}

fn seen(source: &str) -> Prepared<ImageSettings> {
    prepared(source, ImageSettings::new(ImageOptions::default()).unwrap(), transcribed(line))
}

fn read(source: &str) -> Prepared<TextSettings> {
    let settings = match source.starts_with("text/") {
        true => TextSettings::new(None),
        false => TextSettings::new(Some(48)).with_units(Some(Units::Bytes)),
    };
    prepared(source, settings, tagged())
}

#[test]
fn what_is_kept_at_a_cut_is_what_would_be_computed() {
    for source in SOURCES {
        cuts(&heard(source));
        cuts(&seen(source));
        cuts(&read(source));
    }
}

#[test]
fn an_answer_is_the_one_without_company() {
    for source in SOURCES {
        company(&heard(source));
        company(&seen(source));
        company(&read(source));
    }
}

#[test]
fn an_answer_ends_with_its_recording() {
    // CLAP repeats a short one.
    let repeats = |source: &&str| source.ends_with("clap");
    SOURCES.iter().filter(|source| !repeats(source)).for_each(|source| ends(&heard(source)));
}

#[test]
fn trainings_on_kept_features_are_those_on_new_ones() {
    for source in SOURCES {
        cached(&heard(source));
        cached(&read(source));
    }
}

#[test]
fn recordings_are_transcribed_from_any_trunk() {
    SOURCES.iter().for_each(|source| learns(&heard(source)));
}

#[test]
fn lines_are_transcribed_from_any_trunk() {
    SOURCES.iter().for_each(|source| learns(&seen(source)));
}

#[test]
fn words_are_labelled_by_any_trunk() {
    SOURCES.iter().for_each(|source| learns(&read(source)));
}
