//! Tasks: one class, several labels, or numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The task of a model. The names in files are those of transformers' `problem_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Task {
    /// One of the classes for each sample.
    #[default]
    #[serde(rename = "single_label_classification")]
    SingleLabel,
    /// Any number of labels for each sample.
    #[serde(rename = "multi_label_classification")]
    MultiLabel,
    /// One number or several for each sample.
    #[serde(rename = "regression")]
    Regression,
}

impl Task {
    /// What one of its predictions is called, in the singular.
    pub fn answer(self) -> &'static str {
        match self {
            Self::SingleLabel => "class",
            Self::MultiLabel => "label",
            Self::Regression => "value",
        }
    }

    /// The name of [`Metrics::primary_metric`](crate::task::Metrics::primary_metric).
    pub fn primary_metric(self) -> &'static str {
        match self {
            Self::SingleLabel => "accuracy",
            Self::MultiLabel => "macro F1",
            Self::Regression => "R²",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SingleLabel => "single-label classification",
            Self::MultiLabel => "multi-label classification",
            Self::Regression => "regression",
        })
    }
}
