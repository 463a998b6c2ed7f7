//! The options of a transfer, as clap reads them: what is taken, what stands still, what is fresh.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use crosstune_core::{BatchNormStats, Freeze, Lora, Pool, Recipe, WeightInit};

use super::source::WeightsArgs;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Transfer")]
pub(crate) struct TransferArgs {
    #[command(flatten)]
    pub(crate) source: WeightsArgs,
    /// How the model is put to the task: fine-tune, linear-probe, lp-ft, gradual, fpt, lora, bitfit,
    /// orca or scratch
    #[arg(long, value_name = "NAME", default_value = "fine-tune")]
    pub(crate) recipe: Recipe,
    /// What stands still [default: the recipe's]: nothing, everything, embedder, trunk, head,
    /// below:N, top:N, norms, biases, attention, mlp or a glob on the names that --plan writes down;
    /// X-but-Y, "not X"; or several, with commas between
    #[arg(long, value_name = "PARTS")]
    pub(crate) freeze: Option<Freeze>,
    /// Where the parameters come from [default: pretrained, but for the recipe scratch]
    #[arg(long, value_enum, hide_default_value = true)]
    pub(crate) init: Option<InitArg>,
    /// Whether the statistics of batch norms follow the training's batches
    #[arg(long, value_enum, default_value_t = StatisticsArg::WithNorms)]
    pub(crate) statistics: StatisticsArg,
    /// How the trunk's output becomes one vector
    #[arg(long, value_enum, default_value_t = PoolArg::Mean)]
    pub(crate) pool: PoolArg,
    /// What tells the classes apart; `kept` has the pretrained model's own pool, too
    #[arg(long, value_enum, default_value_t = HeadArg::New)]
    pub(crate) head: HeadArg,
    /// Let a fresh embedder start as it comes, not as the trunk was trained to receive its inputs
    #[arg(long)]
    pub(crate) no_match: bool,
    /// The share of activations dropped in training [default: the checkpoint's for inputs of its
    /// own modality, else 0]
    #[arg(long, value_name = "SHARE")]
    pub(crate) dropout: Option<f64>,
    /// The rank of the adapters of the recipe lora [default: 8]
    #[arg(long, value_name = "N")]
    lora_rank: Option<i64>,
    /// What their product counts, divided by the rank [default: 8]
    #[arg(long, value_name = "ALPHA")]
    lora_alpha: Option<f64>,
    /// The share of their inputs that is dropped in training [default: 0]
    #[arg(long, value_name = "SHARE")]
    lora_dropout: Option<f64>,
    /// The linear layers that get one: globs on the names that --plan writes down, with commas
    /// between [default: *.attn.q,*.attn.v]
    #[arg(long, value_name = "GLOBS", value_delimiter = ',')]
    lora_targets: Option<Vec<String>>,
    /// What the recipe orca brings a fresh embedder near to: a file that `embed` wrote of the source
    /// [default: what the source's weights tell]
    #[arg(long, value_name = "FILE")]
    pub(crate) align: Option<PathBuf>,
}

impl TransferArgs {
    /// The adapters that are asked for, if any of their options is.
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

/// Where the parameters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitArg {
    /// From the checkpoint
    Pretrained,
    /// At random: a control, of which the architecture alone is the checkpoint's
    Random,
    /// From the checkpoint, but the values of each tensor change places: a control
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
pub(crate) enum StatisticsArg {
    /// Those of norms that train do
    WithNorms,
    /// None does
    Still,
    /// All do
    Moving,
}

impl From<StatisticsArg> for BatchNormStats {
    fn from(arg: StatisticsArg) -> Self {
        match arg {
            StatisticsArg::WithNorms => Self::FollowFreeze,
            StatisticsArg::Still => Self::Frozen,
            StatisticsArg::Moving => Self::Updating,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolArg {
    /// The mean of all places
    Mean,
    /// The first place
    First,
    /// The last place
    Last,
}

impl From<PoolArg> for Pool {
    fn from(arg: PoolArg) -> Self {
        match arg {
            PoolArg::Mean => Self::Mean,
            PoolArg::First => Self::First,
            PoolArg::Last => Self::Last,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeadArg {
    /// One fresh linear layer
    New,
    /// The pretrained model's; its last layer is fresh where it knows another number of classes
    Kept,
}
