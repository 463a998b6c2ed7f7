//! Whether the backward pass computes activations again.

use anyhow::Result;
use clap::Args;
use crosstune_core::Model;

/// Memory against time.
#[derive(Debug, Clone, Args)]
pub(crate) struct RecomputeArgs {
    /// Keep only what goes into each block of a transformer, and compute the block again for the backward
    /// pass (gradient checkpointing): much less memory, about a third more time, the same result
    #[arg(long)]
    recompute_activations: bool,
}

impl RecomputeArgs {
    /// The model as it is to be trained.
    pub(crate) fn apply(&self, model: Model) -> Result<Model> {
        if self.recompute_activations {
            return Ok(model.with_recomputed_activations()?);
        }
        Ok(model)
    }
}
