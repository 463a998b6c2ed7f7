//! What an answer is due to: the parts of an input, each with a number.

use serde::{Deserialize, Serialize};

use crate::blob::Blob;

/// An input with what an answer is due to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Drawing {
    /// A text in parts, one behind the other.
    Words(Vec<Mark>),
    /// A picture, or the spectrogram of a recording.
    Heat {
        /// It under a map of what the answer is due to: a PNG file.
        png: Blob,
        /// The parts that count most, numbered in the picture from 1.
        spots: Vec<Mark>,
    },
}

/// A part of an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mark {
    /// Its text, or where it is.
    pub text: String,
    /// What it adds to the answer; `None`: the model was not asked about it, as a space between words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}
