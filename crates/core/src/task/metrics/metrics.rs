//! A model's metrics, whatever its task.

use serde::{Deserialize, Serialize};

use super::multi_label::MultiLabelMetrics;
use super::regression::RegressionMetrics;
use super::single_label::ClassificationMetrics;

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
}

impl Metrics {
    /// The number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Self::SingleLabel(e) => e.samples,
            Self::MultiLabel(e) => e.samples,
            Self::Regression(e) => e.samples,
        }
    }

    /// The mean loss, as [`Objective::loss`](crate::task::Objective::loss) without weights and
    /// smoothing.
    pub fn loss(&self) -> f64 {
        match self {
            Self::SingleLabel(e) => e.loss,
            Self::MultiLabel(e) => e.loss,
            Self::Regression(e) => e.loss,
        }
    }

    /// The metric that epochs are compared by, higher is better: accuracy, the macro F1 of labels,
    /// the mean R² of values ([`Task::primary_metric`](crate::task::Task::primary_metric)).
    pub fn primary_metric(&self) -> f64 {
        match self {
            Self::SingleLabel(e) => e.accuracy,
            Self::MultiLabel(e) => e.macro_f1,
            Self::Regression(e) => e.r2,
        }
    }

    /// The fraction of correct predictions, all labels of a sample together; `None` for values.
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Self::SingleLabel(e) => Some(e.accuracy),
            Self::MultiLabel(e) => Some(e.exact_match),
            Self::Regression(_) => None,
        }
    }
}
