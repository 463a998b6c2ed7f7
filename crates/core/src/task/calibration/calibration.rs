//! What was fitted on the validation split, as `calibration.json` holds it.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::conformal::{ConformalScores, PredictionSets};
use super::{temperature, thresholds};
use crate::error::{Error, Result};
use crate::task::target::Target;
use crate::task::targets::Targets;
use crate::task::task::Task;

/// The version of the file's format.
const FORMAT: u32 = 1;

/// How a model's probabilities are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CalibrationMethod {
    /// All logits are divided by one number (Guo et al. 2017, §4.2).
    #[default]
    Temperature,
    /// They are left as they are.
    None,
}

/// From which probability on a label applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThresholdMethod {
    /// From 0.5 on.
    Half,
    /// From the probability on with which the label has its best F1; with fewer than
    /// [10](Calibration::LEAST) samples that have it, or that have it not, from 0.5 on.
    #[default]
    BestF1,
}

/// What was fitted on the validation split of a training. That split has chosen the epoch, too, so that
/// its figures flatter a little; those of a test split do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The version of the file's format.
    format: u32,
    /// How many samples it was fitted on; 0, if that is not known.
    pub samples: usize,
    /// What the logits of classes, or the log odds of labels, are divided by. Above 1, the model was too
    /// sure. `None`: they are left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Where the temperature lies with 95 %, as far as so few samples can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_interval: Option<[f64; 2]>,
    /// Of labels, the calibrated probability above which each applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f64>,
    /// Of classes, what sets of them are made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conformal: Option<ConformalScores>,
}

impl Calibration {
    /// How many samples must have a label, and how many not, for a threshold of its own.
    pub const LEAST: usize = 10;

    /// Fits it to a model's scores of samples, `[N, answers]` as
    /// [`Scores::Rows`](crate::task::Scores::Rows) has them, and to their targets. `None`: no samples,
    /// or the task is not one of classes or labels of whole samples.
    ///
    /// # Errors
    /// If the scores are not those of the task.
    pub fn fit<'t>(
        task: Task,
        scores: &Tensor,
        targets: impl Iterator<Item = &'t Target> + Clone,
        method: CalibrationMethod,
        threshold: ThresholdMethod,
    ) -> Result<Option<Self>> {
        let samples = targets.clone().count();
        if samples == 0 || !matches!(task, Task::SingleLabel | Task::MultiLabel) {
            return Ok(None);
        }
        let (scores, targets) = (scores.to_kind(Kind::Double), Targets::stack(targets).x);
        let scale = method == CalibrationMethod::Temperature;
        let fitted = match task {
            Task::SingleLabel => scale.then(|| temperature::of_classes(&scores, &targets)),
            _ => scale.then(|| temperature::of_labels(&scores, &targets)),
        }
        .flatten();
        let mut calibration = Self {
            format: FORMAT,
            samples,
            temperature: fitted.as_ref().map(|fitted| fitted.temperature),
            temperature_interval: fitted.and_then(|fitted| fitted.interval),
            thresholds: vec![],
            conformal: None,
        };
        match task {
            Task::SingleLabel => {
                let logs = calibration.log_probabilities(&scores);
                let own = -logs.gather(1, &targets.unsqueeze(-1), false).squeeze_dim(-1);
                calibration.conformal = Some(ConformalScores::of(Vec::try_from(own)?));
            }
            _ if threshold == ThresholdMethod::BestF1 => {
                let columns = |of: Tensor| Vec::<Vec<f64>>::try_from(of.tr().contiguous());
                let probabilities = columns(calibration.log_odds(&scores).sigmoid())?;
                let truth = columns(targets.to_kind(Kind::Double))?;
                let label = |(p, truth): (&Vec<f64>, &Vec<f64>)| {
                    let truth: Vec<bool> = truth.iter().map(|&applies| applies > 0.5).collect();
                    thresholds::best_f1(p, &truth, Self::LEAST)
                };
                calibration.thresholds = probabilities.iter().zip(&truth).map(label).collect();
            }
            _ => {}
        }
        Ok(Some(calibration))
    }

    /// A temperature alone, which was fitted elsewhere.
    pub fn of_temperature(temperature: f64) -> Self {
        Self {
            format: FORMAT,
            samples: 0,
            temperature: Some(temperature),
            temperature_interval: None,
            thresholds: vec![],
            conformal: None,
        }
    }

    /// The logarithms of the calibrated probabilities of classes, `[N, classes]`, f64, of those of the
    /// model, or of its logits. The order of the classes stays.
    pub(crate) fn log_probabilities(&self, scores: &Tensor) -> Tensor {
        (scores.to_kind(Kind::Double) / self.divisor()).log_softmax(-1, Kind::Double)
    }

    /// The calibrated log odds of labels, `[N, labels]`, f64, of the model's own. Their signs stay.
    pub(crate) fn log_odds(&self, scores: &Tensor) -> Tensor {
        scores.to_kind(Kind::Double) / self.divisor()
    }

    fn divisor(&self) -> f64 {
        self.temperature.unwrap_or(1.)
    }

    /// The sets of classes that hold the right one with a probability of `level`, above 0 and below 1.
    ///
    /// # Errors
    /// If it cannot be, if there was no validation split of classes, or too small a one.
    pub fn sets(&self, level: f64) -> Result<PredictionSets> {
        match &self.conformal {
            Some(scores) => scores.sets(level),
            None => {
                let problem =
                    "sets are of classes, one of which is right for a sample; leave it out";
                Err(Error::setting("--set", problem))
            }
        }
    }

    /// Checks all numbers against the task and the number of its answers.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub(crate) fn validate(&self, task: Task, answers: usize) -> Result<()> {
        if self.format != FORMAT {
            let problem = format!(
                "{}: this version of crosstune reads {FORMAT}; update crosstune, or remove the file to \
                 use the model uncalibrated",
                self.format
            );
            return Err(Error::setting("format", problem));
        }
        if let Some(t) = self.temperature.filter(|&t| !(t.is_finite() && t > 0.)) {
            return Err(Error::setting("temperature", format!("{t}: must be above 0")));
        }
        if let Some([low, high]) = self.temperature_interval
            && !(0. < low && low <= high && high.is_finite())
        {
            let problem = format!("{low} to {high}: must be from a number above 0 to one as large");
            return Err(Error::setting("temperature_interval", problem));
        }
        let wanted = if task == Task::MultiLabel { answers } else { 0 };
        if !self.thresholds.is_empty() && self.thresholds.len() != wanted {
            let problem = format!("{}, but the model has {wanted} labels", self.thresholds.len());
            return Err(Error::setting("thresholds", problem));
        }
        if let Some(t) = self.thresholds.iter().find(|&&t| !(0. ..=1.).contains(&t)) {
            return Err(Error::setting("thresholds", format!("{t}: must be from 0 to 1")));
        }
        match &self.conformal {
            Some(_) if task != Task::SingleLabel => {
                Err(Error::setting("conformal", format!("{task} has no sets of classes")))
            }
            Some(scores) => scores.validate(),
            None => Ok(()),
        }
    }
}
