//! Which part of a model a name is in.

use crate::weights::Origin;

/// What names alone do not tell of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelOutline {
    /// The trunk's parts one above the other; see [`TrunkConfig::depth`](crate::nn::TrunkConfig::depth).
    pub depth: usize,
    /// Where the embedder came from.
    pub embedder: Origin,
}

/// The place of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ModelPart {
    Embedder,
    /// In the trunk's part of this number; the norm behind all parts has the number behind theirs.
    Trunk(usize),
    Head,
}

impl ModelPart {
    /// Where the name is, in a trunk of `depth` parts.
    pub(crate) fn of(name: &str, depth: usize) -> Self {
        let mut words = name.split('.');
        match (words.next(), words.next()) {
            (Some("embed"), _) => Self::Embedder,
            (Some("trunk"), Some("blocks" | "stages")) => {
                let part = words.next().and_then(|word| word.parse().ok());
                Self::Trunk(part.unwrap_or(depth))
            }
            (Some("trunk"), _) => Self::Trunk(depth),
            _ => Self::Head,
        }
    }
}

/// Whether a name is that of statistics, which are no parameters and never train.
pub(crate) fn is_running_stat(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}
