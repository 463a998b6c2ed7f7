//! The options of a transfer, as clap reads them: what is loaded, what is frozen, what is new.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use crosstune_core::{BatchNormStats, Freeze, Lora, Pool, Recipe, Task, WeightInit};

use super::{recompute::RecomputeArgs, setting::setting};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct TransferArgs {
    /// How the model is adapted: fine-tune, linear-probe, lp-ft, gradual, fpt, lora, bitfit, orca
    /// or scratch
    #[arg(long, value_name = "NAME", default_value = "fine-tune")]
    pub(crate) recipe: Recipe,
    /// Parameters to freeze [default: by recipe]: none, everything, embedder, trunk, head, below:N,
    /// top:N, norms, biases, attention, mlp or a glob on parameter names (--plan lists them);
    /// X-but-Y, "not X"; or several, separated by commas
    #[arg(long, value_name = "SET")]
    pub(crate) freeze: Option<Freeze>,
    /// Initial weights [default: pretrained; random for the recipe scratch]
    #[arg(long, value_enum, hide_default_value = true)]
    pub(crate) init: Option<InitArg>,
    /// Whether batch-norm running statistics are updated
    #[arg(long, alias = "statistics", value_enum, default_value_t = BatchNormArg::FollowFreeze)]
    pub(crate) batch_norm: BatchNormArg,
    #[command(flatten)]
    pub(crate) recompute: RecomputeArgs,
    /// Pooling of the trunk's output [default: mean; not at all with --task transcribe and tag, which
    /// take weighted-layers at every position, too]
    #[arg(long, value_enum)]
    pub(crate) pool: Option<PoolArg>,
    /// The classification head: a new linear layer, or the pretrained one with its pooling
    #[arg(long, value_enum, default_value_t = HeadArg::Fresh)]
    pub(crate) head: HeadArg,
    /// Do not match a new embedder's output statistics to what the trunk was pretrained on
    #[arg(long, alias = "no-match")]
    pub(crate) no_stat_match: bool,
    /// Dropout probability [default: the checkpoint's for inputs of its own modality, else 0]
    #[arg(long, value_name = "P")]
    pub(crate) dropout: Option<f64>,
    /// Probability that the trunk's last block leaves a sample as it is, in training (stochastic
    /// depth); it grows evenly from 0 at the first [default: the checkpoint's]
    #[arg(long, value_name = "P")]
    pub(crate) drop_path: Option<f64>,
    /// LoRA rank (recipe lora) [default: 8]
    #[arg(long, value_name = "N")]
    lora_rank: Option<i64>,
    /// LoRA α: the update is scaled by α / rank [default: 8]
    #[arg(long, value_name = "ALPHA")]
    lora_alpha: Option<f64>,
    /// LoRA dropout probability [default: 0]
    #[arg(long, value_name = "P")]
    lora_dropout: Option<f64>,
    /// Linear layers to adapt with LoRA: globs on parameter names (--plan lists them), separated by
    /// commas [default: *.attn.q,*.attn.v]
    #[arg(long, value_name = "GLOBS", value_delimiter = ',')]
    lora_targets: Option<Vec<String>>,
    /// Source embeddings to align with (recipe orca), a file that `embed` wrote [default:
    /// statistics estimated from the weights]
    #[arg(long, value_name = "FILE")]
    pub(crate) align: Option<PathBuf>,
}

impl TransferArgs {
    /// The pool for a task.
    ///
    /// # Errors
    /// If it makes one vector of a sequence, and the task has an answer at every position.
    pub(crate) fn pool(&self, task: Task) -> Result<Pool> {
        match self.pool {
            Some(PoolArg::Mean | PoolArg::First | PoolArg::Last) if task.is_sequence() => {
                let problem = format!(
                    "{task} answers at every position; leave it out, or take weighted-layers"
                );
                Err(setting("--pool", problem))
            }
            pool => Ok(pool.map_or(Pool::Mean, Pool::from)),
        }
    }

    /// The LoRA adapters, if any of their options is given.
    pub(crate) fn lora(&self) -> Option<Lora> {
        let Self { lora_rank, lora_alpha, lora_dropout, lora_targets, .. } = self.clone();
        let asked = lora_rank.is_some()
            || lora_alpha.is_some()
            || lora_dropout.is_some()
            || lora_targets.is_some();
        let usual = Lora::default();
        asked.then(|| Lora {
            rank: lora_rank.unwrap_or(usual.rank),
            alpha: lora_alpha.unwrap_or(usual.alpha),
            dropout: lora_dropout.unwrap_or(usual.dropout),
            targets: lora_targets.unwrap_or(usual.targets),
        })
    }
}

/// Where the initial weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitArg {
    /// The checkpoint's
    Pretrained,
    /// Random values, of the checkpoint's architecture (control)
    Random,
    /// Pretrained values, shuffled within each tensor (control)
    Shuffled,
}

impl From<InitArg> for WeightInit {
    fn from(arg: InitArg) -> Self {
        match arg {
            InitArg::Pretrained => Self::Pretrained,
            InitArg::Random => Self::Random,
            InitArg::Shuffled => Self::Shuffled,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BatchNormArg {
    /// Those of trainable norms
    #[value(alias = "with-norms")]
    FollowFreeze,
    /// None
    #[value(alias = "still")]
    Frozen,
    /// All
    #[value(alias = "moving")]
    Updating,
}

impl From<BatchNormArg> for BatchNormStats {
    fn from(arg: BatchNormArg) -> Self {
        match arg {
            BatchNormArg::FollowFreeze => Self::FollowFreeze,
            BatchNormArg::Frozen => Self::Frozen,
            BatchNormArg::Updating => Self::Updating,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolArg {
    /// Mean over positions
    Mean,
    /// First position ([CLS])
    First,
    /// Last position
    Last,
    /// A learned weighted sum of all of a transformer's layers, then the mean over positions (s3prl)
    #[value(alias = "weighted-sum", alias = "weighted-layer-sum")]
    WeightedLayers,
}

impl From<PoolArg> for Pool {
    fn from(arg: PoolArg) -> Self {
        match arg {
            PoolArg::Mean => Self::Mean,
            PoolArg::First => Self::First,
            PoolArg::Last => Self::Last,
            PoolArg::WeightedLayers => Self::WeightedLayers,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeadArg {
    /// A new linear layer
    #[value(alias = "new")]
    Fresh,
    /// The pretrained one; its last layer is new if the number of classes differs
    #[value(alias = "kept")]
    Pretrained,
}
