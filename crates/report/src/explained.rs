//! Answers with what they are due to.

use serde::{Deserialize, Serialize};

use crate::{comparison::Media, explanation::Drawing};

/// Answers with what they are due to, as [`explanations`](crate::explanations) shows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Explanations {
    /// What a person calls the model.
    pub model: String,
    /// How they were made, in a sentence.
    pub method: String,
    /// What the numbers are: `log-odds`.
    pub unit: String,
    /// The version of Crosstune that made them.
    pub version: String,
    /// What was left out, in a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// One after the other.
    pub shown: Vec<Explained>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Explained {
    /// Where the input is.
    pub place: String,
    /// What the model says of it: `positive 98.2 %`.
    pub answer: String,
    /// What is explained of that: `why positive`.
    pub asked: String,
    /// What the numbers add up to, in a sentence.
    pub sum: String,
    /// The input itself, but for texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// It with what the answer is due to.
    pub drawing: Drawing,
}
