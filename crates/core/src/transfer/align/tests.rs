//! The distance against an independent computation, and what aligning does to a small model.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::align::{AlignOptions, align};
use super::otdd::{Covariance, Otdd};
use super::source::SourceFeatures;
use crate::error::Result;
use crate::loader::Samples;
use crate::modality::Modality;
use crate::model::Model;

// use super::*;
use crate::data::Input;
use crate::data::Item;
use crate::error::BoxError;
use crate::error::Location;
use crate::family::Pretrained;
use crate::loader::MemoryBudget;
use crate::loader::ReadMode;
use crate::nn::Batch;
use crate::nn::Embedder;
use crate::nn::EmbedderConfig;
use crate::nn::FeatureShape;
use crate::nn::Features;
use crate::nn::FrameEmbedder;
use crate::nn::FrameEmbedderConfig;
use crate::nn::HeadConfig;
use crate::nn::Pool;
use crate::nn::Positions;
use crate::nn::TransformerConfig;
use crate::nn::TrunkConfig;
use crate::random;
use crate::spec::FORMAT;
use crate::spec::Spec;
use crate::task::Target;
use crate::weights::Origin;
use crate::weights::VarBuilder;
use crate::weights::write;

/// `sin(w i (j + 1) + 0.3 j) · (1 + c / 2) + shift · cos(2 c + 1.3 j)` with the class `c = i mod
/// classes`.
fn case(samples: i64, width: i64, classes: i64, shift: f64, w: f64) -> (Tensor, Vec<i64>) {
    let double = (Kind::Double, Device::Cpu);
    let i = Tensor::arange(samples, double).unsqueeze(1);
    let j = Tensor::arange(width, double).unsqueeze(0);
    let targets: Vec<i64> = (0..samples).map(|i| i % classes).collect();
    let class = Tensor::from_slice(&targets).to_kind(Kind::Double).unsqueeze(1);
    let wave: Tensor = (&i * w * (&j + 1.) + &j * 0.3).sin();
    (wave * (&class * 0.5 + 1.) + (class * 2. + j * 1.3).cos() * shift, targets)
}

fn otdd(covariance: Covariance) -> Otdd {
    Otdd { covariance, entropy: 0.1, rounds: 5000 }
}

/// Against NumPy: the classes' distances by SciPy's `sqrtm` of their covariances, the plan by
/// `ot.sinkhorn(…, reg=0.1 * cost.mean(), method="sinkhorn_log", stopThr=1e-14)` of POT.
#[test]
fn the_distance_is_otdd() {
    let (a, a_labels) = case(24, 3, 2, 0.8, 0.7);
    let (b, b_labels) = case(30, 3, 3, 1.1, 0.45);
    for (covariance, want) in
        [(Covariance::Full, 4.880_999_881_679_409), (Covariance::Diagonal, 4.843_858_832_465_922)]
    {
        let between = |a: (&Tensor, &[i64]), b: (&Tensor, &[i64])| {
            otdd(covariance).distance(a, b).unwrap().double_value(&[])
        };
        let got = between((&a, &a_labels), (&b, &b_labels));
        assert!((got - want).abs() < 1e-5, "{covariance:?}: {got}, not {want}");
        let back = between((&b, &b_labels), (&a, &a_labels));
        assert!((got - back).abs() < 1e-5, "{got} there, {back} back");
    }
}

#[test]
fn labels_matter_and_their_names_do_not() {
    let (a, labels) = case(24, 3, 3, 1.5, 0.7);
    let by = otdd(Covariance::Full);
    let between =
        |other: &[i64]| by.distance((&a, &labels), (&a, other)).unwrap().double_value(&[]);
    let same = between(&labels);
    let renamed: Vec<i64> = labels.iter().map(|l| (l + 1) % 3 + 10).collect();
    assert!((between(&renamed) - same).abs() < 1e-9);
    let mixed: Vec<i64> = (0..24).map(|i| i / 8).collect();
    assert!(between(&mixed) > same + 0.1, "{} with other classes, {same}", between(&mixed));
}

/// The gradient, by finite differences of the cost of a constant plan.
#[test]
fn gradients_lead_down() {
    let (a, a_labels) = case(24, 3, 2, 0.8, 0.7);
    let (b, b_labels) = case(30, 3, 3, 1.1, 0.45);
    for covariance in [Covariance::Full, Covariance::Diagonal] {
        let by = otdd(covariance);
        let moved = a.copy().set_requires_grad(true);
        let before = by.distance((&moved, &a_labels), (&b, &b_labels)).unwrap();
        let gradient = Tensor::run_backward(&[&before], &[&moved], false, false).remove(0);
        assert!(gradient.isfinite().all().int64_value(&[]) == 1);
        let lower = &a - &gradient * 0.2;
        let after = by.distance((&lower, &a_labels), (&b, &b_labels)).unwrap();
        let (before, after) = (before.double_value(&[]), after.double_value(&[]));
        assert!(after < before, "{covariance:?}: from {before} to {after}");
    }
}

#[test]
fn features_go_to_a_file_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.safetensors");
    let (features, targets) = case(6, 3, 2, 0.8, 0.7);
    SourceFeatures::labelled(&features, &targets).save(&path).unwrap();
    let SourceFeatures::Labelled { features: read, targets: labels } =
        SourceFeatures::open(&path).unwrap()
    else {
        panic!("no labels");
    };
    assert_eq!(labels, targets);
    assert!((read - features).abs().max().double_value(&[]) < 1e-6);
    // Other tensors are refused.
    write::write_tensors(
        [("weight".to_string(), Tensor::ones([2, 2], (Kind::Float, Device::Cpu)))],
        &path,
    )
    .unwrap();
    let error = SourceFeatures::open(&path).unwrap_err().to_string();
    assert!(error.contains("expected the tensors features [N, D]"), "{error}");
}

/// Inputs that are texts of a class and a number; a sample is 4 frames of 3 features.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Waves;

impl Modality for Waves {
    const NAME: &'static str = "waves";
    const SAMPLES: &'static str = "waves";
    const EXTENSIONS: &'static [&'static str] = &["wave"];

    fn adopt(&mut self, _: &Pretrained) -> Result<Origin> {
        Ok(Origin::Fresh)
    }
    fn read(&self, input: &Input) -> Result<Tensor, BoxError> {
        let Input::Text(text) = input else { return Err("not a text".into()) };
        let number: i64 = text.parse()?;
        let (waves, _) = case(4 * (number + 1), 3, 2, 0., 0.7);
        Ok((waves.narrow(0, 4 * number, 4) + (number % 2) as f64).to_kind(Kind::Float))
    }
    fn batch(&self, samples: &[&Tensor]) -> Batch {
        Batch { x: Tensor::stack(samples, 0), attention_mask: None }
    }
    fn example(&self) -> Batch {
        Batch { x: Tensor::zeros([1, 4, 3], (Kind::Float, Device::Cpu)), attention_mask: None }
    }
    fn embedder(&self, vb: VarBuilder<'_>, form: FeatureShape) -> Result<Box<dyn Embedder>> {
        let config = FrameEmbedderConfig { features: 3, positions: Positions::Sequence(4) };
        Ok(Box::new(FrameEmbedder::new(vb, config, form)?))
    }
}

fn waves(count: usize) -> Samples {
    let item = |i: usize| {
        let place = Location { path: std::path::Path::new("waves").into(), line: Some(i as u64) };
        Item { target: Target::Class(i % 2), ..Item::text(i.to_string(), place) }
    };
    let items: Vec<Item> = (0..count).map(item).collect();
    let (samples, bad) = Samples::read(
        &Waves,
        &items,
        ReadMode::Training,
        &mut MemoryBudget::new(usize::MAX),
        || (),
    );
    assert!(bad.is_empty(), "{bad:?}");
    samples
}

fn model() -> Model {
    random::seed(1);
    let trunk = TransformerConfig { heads: 2, mlp: 16, ..TransformerConfig::of(8, 1) };
    let spec = Spec {
        format: FORMAT,
        modality: "waves".into(),
        family: "vit".into(),
        embedder: Origin::Fresh,
        embedder_config: EmbedderConfig::FromModality,
        trunk: TrunkConfig::Transformer(trunk),
        pool: Pool::Mean,
        head: HeadConfig::default(),
        task: Default::default(),
        scales: vec![],
        vocabulary: None,
        calibration: None,
        lora: None,
        labels: vec!["0".into(), "1".into()],
    };
    Model::new(spec, &Waves, None, Device::Cpu).unwrap()
}

#[test]
fn aligning_trains_the_new_embedder_alone_and_reduces_the_distance() {
    let train = waves(32);
    let (features, targets) = case(40, 8, 2, 2., 0.45);
    let by_weights = SourceFeatures::Gaussian { mean: features.get(0), std: features.get(1).abs() };
    for source in [SourceFeatures::labelled(&features, &targets), by_weights] {
        let model = model();
        let frozen = model.store().variables()["head.weight"].set_requires_grad(false);
        let before: Vec<(String, Tensor)> =
            model.store().variables().into_iter().map(|(n, t)| (n, t.detach().copy())).collect();
        let options = AlignOptions {
            epochs: 8,
            batch_size: 16,
            lr: 0.04,
            distance: Otdd { rounds: 100, ..Otdd::default() },
            ..AlignOptions::default()
        };
        let mut seen = vec![];
        let report = align(&model, &Waves, &train, &source, &options, &mut |epoch, distance| {
            seen.push((epoch, distance));
            Ok(())
        })
        .unwrap();
        assert!(report.after < 0.7 * report.before, "{report:?}");
        assert_eq!(seen.len(), 8);
        assert_eq!(seen.iter().map(|s| s.1).collect::<Vec<_>>(), report.epochs);
        for (name, old) in before {
            let now = &model.store().variables()[&name];
            assert_eq!(now.equal(&old), !name.starts_with("embed."), "{name}");
            assert_eq!(now.requires_grad(), name != "head.weight", "{name}");
        }
        assert!(!frozen.requires_grad());
        let same = align(&self::model(), &Waves, &train, &source, &options, &mut |_, _| Ok(()));
        assert_eq!(same.unwrap().epochs, report.epochs, "the seed decides everything");
    }
}

#[test]
fn what_cannot_be_aligned_is_named() {
    let (model, train) = (model(), waves(8));
    let (features, targets) = case(10, 5, 2, 2., 0.45);
    let source = SourceFeatures::labelled(&features, &targets);
    let mut ignore = |_, _| Ok(());
    let error = align(&model, &Waves, &train, &source, &AlignOptions::default(), &mut ignore);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("width 5") && error.contains("width 8"), "{error}");
    let options = AlignOptions { epochs: 0, ..AlignOptions::default() };
    let error = align(&model, &Waves, &train, &source, &options, &mut ignore).unwrap_err();
    assert!(error.to_string().starts_with("--recipe orca: "), "{error}");
}

/// The embedder's own statistics, measured as the distance measures them.
#[test]
fn at_its_own_statistics_the_distance_is_zero() {
    let (model, train) = (model(), waves(16));
    let samples = train.subset(&Waves, ReadMode::Training, 16).unwrap();
    let batch = Waves.batch(&samples.iter().collect::<Vec<_>>());
    let embedded = tch::no_grad(|| model.classifier().encoder().embed(&batch, false));
    let Features::Sequence(sequence) = &embedded else { panic!("not a sequence") };
    let x = sequence.x.reshape([-1, 8]).to_kind(Kind::Double);
    let over = [0i64].as_slice();
    let source = SourceFeatures::Gaussian {
        mean: x.mean_dim(over, false, None),
        std: x.std_dim(over, false, false),
    };
    let distance = source.distance(&embedded, &train.classes(), &Otdd::default()).unwrap();
    assert!(distance.double_value(&[]) < 1e-10, "{distance}");
}
