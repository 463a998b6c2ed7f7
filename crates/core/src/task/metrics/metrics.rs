//! A model's metrics, whatever its task.

use serde::{Deserialize, Serialize};

use super::multi_label::MultiLabelMetrics;
use super::regression::RegressionMetrics;
use super::reliability::CalibrationMetrics;
use super::single_label::ClassificationMetrics;
use super::spans::TaggingMetrics;
use super::transcription::TranscriptionMetrics;

/// A model's metrics on labelled samples. In a file, only those of its task are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    /// One class for each sample.
    SingleLabel(ClassificationMetrics),
    /// Any number of labels.
    MultiLabel(MultiLabelMetrics),
    /// Numbers.
    Regression(RegressionMetrics),
    /// Texts.
    Transcription(TranscriptionMetrics),
    /// A label for every word.
    Tagging(TaggingMetrics),
}

impl Metrics {
    /// The number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Self::SingleLabel(e) => e.samples,
            Self::MultiLabel(e) => e.samples,
            Self::Regression(e) => e.samples,
            Self::Transcription(e) => e.samples,
            Self::Tagging(e) => e.samples,
        }
    }

    /// The mean loss, as [`Objective::loss`](crate::task::Objective::loss) without weights and
    /// smoothing.
    pub fn loss(&self) -> f64 {
        match self {
            Self::SingleLabel(e) => e.loss,
            Self::MultiLabel(e) => e.loss,
            Self::Regression(e) => e.loss,
            Self::Transcription(e) => e.loss,
            Self::Tagging(e) => e.loss,
        }
    }

    /// How far the probabilities can be trusted; `None` of other tasks than classes and labels of whole
    /// samples, and where it was not measured.
    pub fn calibration(&self) -> Option<&CalibrationMetrics> {
        match self {
            Self::SingleLabel(e) => e.calibration.as_ref(),
            Self::MultiLabel(e) => e.calibration.as_ref(),
            Self::Regression(_) | Self::Transcription(_) | Self::Tagging(_) => None,
        }
    }

    /// The metric that epochs are compared by: accuracy, the macro F1 of labels, the mean R² of values,
    /// the word error rate of texts, of which a lower one is better, the F1 of spans of words
    /// ([`Task::primary_metric`](crate::task::Task::primary_metric)).
    pub fn primary_metric(&self) -> f64 {
        match self {
            Self::SingleLabel(e) => e.accuracy,
            Self::MultiLabel(e) => e.macro_f1,
            Self::Regression(e) => e.r2,
            Self::Transcription(e) => e.wer,
            Self::Tagging(e) => e.span_f1,
        }
    }

    /// The same as a score, of which a higher one is always better.
    pub fn score(&self) -> f64 {
        match self {
            Self::Transcription(e) => -e.wer,
            other => other.primary_metric(),
        }
    }

    /// The fraction of correct predictions, all labels of a sample together, or of words with the right
    /// label; `None` for values and texts.
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Self::SingleLabel(e) => Some(e.accuracy),
            Self::MultiLabel(e) => Some(e.exact_match),
            Self::Regression(_) | Self::Transcription(_) => None,
            Self::Tagging(e) => Some(e.word_accuracy),
        }
    }
}
