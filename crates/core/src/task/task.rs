//! Tasks: one class, several labels, numbers, a text, or a label for every word.

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
    /// The text that is spoken or written in each sample, symbol by symbol, without saying where each
    /// is: CTC (Graves et al. 2006).
    #[serde(rename = "transcription")]
    Transcription,
    /// One of the labels for every word of each sample: named entities, parts of speech.
    #[serde(rename = "token_classification")]
    Tagging,
}

impl Task {
    /// What one of its predictions is called, in the singular.
    pub fn answer(self) -> &'static str {
        match self {
            Self::SingleLabel => "class",
            Self::MultiLabel => "label",
            Self::Regression => "value",
            Self::Transcription => "symbol",
            Self::Tagging => "label",
        }
    }

    /// Whether the answer to a sample is a sequence, so that a model answers at every position.
    pub fn is_sequence(self) -> bool {
        matches!(self, Self::Transcription | Self::Tagging)
    }

    /// Whether a lower [`primary_metric`](Self::primary_metric) is better.
    pub fn lower_is_better(self) -> bool {
        self == Self::Transcription
    }

    /// The name of [`Metrics::primary_metric`](crate::task::Metrics::primary_metric).
    pub fn primary_metric(self) -> &'static str {
        match self {
            Self::SingleLabel => "accuracy",
            Self::MultiLabel => "macro F1",
            Self::Regression => "R²",
            Self::Transcription => "WER",
            Self::Tagging => "span F1",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SingleLabel => "single-label classification",
            Self::MultiLabel => "multi-label classification",
            Self::Regression => "regression",
            Self::Transcription => "transcription",
            Self::Tagging => "tagging",
        })
    }
}
