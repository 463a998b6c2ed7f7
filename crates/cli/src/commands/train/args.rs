//! The options of `train`, as clap reads them.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Bytes, DataArgs, FitArgs, ModalityArgs, ModalityFlags, TransferArgs};

#[derive(Debug, Args)]
pub(crate) struct TrainArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
    #[command(flatten)]
    pub(crate) samples: DataArgs,
    /// The run folder to make
    #[arg(long, value_name = "DIR", required_unless_present_any = ["plan", "find_lr"])]
    pub(crate) out: Option<PathBuf>,
    /// Write what becomes of each tensor, what trains at which rate, and what it would cost, in
    /// TOML, and do not train
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Try rates from 1e-6 to 1, one a step, plot the loss into this SVG file, and do not train
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) find_lr: Option<PathBuf>,
    /// Train only if all is as the file says that --plan wrote
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) hold_to: Option<PathBuf>,
    /// Replace the run folder if it exists
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Keep at most this many training samples of every class
    #[arg(long, value_name = "N")]
    pub(crate) limit_per_class: Option<usize>,
    /// The share of the training samples held out to choose the best epoch by, where the data has
    /// no validation split of its own; 0: none
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) validation: f64,
    /// Cut the training samples into this many folds, and report on the one that --fold names
    #[arg(long, value_name = "K", requires = "fold")]
    pub(crate) folds: Option<usize>,
    /// The fold to report on, from 1 to K
    #[arg(long, value_name = "I", requires = "folds")]
    pub(crate) fold: Option<usize>,
    /// Leave out samples that cannot be read
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Samples of at most so many bytes are kept in memory, the others read again in every epoch,
    /// and as many bytes of what frozen parts make of them, the others on disk; for example 500M or
    /// 16G
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    pub(crate) memory: Bytes,
    /// Compute what frozen parts make of the samples anew in every epoch, rather than keep it
    #[arg(long)]
    pub(crate) recompute: bool,
    /// Name the tensors that were taken, made fresh, reshaped or left
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) fit: FitArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}
