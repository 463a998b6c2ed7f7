//! How many processes train together.

use std::num::NonZeroUsize;

use clap::Args;

/// Where torchrun has not started them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Distributed training")]
pub(crate) struct DistributedArgs {
    /// Train in N processes on this machine, each with its share of every batch of N times --batch-size
    /// samples, its share of the threads, and on GPUs a GPU of its own. On several machines, or to
    /// restart what fails: torchrun --no-python --nproc-per-node N, and this command without --processes
    #[arg(long, value_name = "N", conflicts_with_all = ["plan", "find_lr"])]
    pub(crate) processes: Option<NonZeroUsize>,
}
