//! What is compared: a metric, and which way it is better.

use serde::{Deserialize, Serialize};

/// The metric of a comparison; a fraction, shown in percent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Metric {
    /// What it is called in a sentence: `accuracy`, `WER`.
    pub name: String,
    /// What is shown beside it: `macro F1`, `CER`.
    pub second: String,
    /// Whether a lower value is better.
    #[serde(default)]
    pub lower_is_better: bool,
    /// Whether it is the fraction of test samples that are right, and so has a binomial's interval.
    #[serde(default)]
    pub of_samples: bool,
}

/// Accuracy, as it was before there was another.
impl Default for Metric {
    fn default() -> Self {
        Self {
            name: "accuracy".into(),
            second: "macro F1".into(),
            lower_is_better: false,
            of_samples: true,
        }
    }
}

impl Metric {
    /// Whether one value is better than another.
    pub fn is_better(&self, one: f64, other: f64) -> bool {
        if self.lower_is_better { one < other } else { one > other }
    }

    /// A value as a number of which a higher one is better.
    pub(crate) fn merit(&self, value: f64) -> f64 {
        if self.lower_is_better { -value } else { value }
    }

    /// The name at the beginning of a line.
    pub(crate) fn title(&self) -> String {
        let mut rest = self.name.chars();
        rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
    }
}
