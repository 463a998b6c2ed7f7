//! The part of a model that a parameter is in, by its name.

use serde::{Deserialize, Serialize};

use crate::weights::Origin;

/// What parameter names alone do not say about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelOutline {
    /// The number of parts of the trunk; see [`TrunkConfig::depth`](crate::nn::TrunkConfig::depth).
    pub depth: usize,
    /// Where the embedder came from.
    pub embedder: Origin,
}

/// The part that a parameter is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ModelPart {
    Embedder,
    /// The trunk's part with this index; a final norm has the index after the last part's.
    Trunk(usize),
    Head,
}

impl ModelPart {
    /// The part of a name, in a trunk of `depth` parts.
    pub(crate) fn of(name: &str, depth: usize) -> Self {
        let mut words = name.split('.');
        match (words.next(), words.next()) {
            (Some("embed"), _) => Self::Embedder,
            (Some("trunk"), Some("blocks" | "stages")) => {
                let part = words.next().and_then(|word| word.parse().ok());
                Self::Trunk(part.unwrap_or(depth))
            }
            // Every block computes with it, so all of them stand above it.
            (Some("trunk"), Some("shared")) => Self::Trunk(0),
            (Some("trunk"), _) => Self::Trunk(depth),
            _ => Self::Head,
        }
    }
}

/// Whether a name is that of running statistics, which are no parameters and never train.
pub(crate) fn is_running_stat(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}
