//! The trainer: one step after another.

use std::collections::BTreeMap;

use tch::Tensor;

use super::auto_freeze::AutoFreeze;
use super::distributed;
use super::ema::Ema;
use super::loss_scaler::LossScaler;
use super::optim::{AdamW, AdamWState, ParamState, Schedule, clip_factor, gradient_norm};
use super::options::FitOptions;
use super::phase::Phase;
use super::rate_groups::{RateGroup, rate_groups};
use super::record::{StepOutput, Update};
use super::resume::{Parts, Resumable};
use crate::error::{Error, Result};
use crate::model::{Model, ModelPart, is_running_stat};
use crate::nn::{Batch, CutPoint, Logits};
use crate::task::{Objective, Targets};

/// The peak rate of a trainable parameter, given those of new and of pretrained parameters; the
/// latter decays per part from the top (Howard and Ruder 2018, §3.2).
pub fn peak_lr(model: &Model, layer_decay: f64, [lr, pretrained_lr]: [f64; 2], name: &str) -> f64 {
    if model.report().is_fresh(name) {
        return lr;
    }
    let depth = model.spec().trunk.depth();
    let below = match ModelPart::of(name, depth) {
        ModelPart::Embedder => depth + 1,
        ModelPart::Trunk(part) => depth - part,
        ModelPart::Head => 0,
    };
    pretrained_lr * layer_decay.powi(below as i32)
}

/// A model in training: the optimizer and the schedule.
#[derive(Debug)]
pub struct Trainer<'m> {
    model: &'m Model,
    optimizer: AdamW,
    schedule: Schedule,
    options: &'m FitOptions,
    /// The peak rate of new parameters, to which all others are in proportion.
    lr: f64,
    objective: Objective,
    /// Steps of the schedule.
    steps: usize,
    /// The sum of the gradients since the last step, each batch's times its samples.
    pending: Option<Pending>,
    /// Which parameters train at which rate, in proportion to `lr`; `None`: to be found anew.
    groups: Option<Vec<RateGroup>>,
    /// What the optimizer did after the last batch, if it had enough of them.
    pub(super) update: Option<Update>,
    /// The initial values of pretrained parameters, where L2-SP needs them.
    start: BTreeMap<String, Tensor>,
    pub(super) average: Option<Ema>,
    pub(super) scaler: Option<LossScaler>,
    pub(super) auto_freeze: Option<AutoFreeze>,
}

#[derive(Debug)]
struct Pending {
    gradients: Vec<Tensor>,
    samples: i64,
    batches: usize,
}

impl<'m> Trainer<'m> {
    /// A trainer for `total` steps of what [`Freeze::apply`](crate::model::Freeze::apply) left
    /// trainable.
    pub fn new(model: &'m Model, options: &'m FitOptions, total: usize) -> Self {
        let mut start = BTreeMap::new();
        if options.l2_sp > 0. {
            start = model.store().variables().into_iter().collect();
            start.retain(|name, _| !is_running_stat(name) && !model.report().is_fresh(name));
            start.values_mut().for_each(|value| *value = value.detach().copy());
        }
        let mut trainer = Self {
            model,
            optimizer: AdamW::new(model.store(), |_| 0., |_| 1.),
            schedule: Schedule::new(options.schedule, options.warmup, total),
            options,
            lr: options.lr,
            objective: Objective::new(
                model.spec().task_config(),
                options.label_smoothing,
                model.classifier().device(),
            ),
            steps: 0,
            pending: None,
            groups: None,
            update: None,
            start,
            average: None,
            scaler: LossScaler::of(options.precision),
            auto_freeze: None,
        };
        trainer.set_rates(options.lr, options.pretrained_lr);
        trainer
    }

    /// Sets the rates of all parameters; see [`peak_lr`].
    fn set_rates(&mut self, lr: f64, pretrained_lr: f64) {
        let (model, decay) = (self.model, self.options.layer_decay);
        let rate = |name: &str| peak_lr(model, decay, [lr, pretrained_lr], name) / lr;
        // L2-SP takes the place of weight decay.
        let decay = |name: &str| match self.start.contains_key(name) {
            true => 0.,
            false => self.options.weight_decay,
        };
        self.lr = lr;
        self.groups = None;
        self.optimizer.set_rates(self.model.store(), decay, rate);
    }

    /// Begins a phase, whose freezing has been applied. `total`: the steps of a schedule that
    /// starts with it, and the optimizer with it; `None`: the present ones go on.
    pub(super) fn begin(&mut self, phase: &Phase, total: Option<usize>) {
        let options = self.options;
        self.set_rates(
            phase.lr.unwrap_or(options.lr),
            phase.pretrained_lr.unwrap_or(options.pretrained_lr),
        );
        if let Some(total) = total {
            self.schedule = Schedule::new(options.schedule, options.warmup, total);
            self.steps = 0;
            self.optimizer.reset_state();
        }
    }

    /// Goes on with another peak rate of new parameters; all others stay in proportion.
    pub(super) fn set_rate(&mut self, lr: f64) {
        self.lr = lr;
    }

    /// Goes on with another set of trainable parameters.
    pub(super) fn refrozen(&mut self) {
        self.groups = None;
        self.optimizer.refresh_groups();
    }

    /// Sets weights of the classes or labels; see [`Objective::with_weights`].
    pub fn with_class_weights(self, weights: Tensor) -> Self {
        let weights = weights.to_device(self.model.classifier().device());
        Self { objective: self.objective.with_weights(weights), ..self }
    }

    /// One step on a batch with its targets, as [`Targets::stack`](crate::task::Targets::stack) or
    /// [`Mix::apply`](crate::train::Mix::apply) makes them. With the option `accumulate`, that many
    /// batches make a step.
    ///
    /// # Errors
    /// If the loss is not a number.
    pub fn step(&mut self, batch: &Batch, targets: &Targets) -> Result<StepOutput> {
        self.step_from(batch, CutPoint::Inputs, targets)
    }

    /// The same from the activations at a cut point.
    pub(super) fn step_from(
        &mut self,
        batch: &Batch,
        cut: CutPoint,
        targets: &Targets,
    ) -> Result<StepOutput> {
        self.update = None;
        let part = distributed::Part::begin(targets.len(), || self.objective.weight(targets))?;
        let classifier = self.model.classifier();
        // The loss, too: it is computed in f32 as PyTorch has it. What goes backward needs no guard.
        let precision = classifier.autocast();
        // What lies below everything that trains runs as in prediction, without gradients.
        let lowest = self.model.cut_point();
        let Logits { x: logits, attention_mask: mask } = if lowest > cut {
            let entering = classifier.forward_between(batch, cut, lowest);
            classifier.forward_from(&entering, lowest, true)
        } else {
            classifier.forward_from(batch, cut, true)
        };
        let loss = self.objective.loss(&logits, mask.as_ref(), targets);
        drop(precision);
        let (outcome, loss) = part.weigh(loss, self.objective.correct(&logits, targets))?;
        let scaled = self.scaler.as_ref().map(|scaler| scaler.scale(&loss));
        let gradients = self.optimizer.gradients(scaled.as_ref().unwrap_or(&loss));
        let mut gradients = gradients.map_err(distributed::explained)?;
        if self.options.accumulate == 1 {
            distributed::sum_gradients(&mut gradients)?;
        }
        let step = outcome.wait()?;
        if !step.loss.is_finite() {
            let (step, loss) = (self.steps + 1, step.loss);
            return Err(Error::Diverged { step, loss, lr: self.lr });
        }
        if self.options.accumulate == 1 {
            self.apply(gradients)?;
        } else {
            self.collect(gradients, step.samples)?;
        }
        Ok(step)
    }

    fn collect(&mut self, gradients: Vec<Tensor>, samples: i64) -> Result<()> {
        let scaled = gradients.into_iter().map(|mut g| match g.defined() {
            true => g.g_mul_scalar_(samples as f64),
            false => g,
        });
        let pending = match self.pending.take() {
            None => Pending { gradients: scaled.collect(), samples, batches: 1 },
            Some(before) => Pending {
                gradients: before
                    .gradients
                    .into_iter()
                    .zip(scaled)
                    .map(|(a, b)| sum(a, b))
                    .collect(),
                samples: before.samples + samples,
                batches: before.batches + 1,
            },
        };
        let whole = pending.batches == self.options.accumulate;
        self.pending = Some(pending);
        if whole { self.flush() } else { Ok(()) }
    }

    /// Whether no batch waits for others to make a step with.
    pub(super) fn is_between_steps(&self) -> bool {
        self.pending.is_none()
    }

    /// Makes a step of the accumulated batches, if there are any.
    pub(super) fn flush(&mut self) -> Result<()> {
        let Some(Pending { gradients, samples, .. }) = self.pending.take() else { return Ok(()) };
        let mean = gradients.into_iter().map(|mut g| match g.defined() {
            true => g.g_div_scalar_(samples as f64),
            false => g,
        });
        let mut mean: Vec<_> = mean.collect();
        distributed::sum_gradients(&mut mean)?;
        self.apply(mean)
    }

    fn apply(&mut self, mut gradients: Vec<Tensor>) -> Result<()> {
        if let Some(scaler) = &mut self.scaler
            && !scaler.unscale(&gradients)?
        {
            // The schedule goes on, so that it ends where it should.
            self.steps += 1;
            return Ok(());
        }
        // L2-SP (Li et al. 2018, eq. 2): the gradient of `α/2 · ‖w − w₀‖²`.
        for ((name, value), gradient) in self.optimizer.trained().zip(&mut gradients) {
            if let (Some(start), true) = (self.start.get(name), gradient.defined()) {
                let away = tch::no_grad(|| (value - start) * self.options.l2_sp);
                let _ = gradient.g_add_(&away);
            }
        }
        if let Some(auto_freeze) = &mut self.auto_freeze {
            auto_freeze.add(self.optimizer.trained(), &gradients);
        }
        let gradient_norm = gradient_norm(&gradients);
        let factor = clip_factor(gradient_norm, self.options.clip_grad);
        let lr = self.lr * self.schedule.at(self.steps);
        let trained = self.optimizer.multiples();
        let groups = self.groups.get_or_insert_with(|| {
            rate_groups(self.model, self.options.layer_decay != 1., trained)
        });
        let rates = groups.iter().map(|group| (group.name.clone(), lr * group.multiple)).collect();
        self.update = Some(Update { gradient_norm, rates });
        self.optimizer.step(&gradients, factor, lr)?;
        self.steps += 1;
        if let Some(average) = &mut self.average {
            average.update();
        }
        Ok(())
    }
}

/// The names of a trainer's parts in a checkpoint, and what those of its tensors begin with.
const STEPS: &str = "trainer.steps";
const SCALER: &str = "trainer.loss_scaler";
const OPTIMIZER: &str = "optimizer";
const MEANS: [&str; 2] = ["optimizer.means.", "optimizer.squares."];

/// Between steps: gradients that wait are not saved.
impl Resumable for Trainer<'_> {
    fn save(&self, to: &mut Parts) -> Result<()> {
        let AdamWState { params, groups } = self.optimizer.state();
        for (name, ParamState { means, .. }) in &params {
            for (prefix, mean) in MEANS.iter().zip(means) {
                to.put_tensor(format!("{prefix}{name}"), mean);
            }
        }
        let steps: BTreeMap<_, _> = params.iter().map(|(name, of)| (name, of.steps)).collect();
        to.put(OPTIMIZER, &(steps, groups))?;
        to.put(STEPS, &self.steps)?;
        to.put(SCALER, &self.scaler)?;
        self.average.as_ref().map_or(Ok(()), |average| average.save(to))?;
        self.auto_freeze.as_ref().map_or(Ok(()), |auto_freeze| auto_freeze.save(to))
    }

    fn load(&mut self, from: &Parts) -> Result<()> {
        let (steps, groups): (BTreeMap<String, i64>, _) = from.get(OPTIMIZER)?;
        let param = |(name, steps): (String, i64)| {
            let mean = |prefix: &str| from.tensor(&format!("{prefix}{name}"));
            let means = [mean(MEANS[0])?.shallow_clone(), mean(MEANS[1])?.shallow_clone()];
            Ok((name, ParamState { steps, means }))
        };
        let params = steps.into_iter().map(param).collect::<Result<_>>()?;
        self.optimizer.load_state(AdamWState { params, groups })?;
        self.groups = None;
        self.steps = from.get(STEPS)?;
        self.scaler = from.get(SCALER)?;
        self.average.as_mut().map_or(Ok(()), |average| average.load(from))?;
        self.auto_freeze.as_mut().map_or(Ok(()), |auto_freeze| auto_freeze.load(from))
    }
}

fn sum(mut a: Tensor, b: Tensor) -> Tensor {
    match (a.defined(), b.defined()) {
        (true, true) => a.g_add_(&b),
        (true, false) => a,
        (false, _) => b,
    }
}
