//! How to train.

use serde::{Deserialize, Serialize};

use crate::{Error, Mix, Result};
#[cfg(doc)]
use crate::{data::balance, seed};

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
    /// Weight decay of matrices.
    pub weight_decay: f64,
    /// The largest norm of a step's gradient.
    pub clip_grad: f64,
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
    /// Decides the fresh parameters (through [`seed`]), the order of samples, their variations and
    /// dropout.
    pub seed: u64,
}

/// The order of the training samples, new in every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// At random.
    #[default]
    Shuffled,
    /// At random, but with batches of samples of about the same length, so that little is padded.
    ByLength,
}

/// What is done about classes of different sizes; see [`balance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Nothing: each sample counts the same.
    #[default]
    Nothing,
    /// In the loss, samples of small classes count more.
    Weights,
    /// Samples of small classes come more often, those of large ones not all in an epoch.
    Sampling,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 16,
            lr: 3e-3,
            pretrained_lr: 1e-4,
            warmup: 0.1,
            weight_decay: 0.01,
            clip_grad: 1.,
            max_steps: None,
            patience: Some(5),
            order: Order::Shuffled,
            balance: Balance::Nothing,
            mix: Mix::default(),
            label_smoothing: 0.,
            seed: 0,
        }
    }
}

impl FitOptions {
    /// All steps of a training on this many samples, if nothing stops it early.
    pub fn steps(&self, samples: usize) -> usize {
        let all = samples.div_ceil(self.batch_size) * self.epochs;
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
            ("--max-steps", self.max_steps != Some(0), "must be at least 1"),
            ("--patience", self.patience != Some(0), "must be at least 1"),
            ("--mixup", not_negative(self.mix.mixup), "must not be negative"),
            ("--cutmix", not_negative(self.mix.cutmix), "must not be negative"),
            ("--label-smoothing", share(self.label_smoothing), "must be a share from 0 to below 1"),
        ];
        match problems.into_iter().find(|(_, fine, _)| !fine) {
            Some((setting, _, problem)) => Err(Error::Setting { setting, problem: problem.into() }),
            None => Ok(()),
        }
    }
}
