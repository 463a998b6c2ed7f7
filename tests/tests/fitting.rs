//! How a training goes: phases, what is kept of frozen parts, averages and pulls; and which rate it goes
//! well at.

use std::collections::{BTreeMap, HashMap};

use crosstune_core::{
    CacheBudget, DEFAULT_MEMORY, FitOptions, FitReport, Freeze, Model, Phase, PhaseStart, Progress,
    Samples, Splits, SweepEnd, find_lr, fit,
};
use crosstune_text::TextSettings;
use tch::{Kind, Tensor};

use crate::support::{root, tiny_sentences, train, train_on};

/// A model of sentences before and after a training.
struct Tuned {
    before: HashMap<String, Tensor>,
    after: HashMap<String, Tensor>,
    history: FitReport,
}

impl Tuned {
    /// How far the parameters whose names begin so have moved.
    fn moved(&self, prefix: &str) -> f64 {
        let names = self.before.keys().filter(|name| name.starts_with(prefix));
        names.map(|name| distance(&self.before[name], &self.after[name])).sum()
    }
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().sum(Kind::Double).double_value(&[])
}

fn tuned(freeze: &str, options: &FitOptions) -> Tuned {
    tuned_without(0.2, freeze, options)
}

/// The same with another share held out for validation, by which the best epoch is chosen.
fn tuned_without(held_out: f64, freeze: &str, options: &FitOptions) -> Tuned {
    let (model, sentences, splits) = ready(held_out, freeze);
    let before = values(&model);
    let (train, validation) = (&splits.train, &splits.validation);
    let history = fit(&model, &sentences, train, validation, options, &mut |_| Ok(())).unwrap();
    Tuned { before, after: values(&model), history }
}

/// A tiny BERT with a fresh head and some sentences, of which a share is held out.
fn ready(held_out: f64, freeze: &str) -> (Model, TextSettings, Splits) {
    let (model, sentences, splits) = tiny_sentences(6, held_out, 3);
    freeze.parse::<Freeze>().unwrap().apply(model.store(), model.outline()).unwrap();
    (model, sentences, splits)
}

fn values(model: &Model) -> HashMap<String, Tensor> {
    model.store().variables().into_iter().map(|(n, t)| (n, t.detach().copy())).collect()
}

fn options(epochs: usize) -> FitOptions {
    FitOptions { epochs, batch_size: 8, lr: 1e-2, pretrained_lr: 1e-3, ..Default::default() }
}

/// The figures of the history, without the times.
fn figures(history: &FitReport) -> Vec<(f64, Option<f64>)> {
    history.epochs.iter().map(|e| (e.train_loss, e.validation_loss)).collect()
}

#[test]
fn what_is_kept_of_frozen_parts_is_what_they_compute() {
    for freeze in ["embedder,trunk", "below:1", "below:2"] {
        let phase = |epochs| Phase::of(freeze.parse().unwrap(), epochs);
        let run = |phases, memory| {
            let cache_budget = Some(CacheBudget { memory, ..CacheBudget::default() });
            tuned("nothing", &FitOptions { phases, cache_budget, ..options(3) }).history
        };
        // One epoch is computed as it comes.
        let again = run(vec![phase(1), phase(1), phase(1)], DEFAULT_MEMORY);
        let memory = run(vec![phase(3)], DEFAULT_MEMORY);
        let half = run(vec![phase(3)], 5_000);
        let file = run(vec![phase(3)], 0);
        assert_eq!(figures(&memory), figures(&file), "{freeze}");
        assert_eq!(figures(&memory), figures(&half), "{freeze}");
        let off = figures(&memory)
            .into_iter()
            .zip(figures(&again))
            .map(|(a, b)| (a.0 - b.0).abs() + (a.1.unwrap() - b.1.unwrap()).abs())
            .fold(0., f64::max);
        // Sentences are padded to other lengths, and so summed in another order.
        assert!(off < 1e-4, "{freeze}: {off}");
        assert_eq!(memory.frozen, again.frozen);
        assert_eq!(memory.frozen.len(), 64);
    }
}

#[test]
fn batches_together_are_one_batch() {
    let run = |batch_size, accumulate| {
        tuned("nothing", &FitOptions { batch_size, accumulate, ..options(1) })
    };
    let (whole, parts) = (run(16, 1), run(4, 4));
    let off: f64 = whole.after.iter().map(|(name, t)| distance(t, &parts.after[name])).sum();
    let moved = whole.moved("");
    assert!(off < 0.02 * moved, "{off} of {moved}");
    let apart = run(4, 1);
    let off: f64 = whole.after.iter().map(|(name, t)| distance(t, &apart.after[name])).sum();
    assert!(off > 0.1 * moved, "{off} of {moved}");
}

#[test]
fn an_average_is_what_is_evaluated_and_kept() {
    let run = |ema| tuned_without(0., "nothing", &FitOptions { ema, ..options(2) });
    let (plain, forgetful, slow) = (run(None), run(Some(0.)), run(Some(0.9999)));
    assert_eq!(figures(&plain.history), figures(&forgetful.history), "it forgets all but the last");
    assert!(plain.after.iter().all(|(name, t)| *t == forgetful.after[name]));
    let train = |t: &Tuned| t.history.epochs[1].train_loss;
    assert_eq!(train(&plain), train(&slow), "the average does not train");
    assert!(slow.moved("trunk.") < plain.moved("trunk."));
}

#[test]
fn pretrained_parameters_are_pulled_back_and_lower_ones_move_less() {
    let plain = tuned("nothing", &options(3));
    let pulled = tuned("nothing", &FitOptions { l2_sp: 1., ..options(3) });
    assert!(pulled.moved("trunk.") < 0.5 * plain.moved("trunk."), "{}", pulled.moved("trunk."));
    assert!(pulled.moved("head.") > 0.5 * plain.moved("head."));
    let decayed = tuned("nothing", &FitOptions { layer_decay: 0.1, ..options(3) });
    let share = |t: &Tuned| t.moved("trunk.blocks.0.") / t.moved("trunk.blocks.1.");
    assert!(share(&decayed) < 0.3 * share(&plain), "{} {}", share(&decayed), share(&plain));
}

#[test]
fn phases_train_what_they_say() {
    let phase = |freeze: &str, epochs| Phase::of(freeze.parse().unwrap(), epochs);
    let head = phase("embedder,trunk", 1);
    let phases = vec![head.clone(), Phase { schedule: PhaseStart::Restart, ..phase("below:1", 2) }];
    let both = tuned_without(0., "nothing", &FitOptions { phases, ..options(3) });
    assert_eq!((both.moved("embed."), both.moved("trunk.blocks.0.")), (0., 0.));
    assert!(both.moved("trunk.blocks.1.") > 0. && both.moved("head.") > 0.);
    let wrong = FitOptions { phases: vec![head], ..options(3) };
    assert!(wrong.check().unwrap_err().to_string().starts_with("--epochs: "));
}

#[test]
fn what_has_settled_is_frozen() {
    // Nothing above the first block: what moves in it is all that tells.
    let run = |settle| {
        tuned("nothing", &FitOptions { auto_freeze: settle, patience: None, ..options(6) })
    };
    let (all, some) = (run(None), run(Some(0.9)));
    assert_eq!(figures(&all.history)[..2], figures(&some.history)[..2], "two epochs to compare");
    assert_ne!(figures(&all.history), figures(&some.history));
    assert!(some.moved("embed.") < all.moved("embed."));
    // Averages of what was frozen later move on: what is kept of it is what does not.
    let averaged = |cache_budget| {
        let settle = FitOptions { auto_freeze: Some(0.9), patience: None, ..options(6) };
        tuned("nothing", &FitOptions { ema: Some(0.9), cache_budget, ..settle })
    };
    let [kept, anew] = [Some(CacheBudget::default()), None].map(averaged);
    assert_eq!(figures(&kept.history), figures(&anew.history));
}

#[test]
fn what_has_not_moved_yet_is_kept_with_averages_too() {
    let phase = |freeze: &str| Phase::of(freeze.parse().unwrap(), 2);
    let phases = vec![phase("embedder,trunk"), phase("none")];
    let options = FitOptions { phases, ema: Some(0.9), ..options(4) };
    let (model, sentences, splits) = ready(0.2, "nothing");
    let mut cached = 0;
    let mut observe = |progress: Progress<'_>| {
        cached += usize::from(matches!(progress, Progress::Cached { .. }));
        Ok(())
    };
    fit(&model, &sentences, &splits.train, &splits.validation, &options, &mut observe).unwrap();
    assert!(cached > 0);
}

#[test]
fn what_is_frozen_anyway_stays_so_when_more_is() {
    let folder = tempfile::tempdir().unwrap();
    let weights = root().join("crates/image/tests/fixtures/tiny-resnet-hf-basic");
    let args = ["--auto-freeze", "0.5", "--freeze", "norms", "--pretrained-lr", "1e-4"];
    let more = ["--epochs", "5", "--patience", "100", "--limit-per-class", "8", "--lr", "1e-3"];
    let run = folder.path().join("run");
    train_on(&weights, "image", &run, &[&args[..], &more].concat()).ok();
}

#[test]
fn recipes_run_as_they_say() {
    let folder = tempfile::tempdir().unwrap();
    for (recipe, phases) in [("lp-ft", 2), ("gradual", 3), ("linear-probe", 0), ("scratch", 0)] {
        let run = folder.path().join(recipe);
        let args = ["--recipe", recipe, "--epochs", "3", "--limit-per-class", "4"];
        let out = train("text", &run, &args);
        assert_eq!(out.code, 0, "{}", out.stderr);
        assert_eq!(out.stderr.matches("phase  ").count(), phases, "{}", out.stderr);
        let result = std::fs::read(run.join("result.json")).unwrap();
        let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
        assert_eq!(result["recipe"], recipe);
        assert_eq!(result["init"], if recipe == "scratch" { "random" } else { "pretrained" });
    }
    let run = folder.path().join("no");
    let no = train("text", &run, &["--recipe", "gradual", "--freeze", "trunk"]);
    assert!(no.error(2).starts_with("--freeze: the recipe gradual decides"));
    let no = train("text", &run, &["--recipe", "finetune"]);
    assert!(no.stderr.contains("expected fine-tune, linear-probe"), "{}", no.stderr);
}

#[test]
fn a_good_rate_is_found_and_nothing_is_changed() {
    let (model, sentences, splits) = ready(0.2, "trunk.blocks.0.*");
    let before = values(&model);
    let trains = || -> BTreeMap<String, bool> {
        model.store().variables().into_iter().map(|(n, t)| (n, t.requires_grad())).collect()
    };
    let trained = trains();
    let find = |options: &FitOptions, to| {
        find_lr(&model, &sentences, &splits.train, options, 1e-6, to, 80).unwrap()
    };
    let curve = find(&options(4), 1e3);
    assert_eq!(curve.end, SweepEnd::Diverged);
    let rates: Vec<f64> = curve.points.iter().map(|point| point.rate).collect();
    assert!((rates[0] / 1e-6 - 1.).abs() < 1e-9);
    let ratio = 1e9f64.powf(1. / 79.);
    assert!(rates.windows(2).all(|two| (two[1] / two[0] / ratio - 1.).abs() < 1e-9));
    for (name, value) in values(&model) {
        assert!(value.equal(&before[&name]), "{name} is what it was");
    }
    assert_eq!(trains(), trained);
    assert_eq!(find(&options(4), 1e3), curve, "the seed decides everything");

    // Phases say what trains, and the model is left as it was all the same.
    let phases = vec![Phase::of("nothing".parse().unwrap(), 1)];
    let phased = find(&FitOptions { phases, ..options(1) }, 1e3);
    assert_ne!(phased, curve);
    assert_eq!(phased.points[0].loss, curve.points[0].loss, "before the first step");
    assert_eq!(trains(), trained);

    // What is found trains better than far smaller and far larger rates.
    let loss = |lr| {
        let (model, sentences, splits) = ready(0.2, "trunk.blocks.0.*");
        let none = Samples::default();
        let options = FitOptions { lr, pretrained_lr: lr / 10., ..options(6) };
        let history = fit(&model, &sentences, &splits.train, &none, &options, &mut |_| Ok(()));
        history.unwrap().epochs.last().unwrap().train_loss
    };
    for rate in [curve.steepest.unwrap(), curve.tenth_of_least.unwrap()] {
        let found = loss(rate);
        assert!(found < loss(rate / 100.) && found < loss(rate * 100.), "{rate:e}: {found}");
    }
}

#[test]
fn a_sweep_that_cannot_be_made_is_one_line() {
    let (model, sentences, splits) = ready(0.2, "nothing");
    let said = |from, to, steps| {
        let train = &splits.train;
        let curve = find_lr(&model, &sentences, train, &options(1), from, to, steps);
        curve.unwrap_err().to_string()
    };
    assert!(said(0., 1., 100).starts_with("--find-lr: 0e0 to 1e0: must be above 0 and rising"));
    assert!(said(1., 1., 100).starts_with("--find-lr: 1e0 to 1e0: must be above 0 and rising"));
    assert!(said(1e-6, 1., 5).starts_with("--find-lr: 5 steps; at least 20 are needed"));
}
