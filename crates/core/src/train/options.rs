//! How to train.

use serde::{Deserialize, Serialize};

use super::mixup::Mix;
use super::optim::ScheduleKind;
use super::phase::Phase;
use crate::error::{Error, Result};
use crate::loader::{Balance, CacheBudget, Order};
#[cfg(doc)]
use crate::random::seed;
use crate::task::Task;

/// How to train. The defaults are those of the binaries, which choose the two rates by what is fresh
/// and what trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitOptions {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples in a step.
    pub batch_size: usize,
    /// The peak learning rate of fresh parameters.
    pub lr: f64,
    /// The peak learning rate of pretrained parameters.
    pub pretrained_lr: f64,
    /// The share of all steps in which the rate rises.
    pub warmup: f64,
    /// How it goes on.
    pub schedule: ScheduleKind,
    /// The factor by which the rate of pretrained parameters falls from part to part downwards; 1:
    /// it does not.
    pub layer_decay: f64,
    /// Weight decay of matrices.
    pub weight_decay: f64,
    /// The largest norm of a step's gradient.
    pub clip_grad: f64,
    /// How strongly pretrained parameters are held to what they were (L2-SP, Li et al. 2018), in
    /// place of weight decay; 0: not at all.
    pub l2_sp: f64,
    /// Batches in a step: their gradients are averaged.
    pub accumulate: usize,
    /// The decay of a moving average of the parameters, which is what is evaluated and kept.
    pub ema: Option<f64>,
    /// Freeze what has settled (AutoFreeze, Liu et al. 2021): after each epoch, parts from below
    /// whose gradients changed least, up to this share of the parts.
    #[serde(alias = "settle")]
    pub auto_freeze: Option<f64>,
    /// What trains when; none: all the time what the model was left with.
    pub phases: Vec<Phase>,
    /// Of samples that are varied, so many variations are put through frozen parts and kept; 0: they
    /// are varied anew in each epoch, and nothing is kept.
    pub views: usize,
    /// End after this many steps, wherever they fall; `None`: after the last epoch.
    pub max_steps: Option<usize>,
    /// Stop after this many epochs without a better validation accuracy; `None`: never.
    pub patience: Option<usize>,
    /// The order of the training samples.
    pub order: Order,
    /// What is done about classes of different sizes.
    pub balance: Balance,
    /// Mixing the samples of a batch.
    pub mix: Mix,
    /// The share of each target that is spread evenly over all classes (Szegedy et al. 2016).
    pub label_smoothing: f64,
    /// Where the outputs of frozen parts are kept; `None`: they are computed anew in every epoch.
    #[serde(skip)]
    pub room: Option<CacheBudget>,
    /// Decides the fresh parameters (through [`seed`]), the order of samples, their variations and
    /// dropout.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 16,
            lr: 3e-3,
            pretrained_lr: 1e-4,
            warmup: 0.1,
            schedule: ScheduleKind::Cosine,
            layer_decay: 1.,
            weight_decay: 0.01,
            clip_grad: 1.,
            l2_sp: 0.,
            accumulate: 1,
            ema: None,
            auto_freeze: None,
            phases: vec![],
            views: 0,
            max_steps: None,
            patience: Some(5),
            order: Order::Shuffled,
            balance: Balance::Nothing,
            mix: Mix::default(),
            label_smoothing: 0.,
            room: Some(CacheBudget::default()),
            seed: 0,
        }
    }
}

impl FitOptions {
    /// All steps of a training on this many samples, if nothing stops it early.
    pub fn steps(&self, samples: usize) -> usize {
        let batches = samples.div_ceil(self.batch_size.max(1));
        let all = batches.div_ceil(self.accumulate.max(1)) * self.epochs;
        self.max_steps.map_or(all, |max| max.min(all))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first that cannot be used, by the name that the binaries give it.
    pub fn check(&self) -> Result<()> {
        let positive = |x: f64| x > 0. && x.is_finite();
        let not_negative = |x: f64| x >= 0. && x.is_finite();
        let share = |x: f64| (0.0..1.0).contains(&x);
        let problems = [
            ("--epochs", self.epochs > 0, "must be at least 1"),
            ("--batch-size", self.batch_size > 0, "must be at least 1"),
            ("--lr", positive(self.lr), "must be above 0"),
            ("--pretrained-lr", positive(self.pretrained_lr), "must be above 0"),
            ("--warmup", share(self.warmup), "must be a share from 0 to below 1"),
            ("--weight-decay", not_negative(self.weight_decay), "must not be negative"),
            ("--clip-grad", positive(self.clip_grad), "must be above 0"),
            (
                "--layer-decay",
                self.layer_decay > 0. && self.layer_decay <= 1.,
                "must be above 0 and at most 1",
            ),
            ("--l2-sp", not_negative(self.l2_sp), "must not be negative"),
            ("--accumulate", self.accumulate > 0, "must be at least 1"),
            ("--ema", self.ema.is_none_or(share), "must be from 0 to below 1"),
            (
                "--settle",
                self.auto_freeze.is_none_or(|x| x > 0. && x < 1.),
                "must be between 0 and 1",
            ),
            (
                "--epochs",
                self.phases.is_empty()
                    || self.phases.iter().map(|s| s.epochs).sum::<usize>() == self.epochs,
                "must be the sum of the phases'",
            ),
            ("--max-steps", self.max_steps != Some(0), "must be at least 1"),
            ("--patience", self.patience != Some(0), "must be at least 1"),
            ("--mixup", not_negative(self.mix.mixup), "must not be negative"),
            ("--cutmix", not_negative(self.mix.cutmix), "must not be negative"),
            ("--label-smoothing", share(self.label_smoothing), "must be a share from 0 to below 1"),
        ];
        match problems.into_iter().find(|(_, fine, _)| !fine) {
            Some((setting, _, problem)) => Err(Error::setting(setting, problem)),
            None => Ok(()),
        }
    }

    /// Checks that all options mean something for a task.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check_for(&self, task: Task) -> Result<()> {
        let regression = task == Task::Regression;
        let problems = [
            ("--balance", regression && self.balance != Balance::Nothing, "classes"),
            ("--cutmix", regression && self.mix.cutmix > 0., "classes"),
            ("--label-smoothing", regression && self.label_smoothing > 0., "classes"),
            (
                "--balance sampling",
                task == Task::MultiLabel && self.balance == Balance::Sampling,
                "one class for each sample",
            ),
        ];
        match problems.into_iter().find(|(_, wrong, _)| *wrong) {
            Some((setting, _, needed)) => {
                let problem = format!("it needs {needed}, which {task} does not have");
                Err(Error::setting(setting, problem))
            }
            None => Ok(()),
        }
    }
}
