//! How a training goes: phases, what is kept of frozen parts, averages and pulls.

use std::collections::HashMap;

use crosstune_core::{
    Continues, Dataset, FitOptions, Fitted, Freeze, Layout, MEMORY, Modality, Model, Parts, Phase,
    Pretrained, Room, Spec, Splits, fit,
};
use crosstune_text::TextSettings;
use tch::{Device, Kind, Tensor};

use crate::support::{root, seeded, tiny_bert, train};

/// A model of sentences before and after a training.
struct Tuned {
    before: HashMap<String, Tensor>,
    after: HashMap<String, Tensor>,
    course: Fitted,
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
    let source = Pretrained::open(tiny_bert()).unwrap().with_dropout(0.).unwrap();
    let data = root().join("crates/text/samples/digits");
    let mut data = Dataset::open(data, &Layout::of::<TextSettings>()).unwrap();
    data.limit_per_class(6, 0).unwrap();
    data.hold_out(held_out, 0).unwrap();
    let mut sentences = TextSettings::default();
    let embedder = sentences.adopt(&source).unwrap();
    let (splits, _) = Splits::read(&mut sentences, &data, MEMORY, || ()).unwrap();
    let spec = Spec::new::<TextSettings>(&source, embedder, data.labels);
    let dialect = source.source().unwrap();
    let source = Some((&dialect, Parts::Body));
    let model = seeded(3, || Model::new(spec, &sentences, source, Device::Cpu).unwrap());
    freeze.parse::<Freeze>().unwrap().apply(model.store(), model.anatomy()).unwrap();
    let values = || -> HashMap<String, Tensor> {
        model.store().variables().into_iter().map(|(n, t)| (n, t.detach().copy())).collect()
    };
    let before = values();
    let (train, validation) = (&splits.train, &splits.validation);
    let course = fit(&model, &sentences, train, validation, options, &mut |_| Ok(())).unwrap();
    Tuned { before, after: values(), course }
}

fn options(epochs: usize) -> FitOptions {
    FitOptions { epochs, batch_size: 8, lr: 1e-2, pretrained_lr: 1e-3, ..Default::default() }
}

/// The figures of the course, without the times.
fn figures(course: &Fitted) -> Vec<(f64, Option<f64>)> {
    course.epochs.iter().map(|e| (e.train_loss, e.validation_loss)).collect()
}

#[test]
fn what_is_kept_of_frozen_parts_is_what_they_compute() {
    for freeze in ["embedder,trunk", "below:1", "below:2"] {
        let phase = |epochs| Phase::of(freeze.parse().unwrap(), epochs);
        let run = |phases, memory| {
            let room = Room { memory, ..Room::default() };
            tuned("nothing", &FitOptions { phases, room, ..options(3) }).course
        };
        // One epoch is computed as it comes.
        let again = run(vec![phase(1), phase(1), phase(1)], MEMORY);
        let memory = run(vec![phase(3)], MEMORY);
        let half = run(vec![phase(3)], 5_000);
        let file = run(vec![phase(3)], 0);
        assert_eq!(figures(&memory), figures(&file), "{freeze}");
        assert_eq!(figures(&memory), figures(&half), "{freeze}");
        let off = |(a, b): (&(f64, Option<f64>), &(f64, Option<f64>))| {
            (a.0 - b.0).abs() + (a.1.unwrap() - b.1.unwrap()).abs()
        };
        let off = figures(&memory).iter().zip(&figures(&again)).map(off).fold(0., f64::max);
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
    assert_eq!(figures(&plain.course), figures(&forgetful.course), "it forgets all but the last");
    assert!(plain.after.iter().all(|(name, t)| *t == forgetful.after[name]));
    let train = |t: &Tuned| t.course.epochs[1].train_loss;
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
    let phases = vec![head.clone(), Phase { schedule: Continues::Anew, ..phase("below:1", 2) }];
    let both = tuned_without(0., "nothing", &FitOptions { phases, ..options(3) });
    assert_eq!((both.moved("embed."), both.moved("trunk.blocks.0.")), (0., 0.));
    assert!(both.moved("trunk.blocks.1.") > 0. && both.moved("head.") > 0.);
    let wrong = FitOptions { phases: vec![head], ..options(3) };
    assert!(wrong.check().unwrap_err().to_string().starts_with("--epochs: "));
}

#[test]
fn what_has_settled_is_frozen() {
    // Nothing above the first block: what moves in it is all that tells.
    let run = |settle| tuned("nothing", &FitOptions { settle, patience: None, ..options(6) });
    let (all, some) = (run(None), run(Some(0.9)));
    assert_eq!(figures(&all.course)[..2], figures(&some.course)[..2], "two epochs to compare");
    assert_ne!(figures(&all.course), figures(&some.course));
    assert!(some.moved("embed.") < all.moved("embed."));
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
