//! Which samples pretrained models are looked at with.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;

use super::data::LayoutArgs;

/// Which samples are looked at.
#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Labelled samples, in any layout that train takes; those of the training split are used
    #[arg(long, value_name = "PATH")]
    pub(crate) data: PathBuf,
    /// Keep at most this many samples of every class
    #[arg(long, value_name = "N")]
    pub(crate) limit_per_class: Option<NonZeroUsize>,
    /// Decides which those are, the folds and fresh embedders
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Leave out samples that cannot be read
    #[arg(long)]
    pub(crate) skip_bad: bool,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}
