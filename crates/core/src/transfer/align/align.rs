//! Bringing a new embedder near to what a trunk knows, before training (ORCA, Shen et al. 2023).

use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::otdd::Otdd;
use super::source::SourceFeatures;
use crate::error::{Error, Result};
use crate::loader::{Mode, RawInputs, Samples, chunks, load_batches};
use crate::modality::Modality;
use crate::model::{Model, TrainableGuard, is_running_stat};
use crate::random::Rng;
use crate::train::{AdamW, Schedule, ScheduleKind, clip_factor, gradient_norm};

/// What the messages name.
const ALIGN: &str = "--recipe orca";

/// How to align.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignOptions {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples of the target in a step. A class has to occur several times, so that its spread can be
    /// told.
    pub batch_size: usize,
    /// The most samples of the source in a step, drawn anew each time.
    pub source_samples: usize,
    /// The peak learning rate.
    pub lr: f64,
    /// The distance that is made small.
    pub distance: Otdd,
    /// Decides the order of samples and their variations.
    pub seed: u64,
}

impl Default for AlignOptions {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch_size: 128,
            source_samples: 256,
            lr: 1e-3,
            distance: Otdd::default(),
            seed: 0,
        }
    }
}

impl AlignOptions {
    fn check(&self) -> Result<()> {
        let problems = [
            (self.epochs > 0, "at least one epoch is needed"),
            (self.batch_size > 1, "a batch of at least 2 is needed"),
            (self.source_samples > 1, "at least 2 samples of the source are needed"),
            (self.lr > 0. && self.lr.is_finite(), "the learning rate must be above 0"),
            (self.distance.entropy > 0., "the entropy must be above 0"),
            (self.distance.rounds > 0, "Sinkhorn's iteration needs a round at least"),
        ];
        match problems.into_iter().find(|(good, _)| !good) {
            Some((_, problem)) => Err(Error::setting(ALIGN, problem)),
            None => Ok(()),
        }
    }
}

/// What aligning came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignReport {
    /// The distance before the first step, on a batch of training samples.
    pub before: f64,
    /// The same after the last.
    pub after: f64,
    /// The mean distance over the steps of each epoch.
    pub epochs: Vec<f64>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Trains the new parameters of a model's embedder, and nothing else, so that the distance between
/// what it emits of `train` and `source` becomes small. `observe` is told the number of each epoch,
/// counted from 1, and the mean distance over its steps. What trains afterwards is what trained
/// before.
///
/// # Errors
/// If the embedder is not new, if the source's features are of another width, if the distance stops
/// being a number, or if the observer fails.
pub fn align<M: Modality>(
    model: &Model,
    modality: &M,
    train: &Samples,
    source: &SourceFeatures,
    options: &AlignOptions,
    observe: &mut dyn FnMut(usize, f64) -> Result<()>,
) -> Result<AlignReport> {
    options.check()?;
    let width = model.spec().trunk.accepts().width();
    if source.width() != width {
        return Err(Error::setting(
            ALIGN,
            format!(
                "the source's features have the width {}, but its trunk takes the width {width}: take \
             those that `embed` wrote of these weights",
                source.width()
            ),
        ));
    }
    let trained = only_fresh_embedder(model)?;
    let start = Instant::now();
    let feed = RawInputs { modality, samples: train };
    let mut rng = Rng::seed_from_u64(options.seed);
    let classes = train.classes();
    if classes.len() != train.len() {
        return Err(Error::setting(
            ALIGN,
            "classes are aligned, and these samples have none; take another recipe",
        ));
    }
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut drawn: Vec<usize> = (0..source.len()).collect();
    drawn.shuffle(&mut rng);
    let measure = Measure {
        model,
        modality,
        train,
        classes: &classes,
        source: source.in_memory_subset(&drawn, options.source_samples),
        options,
    };
    let before = measure.distance()?;

    let total = options.epochs * train.len().div_ceil(options.batch_size);
    let schedule = Schedule::new(ScheduleKind::Cosine, 0.1, total);
    let mut optimizer = AdamW::new(model.store(), |_| 0., |_| 1.);
    let (mut step, mut epochs) = (0, vec![]);
    for epoch in 1..=options.epochs {
        order.shuffle(&mut rng);
        let lists: Vec<_> = chunks(&order, options.batch_size);
        let (mut sum, mut count) = (0., 0.);
        let purpose = Mode::Train { seed: options.seed, epoch };
        let device = model.classifier().device();
        load_batches(&feed, &lists, purpose, device, |chosen, prepared| {
            let batch = prepared.batch.to_device(device);
            let targets: Vec<i64> = chosen.iter().map(|&at| classes[at]).collect();
            drawn.shuffle(&mut rng);
            let some = source.in_memory_subset(&drawn, options.source_samples);
            let embedded = model.classifier().embed(&batch, true);
            let distance = some.distance(&embedded, &targets, &options.distance)?;
            let value = distance.double_value(&[]);
            if !value.is_finite() {
                return Err(Error::Diverged { step: step + 1, loss: value, lr: options.lr });
            }
            let gradients = optimizer.gradients(&distance)?;
            let factor = clip_factor(gradient_norm(&gradients), 1.);
            optimizer.step(&gradients, factor, options.lr * schedule.at(step))?;
            step += 1;
            sum += value * chosen.len() as f64;
            count += chosen.len() as f64;
            Ok(())
        })?;
        epochs.push(sum / count);
        observe(epoch, sum / count)?;
    }
    let after = measure.distance()?;
    drop(trained);
    Ok(AlignReport { before, after, epochs, seconds: start.elapsed().as_secs_f64() })
}

/// The distance on the same samples of both sides, each time.
struct Measure<'a, M> {
    model: &'a Model,
    modality: &'a M,
    train: &'a Samples,
    classes: &'a [i64],
    source: SourceFeatures,
    options: &'a AlignOptions,
}

impl<M: Modality> Measure<'_, M> {
    fn distance(&self) -> Result<f64> {
        let mut some: Vec<usize> = (0..self.train.len()).collect();
        some.shuffle(&mut Rng::seed_from_u64(self.options.seed));
        some.truncate(self.options.batch_size);
        let targets: Vec<i64> = some.iter().map(|&at| self.classes[at]).collect();
        let purpose = Mode::Train { seed: self.options.seed, epoch: 0 };
        let feed = RawInputs { modality: self.modality, samples: self.train };
        let mut distance = 0.;
        let device = self.model.classifier().device();
        load_batches(&feed, &[some], purpose, device, |_, prepared| {
            let batch = prepared.batch.to_device(device);
            let value = tch::no_grad(|| {
                let embedded = self.model.classifier().embed(&batch, false);
                self.source.distance(&embedded, &targets, &self.options.distance)
            })?;
            distance = value.double_value(&[]);
            Ok(())
        })?;
        Ok(distance)
    }
}

/// Lets the new parameters of the embedder alone train, until what comes back is dropped.
fn only_fresh_embedder(model: &Model) -> Result<TrainableGuard> {
    let report = model.report();
    let ours = |name: &str| name.starts_with("embed.") && report.is_fresh(name);
    if !report.fresh.iter().any(|name| ours(name)) {
        let problem = "the embedder is the source's own, so there is nothing to align; take \
                       fine-tune";
        return Err(Error::setting(ALIGN, problem));
    }
    let before = TrainableGuard::now(model);
    for (name, tensor) in model.store().variables() {
        let _ = tensor.set_requires_grad(ours(&name) && !is_running_stat(&name));
    }
    Ok(before)
}
