//! The options of `rank` and `embed`, as clap reads them.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use clap::Args;

use super::data::LayoutArgs;
use crate::{
    ModalityArgs,
    cli::{ComputeArgs, ModalityFlags},
};

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

#[derive(Debug, Args)]
pub(crate) struct EmbedArgs<A: ModalityArgs> {
    /// The pretrained model, as train takes it; it was trained on inputs of this kind
    #[arg(long, value_name = "PATH")]
    pub(crate) weights: PathBuf,
    /// The family of the pretrained model, where it is not recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// The file to write, in safetensors: features [N, D] and targets [N]; it must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}

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
