//! The samples that `rank` and `embed` put through pretrained models.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;

/// Labelled samples, a part of them or all.
#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Labelled samples, in any layout that train takes; the training split is used
    #[arg(long, value_name = "PATH")]
    pub(crate) data: PathBuf,
    /// Use at most this many samples of each class
    #[arg(long, value_name = "N")]
    pub(crate) limit_per_class: Option<NonZeroUsize>,
    /// Random seed of this choice, of the folds and of new embedders
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Leave out samples that cannot be read, and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
}
