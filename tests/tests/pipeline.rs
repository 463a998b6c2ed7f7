//! The pipeline of samples: what comes out hangs on the seed alone.

use std::fs;

use crosstune_core::{
    DEFAULT_MEMORY, Dataset, FitOptions, LoadParts, Mix, Modality, Model, Order, Pretrained,
    ReadMode, Samples, Splits, evaluate, fit,
};
use crosstune_image::ImageSettings;
use tch::Device;

use crate::support::{command, ran, root, seeded, tiny_bert, train, words};

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let weights = |threads: &str| {
        let run = folder.path().join(threads);
        let data = root().join("crates/text/samples/digits");
        let mut command = command("text");
        command.env("RAYON_NUM_THREADS", threads).args(words![
            "train",
            "--weights",
            tiny_bert(),
            "--data",
            data,
            "--out",
            run,
            "--epochs",
            "2",
            "--limit-per-class",
            "8",
            "--group-by-length",
            "--mixup",
            "0",
            "--memory",
            "1K"
        ]);
        ran(&mut command).ok();
        fs::read(run.join("model.safetensors")).unwrap()
    };
    assert!(weights("1") == weights("7"));
}

#[test]
fn what_is_read_again_is_what_was_kept() {
    let run = |memory: usize| {
        let source = Pretrained::open(tiny_bert()).unwrap();
        let data = root().join("crates/image/samples/digits");
        let mut data = Dataset::open(data, &ImageSettings::layout()).unwrap();
        data.limit_per_class(6, 0).unwrap();
        let mut pictures = ImageSettings::default();
        let embedder = pictures.adopt(&source).unwrap();
        let (splits, bad) = Splits::read(&mut pictures, &data, memory, || ()).unwrap();
        assert!(bad.is_empty());
        let spec = ImageSettings::spec(&source, embedder, data.labels);
        let key_map = source.source().unwrap();
        let source = Some((&key_map, LoadParts::Body));
        let model = seeded(3, || Model::new(spec, &pictures, source, Device::Cpu).unwrap());
        let options = FitOptions {
            epochs: 2,
            mix: Mix { mixup: 0.2, cutmix: 1. },
            label_smoothing: 0.1,
            order: Order::ByLength,
            ..Default::default()
        };
        let train = &splits.train;
        fit(&model, &pictures, train, &Samples::default(), &options, &mut |_| Ok(())).unwrap();
        let test = evaluate(&model, &pictures, &splits.test, 32).unwrap();
        (splits.train.in_memory(), test)
    };
    let (all, kept) = run(DEFAULT_MEMORY);
    // A picture of 8 × 8 pixels has 64 bytes: the scale is measured on all 60, the test split is
    // read again.
    let (same, again) = run(60 * 64);
    assert_eq!((all, same), (60, 60));
    assert_eq!(kept, again);
}

#[test]
fn memory_holds_what_fits_and_no_more() {
    let data = root().join("crates/image/samples/digits");
    let data = Dataset::open(data, &ImageSettings::layout()).unwrap();
    let mut pictures = ImageSettings::default();
    pictures.survey(&data.test.iter().map(|i| &i.input).collect::<Vec<_>>());
    let mut memory = 10 * 64 + 63;
    let (samples, bad) =
        Samples::read(&pictures, &data.test, ReadMode::Inference, &mut memory, || ());
    assert!(bad.is_empty());
    assert_eq!((samples.len(), samples.in_memory(), memory), (data.test.len(), 10, 63));
    assert_eq!(samples.in_memory_subset(4).len(), 4);
    // Not the first ten, which would all be of one class.
    let targets: Vec<_> = data.test.iter().map(|i| i.target.clone()).collect();
    assert_eq!(samples.targets(), targets);
}

#[test]
fn what_cannot_be_mixed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let ran = train("text", &folder.path().join("run"), &["--mixup", "0.2", "--epochs", "1"]);
    assert!(ran.error(2).starts_with("--mixup: token ids cannot be mixed"));
    let ran = train("image", &folder.path().join("run"), &["--memory", "4X"]);
    assert!(ran.stderr.contains("expected a number of bytes such as 500M or 16G"));
    assert_eq!(ran.code, 2);
}
