//! How often a training leaves a checkpoint, as clap reads it.

use clap::Args;
use crosstune_core::CheckpointEvery;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct CheckpointArgs {
    /// How often to write a checkpoint that --resume goes on from: 500steps, 1epoch, 5min; or never.
    /// It changes nothing in the result
    #[arg(long, value_name = "STEPS|EPOCHS|MINUTES", default_value_t = CheckpointEvery::default())]
    pub(crate) checkpoint_every: CheckpointEvery,
}
