//! A training that is stopped and goes on ends as one that was never stopped, to the last bit.

use std::{cell::Cell, collections::BTreeMap, path::Path};

use crosstune_core::{
    Balance, CheckpointEvery, Checkpoints, Error, FitOptions, FitReport, Mix, Model, Order, Phase,
    PhaseStart, Progress, Splits, fit, fit_resumable,
};
use crosstune_text::TextSettings;
use tch::Tensor;

use crate::support::tiny_sentences;

/// What drops out would be decided by libtorch's one generator, which other tests draw from, too.
fn ready(seed: u64) -> (Model, TextSettings, Splits) {
    tiny_sentences(4, 0.25, seed)
}

fn options(epochs: usize) -> FitOptions {
    FitOptions { epochs, batch_size: 8, lr: 1e-2, pretrained_lr: 1e-3, ..Default::default() }
}

fn values(model: &Model) -> BTreeMap<String, Tensor> {
    model.store().variables().into_iter().map(|(n, t)| (n, t.detach().copy())).collect()
}

/// The report without the times.
fn timeless(mut report: FitReport) -> FitReport {
    report.seconds = 0.;
    report.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
    report
}

/// Trains with a stop after every step, each time with everything made anew.
fn stopped(options: &FitOptions, folder: &Path) -> (Model, FitReport, usize) {
    for stops in 0..1_000 {
        let (model, sentences, splits) = ready(3);
        // Before its first step, it would not get anywhere.
        let stepped = Cell::new(false);
        let checkpoints =
            Checkpoints::new(folder).every(CheckpointEvery::Never).stop_when(|| stepped.get());
        let samples = [&splits.train, &splits.validation];
        let mut resumed = false;
        let mut observe = |progress: Progress<'_>| {
            resumed |= matches!(progress, Progress::Resumed { .. });
            stepped.set(stepped.get() || matches!(progress, Progress::Step { .. }));
            Ok(())
        };
        let fitted =
            fit_resumable(&model, &sentences, samples, options, &checkpoints, &mut observe);
        assert_eq!(resumed, stops > 0);
        match fitted {
            Ok(report) => return (model, report, stops),
            Err(Error::Interrupted { checkpoint }) => assert!(checkpoint.is_dir()),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it does not end");
}

fn phase(freeze: &str, epochs: usize, schedule: PhaseStart) -> Phase {
    Phase { schedule, ..Phase::of(freeze.parse().unwrap(), epochs) }
}

#[test]
fn stopped_after_every_step_a_training_ends_with_the_same_bits() {
    let (on, anew) = (PhaseStart::Continue, PhaseStart::Restart);
    let gradual =
        vec![phase("embedder,trunk", 1, on), phase("below:1", 2, on), phase("none", 1, on)];
    let probed = vec![phase("embedder,trunk", 2, anew), phase("none", 2, anew)];
    let sampling = Balance::Sampling;
    let all = [
        ("plain", options(3)),
        ("gradual", FitOptions { phases: gradual.clone(), ..options(4) }),
        ("lp-ft", FitOptions { phases: probed, ema: Some(0.9), ..options(4) }),
        ("ema", FitOptions { ema: Some(0.5), ..options(2) }),
        ("accumulate", FitOptions { accumulate: 3, max_steps: Some(5), ..options(4) }),
        ("auto-freeze", FitOptions { auto_freeze: Some(0.9), patience: None, ..options(5) }),
        (
            "auto-freeze, ema",
            FitOptions { auto_freeze: Some(0.9), patience: None, ema: Some(0.9), ..options(5) },
        ),
        ("l2-sp", FitOptions { l2_sp: 0.1, layer_decay: 0.5, ..options(2) }),
        ("sampling", FitOptions { balance: sampling, max_steps: Some(7), ..options(3) }),
        ("by length", FitOptions { order: Order::ByLength, phases: gradual, ..options(4) }),
        ("patience", FitOptions { patience: Some(1), lr: 1e-6, pretrained_lr: 1e-6, ..options(6) }),
        ("weights", FitOptions { balance: Balance::Weights, label_smoothing: 0.1, ..options(2) }),
        (
            "again",
            FitOptions { cache_budget: None, phases: vec![phase("trunk", 2, on)], ..options(2) },
        ),
    ];
    for (name, options) in all {
        let (model, sentences, splits) = ready(3);
        let mut none = |_: Progress<'_>| Ok(());
        let report =
            fit(&model, &sentences, &splits.train, &splits.validation, &options, &mut none)
                .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (other, again, stops) = stopped(&options, folder.path());
        assert!(stops > 2, "{name}: {stops} stops");
        assert_eq!(timeless(again), timeless(report), "{name}, {stops} stops");
        let other = values(&other);
        for (tensor, value) in values(&model) {
            assert!(value.equal(&other[&tensor]), "{name}, {stops} stops: {tensor}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_training_is_refused_with_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("checkpoints");
    let refused = |options: &FitOptions, seed, change: &dyn Fn(&mut Splits), noted: &str| {
        let (model, sentences, mut splits) = ready(seed);
        change(&mut splits);
        let checkpoints = Checkpoints::new(&place).conditions(&noted).unwrap().stop_when(|| true);
        let samples = [&splits.train, &splits.validation];
        let fitted =
            fit_resumable(&model, &sentences, samples, options, &checkpoints, &mut |_| Ok(()));
        fitted.unwrap_err()
    };
    let usual = options(2);
    let same = |_: &mut Splits| ();
    for _ in 0..2 {
        let stopped = refused(&usual, 3, &same, "test");
        assert!(matches!(stopped, Error::Interrupted { .. }), "{stopped}");
    }
    let mixed = FitOptions { mix: Mix { mixup: 0.2, cutmix: 0. }, ..usual.clone() };
    let fewer = |splits: &mut Splits| splits.train.leave_out(&[0]);
    let others = |splits: &mut Splits| std::mem::swap(&mut splits.validation, &mut splits.test);
    for (error, wanted) in [
        (
            refused(&FitOptions { lr: 0.5, ..usual.clone() }, 3, &same, "test"),
            "lr: 0.01 then, 0.5 now",
        ),
        (refused(&mixed, 3, &same, "test"), "mix.mixup: 0.0 then, 0.2 now"),
        (refused(&usual, 4, &same, "test"), "of another model (parameters: "),
        (refused(&usual, 3, &fewer, "test"), "of other data (train."),
        (refused(&usual, 3, &others, "test"), "of other data (validation."),
        (refused(&usual, 3, &same, "other"), "\"test\" then, \"other\" now"),
    ] {
        assert!(error.is_usage_error());
        let said = error.to_string();
        assert!(said.contains(wanted) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn checkpoints_come_as_often_as_asked_and_change_nothing() {
    let (model, sentences, splits) = ready(3);
    let (train, validation) = (&splits.train, &splits.validation);
    let options = FitOptions { ema: Some(0.9), ..options(3) };
    let plain = fit(&model, &sentences, train, validation, &options, &mut |_| Ok(())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (every, count) in [
        (CheckpointEvery::Steps(2), 6),
        (CheckpointEvery::Epochs(1), 2),
        (CheckpointEvery::default(), 0),
        (CheckpointEvery::Never, 0),
    ] {
        let place = folder.path().join(every.to_string());
        let (model, sentences, splits) = ready(3);
        let samples = [&splits.train, &splits.validation];
        let checkpoints = Checkpoints::new(&place).every(every);
        let fitted =
            fit_resumable(&model, &sentences, samples, &options, &checkpoints, &mut |_| Ok(()));
        assert_eq!(timeless(fitted.unwrap()), timeless(plain.clone()), "{every}");
        let mut names = if count > 0 { crate::support::names(&place) } else { vec![] };
        assert_eq!(names.len(), count.min(2), "{every}: {names:?}");
        if count > 0 {
            assert_eq!(names.pop(), Some(format!("checkpoint-{count:06}")));
        }
    }
    // A checkpoint that cannot be written is told, and the training goes on.
    let place = folder.path().join("a file");
    std::fs::write(&place, "mine").unwrap();
    let (model, sentences, splits) = ready(3);
    let samples = [&splits.train, &splits.validation];
    let checkpoints = Checkpoints::new(place.join("below")).every(CheckpointEvery::Epochs(1));
    let mut told = vec![];
    let fitted = fit_resumable(&model, &sentences, samples, &options, &checkpoints, &mut |p| {
        if let Progress::Unsaved { error } = p {
            told.push(error.to_string());
        }
        Ok(())
    });
    // Whether there is one to go on from cannot be told either.
    match fitted {
        Ok(fitted) => {
            assert_eq!(timeless(fitted), timeless(plain));
            assert_eq!(told.len(), 2, "{told:?}");
        }
        Err(error) => assert!(error.to_string().contains("cannot read"), "{error}"),
    }
}
