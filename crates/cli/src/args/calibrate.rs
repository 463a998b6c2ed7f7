//! How far probabilities are to be trusted: what is fitted after a training, and what answers make of it.

use anyhow::Result;
use clap::{Args, ValueEnum};
use crosstune_core::task::{CalibrationMethod, PredictionSets, ThresholdMethod};
use crosstune_core::{Model, Task};

use super::setting::setting;

/// What is fitted on the validation split after a training.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Calibration")]
pub(crate) struct CalibrateArgs {
    /// How to correct the probabilities of classes or labels, by the validation split; no class changes
    /// [default: temperature]
    #[arg(long, value_enum, value_name = "METHOD")]
    calibrate: Option<CalibrateArg>,
    /// Probability above which a label of a multi-label model applies [default: best-f1]
    #[arg(long, value_enum, value_name = "HOW")]
    thresholds: Option<ThresholdsArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CalibrateArg {
    /// Temperature scaling: all logits are divided by one number
    Temperature,
    /// Leave them as the model gives them
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ThresholdsArg {
    /// 0.5 for every label
    #[value(name = "0.5")]
    Half,
    /// For each label that of its best F1 on the validation split, if 10 samples or more have it there
    /// and 10 have it not
    BestF1,
}

impl CalibrateArgs {
    /// What to fit for a task.
    ///
    /// # Errors
    /// If the task has no such thing.
    pub(crate) fn methods(&self, task: Task) -> Result<(CalibrationMethod, ThresholdMethod)> {
        if self.calibrate.is_some() && !matches!(task, Task::SingleLabel | Task::MultiLabel) {
            let problem =
                format!("it needs classes or labels of whole samples, not {task}; leave it out");
            return Err(setting("--calibrate", problem));
        }
        if self.thresholds.is_some() && task != Task::MultiLabel {
            let problem = format!("it needs --task multi-label, not {task}; leave it out");
            return Err(setting("--thresholds", problem));
        }
        let method = match self.calibrate {
            Some(CalibrateArg::None) => CalibrationMethod::None,
            Some(CalibrateArg::Temperature) | None => CalibrationMethod::Temperature,
        };
        let threshold = match self.thresholds {
            Some(ThresholdsArg::Half) => ThresholdMethod::Half,
            Some(ThresholdsArg::BestF1) | None => ThresholdMethod::BestF1,
        };
        Ok((method, threshold))
    }
}

/// What answers make of what was fitted.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Calibration")]
pub(crate) struct CertaintyArgs {
    /// Give the set of classes that holds the right one with this probability, for example 0.95
    /// (conformal prediction, by the training's validation split). A set can be empty
    #[arg(long, value_name = "LEVEL", conflicts_with = "uncalibrated")]
    pub(crate) set: Option<f64>,
    /// Answer with the model's own probabilities, and with the labels above 0.5: as if nothing had been
    /// fitted on the training's validation split
    #[arg(long)]
    pub(crate) uncalibrated: bool,
}

impl CertaintyArgs {
    /// The model as it is to answer, and the sets that it is to answer with, if any.
    ///
    /// # Errors
    /// If the sets cannot be of the level, or of this model at all.
    pub(crate) fn apply(&self, model: Model) -> Result<(Model, Option<PredictionSets>)> {
        if self.uncalibrated {
            return Ok((model.with_calibration(None), None));
        }
        let Some(level) = self.set else { return Ok((model, None)) };
        let spec = model.spec();
        if spec.task != Task::SingleLabel {
            let problem = format!(
                "this model does {}, and sets are of classes, one of which is right; leave it out",
                spec.task
            );
            return Err(setting("--set", problem));
        }
        let Some(calibration) = &spec.calibration else {
            let problem = "nothing was fitted on a validation split of this model (it has no \
                           calibration.json), so no set has a known coverage; train it with one";
            return Err(setting("--set", problem));
        };
        let sets = calibration.sets(level)?;
        Ok((model, Some(sets)))
    }
}
