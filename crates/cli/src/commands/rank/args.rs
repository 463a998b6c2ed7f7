//! The options of `rank`, as clap reads them.

use std::{num::NonZeroU64, path::PathBuf};

use clap::Args;

use crate::args::{ComputeArgs, ModalityArgs, ModalityFlags, SampleArgs};

#[derive(Debug, Args)]
pub(crate) struct RankArgs<A: ModalityArgs> {
    /// The pretrained models to compare, as train takes them; of any modality
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub(crate) weights: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// How many times a fresh embedder is drawn
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) seeds: NonZeroU64,
    /// Folds of the cross-validation
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub(crate) folds: usize,
    /// Let fresh embedders start as they come, as train --no-match does
    #[arg(long)]
    pub(crate) no_match: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}
