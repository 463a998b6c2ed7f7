//! The options of `rank`, as clap reads them.

use std::path::PathBuf;

use clap::{Args, value_parser};

use crate::args::{ComputeArgs, LayoutArgs, ModalityArgs, ModalityFlags, ReadArgs, SampleArgs};

#[derive(Debug, Args)]
pub(crate) struct RankArgs<A: ModalityArgs> {
    /// Pretrained models to rank, in any form that train takes and of any modality
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub(crate) weights: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// Number of seeds to average over, for a new embedder
    #[arg(long, value_name = "N", default_value = "3", value_parser = value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: u64,
    /// Folds of the cross-validation
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub(crate) folds: usize,
    /// Do not match a new embedder's output statistics to what the trunk was pretrained on
    #[arg(long, alias = "no-match")]
    pub(crate) no_stat_match: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}
