//! The options of `train`, as clap reads them.

use std::path::PathBuf;

use clap::Args;

use super::watch::WatchArgs;
use crate::args::{
    Bytes, CalibrateArgs, CheckpointArgs, DataArgs, DistributedArgs, FitArgs, LayoutArgs,
    ModalityArgs, ModalityFlags, StreamingArgs, TransferArgs, WeightsArgs,
};

#[derive(Debug, Args)]
pub(crate) struct TrainArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) source: WeightsArgs,
    #[command(flatten)]
    pub(crate) samples: DataArgs,
    /// Run folder to create
    #[arg(long, value_name = "DIR", required_unless_present_any = ["plan", "find_lr", "resume"])]
    pub(crate) out: Option<PathBuf>,
    /// Go on with an unfinished training, the DIR of its --out, as if it had never been stopped. Its
    /// options need not be given again
    #[arg(long, value_name = "DIR", conflicts_with_all = ["plan", "find_lr", "overwrite"])]
    pub(crate) resume: Option<PathBuf>,
    /// The number of threads that the training to go on with was computed in
    #[arg(skip)]
    pub(crate) threads: Option<i32>,
    /// Dry run: write where each tensor comes from, its learning rates and the estimated cost as
    /// TOML, and exit
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Learning-rate range test: try rates from 1e-6 to 1, one per step, plot the loss as SVG, and
    /// exit
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) find_lr: Option<PathBuf>,
    /// Refuse to train unless the training matches this plan, a file that --plan wrote
    #[arg(long, alias = "hold-to", value_name = "FILE", conflicts_with = "plan")]
    pub(crate) require_plan: Option<PathBuf>,
    /// Replace the run folder, or the file of --plan or --find-lr, if it exists
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Use at most this many training samples of each class
    #[arg(long, value_name = "N")]
    pub(crate) limit_per_class: Option<usize>,
    /// Fraction of the training samples held out to choose the best epoch, if the data has no
    /// validation split of its own; 0: none
    #[arg(long, value_name = "FRACTION", default_value_t = 0.1)]
    pub(crate) validation: f64,
    /// Cross-validation: split the training samples into this many folds, and test on one of them
    #[arg(long, value_name = "K", requires = "fold")]
    pub(crate) folds: Option<usize>,
    /// Fold to test on, from 1 to K
    #[arg(long, value_name = "I", requires = "folds")]
    pub(crate) fold: Option<usize>,
    /// Leave out samples that cannot be read, and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Memory for decoded samples (the rest are read again every epoch), and as much again for
    /// cached features (the rest go to disk); for example 500M or 16G. The result is the same under
    /// any
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    pub(crate) memory: Bytes,
    #[command(flatten)]
    pub(crate) reading: StreamingArgs,
    /// Do not cache the outputs of frozen layers
    #[arg(long, alias = "recompute")]
    pub(crate) no_feature_cache: bool,
    /// List the tensors that were loaded, newly initialised, resized or not used
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) watch: WatchArgs,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    #[command(flatten)]
    pub(crate) fit: FitArgs,
    #[command(flatten)]
    pub(crate) calibrate: CalibrateArgs,
    #[command(flatten)]
    pub(crate) checkpoint: CheckpointArgs,
    #[command(flatten)]
    pub(crate) distributed: DistributedArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}
