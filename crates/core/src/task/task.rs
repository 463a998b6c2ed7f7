//! What a model is asked: one class, several labels, or numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is asked of each input. The names in files are those of transformers' `problem_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Task {
    /// Which one of the classes it is of.
    #[default]
    #[serde(rename = "single_label_classification")]
    SingleLabel,
    /// Which of the labels apply: any number of them.
    #[serde(rename = "multi_label_classification")]
    MultiLabel,
    /// One number or several.
    #[serde(rename = "regression")]
    Regression,
}

impl Task {
    /// What one of its answers is called, in the singular.
    pub fn answer(self) -> &'static str {
        match self {
            Self::SingleLabel => "class",
            Self::MultiLabel => "label",
            Self::Regression => "value",
        }
    }

    /// What [`Metrics::primary_metric`](crate::task::Metrics::primary_metric) is called.
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
