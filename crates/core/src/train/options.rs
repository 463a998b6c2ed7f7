//! Training options.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::mixup::Mix;
use super::optim::ScheduleKind;
use super::phase::Phase;
use crate::error::{Error, Result};
use crate::libtorch::Precision;
use crate::loader::{Balance, CacheBudget, Order};
#[cfg(doc)]
use crate::random::seed;
use crate::task::Task;

/// Training options. The defaults are those of the binaries, which choose the two rates by which
/// parameters are new and which train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitOptions {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples in a step, of one process.
    pub batch_size: usize,
    /// Processes that train together: see [`distributed`](crate::distributed).
    #[serde(default = "one")]
    pub processes: usize,
    /// The peak learning rate of new parameters.
    pub lr: f64,
    /// The peak learning rate of pretrained parameters.
    pub pretrained_lr: f64,
    /// Warm-up, as a fraction of all steps.
    pub warmup: f64,
    /// The schedule after warm-up.
    pub schedule: ScheduleKind,
    /// Layer-wise learning-rate decay of pretrained parameters, per part from the top; 1: none.
    pub layer_decay: f64,
    /// Weight decay of matrices.
    pub weight_decay: f64,
    /// The largest gradient norm of a step: larger ones are clipped to it.
    pub clip_grad: f64,
    /// The strength of the penalty towards the pretrained weights (L2-SP, Li et al. 2018), instead
    /// of weight decay; 0: none.
    pub l2_sp: f64,
    /// Batches in a step: gradient accumulation. Their gradients are averaged.
    pub accumulate: usize,
    /// The decay of a moving average (EMA) of the parameters, which is what is evaluated and saved.
    pub ema: Option<f64>,
    /// AutoFreeze (Liu et al. 2021): after each epoch, freeze the lowest parts whose gradient norms
    /// have stabilised, up to this fraction of the parts.
    #[serde(alias = "settle")]
    pub auto_freeze: Option<f64>,
    /// The phases; none: one, which trains what is trainable in the model.
    pub phases: Vec<Phase>,
    /// Augmented views of each sample whose features are cached, to cycle through; 0: samples are
    /// augmented anew in each epoch, and nothing is cached.
    pub views: usize,
    /// Stop after this many steps, even within an epoch; `None`: after the last epoch.
    pub max_steps: Option<usize>,
    /// Stop after this many epochs without a better validation score; `None`: never.
    pub patience: Option<usize>,
    /// The order of the training samples.
    pub order: Order,
    /// How class imbalance is handled.
    pub balance: Balance,
    /// mixup and CutMix.
    pub mix: Mix,
    /// Label smoothing: the fraction of each target that is spread evenly over all classes (Szegedy
    /// et al. 2016).
    pub label_smoothing: f64,
    /// The budget of the feature cache; `None`: frozen layers are computed again in every epoch.
    #[serde(skip)]
    pub cache_budget: Option<CacheBudget>,
    /// The precision of the forward pass, in training and evaluation, and of cached features.
    #[serde(default)]
    pub precision: Precision,
    /// The random seed of new parameters (through [`seed`]), shuffling, augmentation and dropout.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 16,
            processes: 1,
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
            cache_budget: Some(CacheBudget::default()),
            precision: Precision::F32,
            seed: 0,
        }
    }
}

impl FitOptions {
    /// Samples in a step, of all processes together.
    pub fn global_batch_size(&self) -> usize {
        self.batch_size.max(1).saturating_mul(self.processes.max(1))
    }

    /// The number of steps of a training on this many samples, if nothing stops it early.
    pub fn steps(&self, samples: usize) -> usize {
        let batches = samples.div_ceil(self.global_batch_size());
        let all = batches.div_ceil(self.accumulate.max(1)).saturating_mul(self.epochs);
        self.max_steps.map_or(all, |max| max.min(all))
    }

    /// The number of batches of the same training, of which `accumulate` make a step, and those at the end
    /// of an epoch that are fewer, too.
    pub fn batches(&self, samples: usize) -> usize {
        let of_epoch = samples.div_ceil(self.global_batch_size());
        let accumulate = self.accumulate.max(1);
        let steps = of_epoch.div_ceil(accumulate).max(1);
        let most = self.max_steps.unwrap_or(usize::MAX);
        let (whole, more) = (most / steps, most % steps);
        match whole >= self.epochs {
            true => of_epoch.saturating_mul(self.epochs),
            false => whole * of_epoch + of_epoch.min(more * accumulate),
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first that cannot be used, by the name that the binaries give it.
    pub fn check(&self) -> Result<()> {
        let positive = |x: f64| x > 0. && x.is_finite();
        let not_negative = |x: f64| x >= 0. && x.is_finite();
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        let phases: usize = self.phases.iter().map(|phase| phase.epochs).sum();
        let (ema, auto_freeze) = (self.ema.unwrap_or(0.), self.auto_freeze.unwrap_or(0.5));
        let problems: [(_, &dyn Display, _, _); 18] = [
            ("--epochs", &self.epochs, self.epochs > 0, AT_LEAST_1),
            ("--batch-size", &self.batch_size, self.batch_size > 0, AT_LEAST_1),
            ("--lr", &self.lr, positive(self.lr), ABOVE_0),
            ("--pretrained-lr", &self.pretrained_lr, positive(self.pretrained_lr), ABOVE_0),
            ("--warmup", &self.warmup, fraction(self.warmup), FRACTION),
            ("--weight-decay", &self.weight_decay, not_negative(self.weight_decay), AT_LEAST_0),
            ("--clip-grad", &self.clip_grad, positive(self.clip_grad), ABOVE_0),
            (
                "--layer-decay",
                &self.layer_decay,
                self.layer_decay > 0. && self.layer_decay <= 1.,
                "must be above 0 and at most 1",
            ),
            ("--l2-sp", &self.l2_sp, not_negative(self.l2_sp), AT_LEAST_0),
            ("--accumulate", &self.accumulate, self.accumulate > 0, AT_LEAST_1),
            ("--ema", &ema, fraction(ema), FRACTION),
            (
                "--auto-freeze",
                &auto_freeze,
                auto_freeze > 0. && auto_freeze < 1.,
                "must be above 0 and below 1",
            ),
            (
                "--epochs",
                &self.epochs,
                self.phases.is_empty() || phases == self.epochs,
                "must be the sum of the phases' epochs",
            ),
            ("--max-steps", &0, self.max_steps != Some(0), AT_LEAST_1),
            ("--patience", &0, self.patience != Some(0), AT_LEAST_1),
            ("--mixup", &self.mix.mixup, not_negative(self.mix.mixup), AT_LEAST_0),
            ("--cutmix", &self.mix.cutmix, not_negative(self.mix.cutmix), AT_LEAST_0),
            ("--label-smoothing", &self.label_smoothing, fraction(self.label_smoothing), FRACTION),
        ];
        match problems.into_iter().find(|(_, _, fine, _)| !fine) {
            Some((setting, value, _, problem)) => {
                Err(Error::setting(setting, format!("{value}: {problem}")))
            }
            None => Ok(()),
        }
    }

    /// Checks that every option makes sense for a task.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check_for(&self, task: Task) -> Result<()> {
        let (none, sequence) = (task == Task::Regression, task.is_sequence());
        let unsmoothed = none || task == Task::Transcription;
        let balanced = self.balance != Balance::Nothing;
        let problems = [
            ("--balance", (none || sequence) && balanced, "one class or several labels"),
            ("--cutmix", (none || sequence) && self.mix.cutmix > 0., "classes of whole samples"),
            ("--mixup", sequence && self.mix.mixup > 0., "one answer for each sample"),
            ("--label-smoothing", unsmoothed && self.label_smoothing > 0., "classes"),
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

fn one() -> usize {
    1
}

const AT_LEAST_0: &str = "must be at least 0";

const AT_LEAST_1: &str = "must be at least 1";

const ABOVE_0: &str = "must be above 0";

const FRACTION: &str = "must be at least 0 and below 1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_epoch_leaves_makes_a_step_too() {
        let options =
            FitOptions { batch_size: 8, accumulate: 3, epochs: 4, ..FitOptions::default() };
        // Four batches an epoch: a step of three, and one of one.
        let of = |max_steps| {
            let options = FitOptions { max_steps, ..options.clone() };
            (options.steps(32), options.batches(32))
        };
        assert_eq!(of(None), (8, 16));
        assert_eq!([1, 2, 3, 6, 9].map(|most| of(Some(most)).1), [3, 4, 7, 12, 16]);
    }
}
