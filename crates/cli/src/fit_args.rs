//! The options of training, as clap reads them.

use clap::{Args, ValueEnum};
use crosstune_core::{Balance, FitOptions, Freeze, MatmulPrecision, Mix, Order, Origin};

use crate::args::{DeviceArg, Init};

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct FitArgs {
    /// Passes over the training samples
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().epochs)]
    epochs: usize,
    /// Samples in a step
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().batch_size)]
    batch_size: usize,
    /// The peak learning rate of fresh parameters [default: by what is fresh and what trains; the
    /// run says which]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// The peak learning rate of pretrained parameters [default: likewise]
    #[arg(long, value_name = "RATE")]
    pretrained_lr: Option<f64>,
    /// The share of all steps in which the rate rises
    #[arg(long, value_name = "SHARE", default_value_t = FitOptions::default().warmup)]
    warmup: f64,
    /// Weight decay of matrices
    #[arg(long, value_name = "RATE", default_value_t = FitOptions::default().weight_decay)]
    weight_decay: f64,
    /// The largest norm of a step's gradient
    #[arg(long, value_name = "NORM", default_value_t = FitOptions::default().clip_grad)]
    clip_grad: f64,
    /// End after this many steps [default: after the last epoch]
    #[arg(long, value_name = "N")]
    max_steps: Option<usize>,
    /// Stop after this many epochs without a better validation accuracy (macro F1, R²)
    #[arg(long, value_name = "EPOCHS", default_value_t = 5)]
    patience: usize,
    /// Put sentences or recordings of about the same length together, so that little is padded
    #[arg(long)]
    group_by_length: bool,
    /// What to do about classes of different sizes
    #[arg(long, value_enum, value_name = "HOW", default_value_t = BalanceArg::Nothing)]
    balance: BalanceArg,
    /// Mix samples of a batch: the α of mixup, such as 0.2 [default: do not]
    #[arg(long, value_name = "ALPHA", default_value_t = 0., hide_default_value = true)]
    mixup: f64,
    /// Put a rectangle of one picture into another: the α of CutMix, such as 1 [default: do not]
    #[arg(long, value_name = "ALPHA", default_value_t = 0., hide_default_value = true)]
    cutmix: f64,
    /// The share of each target that is spread over all classes
    #[arg(long, value_name = "SHARE", default_value_t = 0.)]
    label_smoothing: f64,
    /// Decides fresh parameters, splits, order, variations and dropout
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// How exactly f32 matrices are multiplied; with medium (bf16), a step takes about two thirds of
    /// the time on a CPU with AVX-512 BF16
    #[arg(long, value_enum, value_name = "PRECISION", default_value_t = PrecisionArg::Highest)]
    pub(crate) matmul_precision: PrecisionArg,
    /// Where to compute: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: DeviceArg,
}

impl FitArgs {
    /// The options, with rates that were good on a grid where a person gives none.
    pub(crate) fn options(
        &self,
        init: Init,
        embedder: Origin,
        freeze: &Freeze,
        depth: usize,
    ) -> FitOptions {
        // Any parameter of the topmost part, which is the last to be frozen.
        let top = format!("trunk.blocks.{}.weight", depth.saturating_sub(1));
        let trunk_trains = freeze.trains(&top, Origin::Pretrained);
        let (lr, pretrained_lr) = match (init, embedder, trunk_trains) {
            (Init::Random, _, true) => (3e-4, 3e-4),
            // Norms at the most, which bear a high rate.
            (_, Origin::Fresh, false) => (3e-3, 3e-3),
            (_, Origin::Pretrained, false) => (3e-3, 1e-3),
            (_, Origin::Fresh, true) => (3e-3, 3e-4),
            (_, Origin::Pretrained, true) => (1e-3, 1e-4),
        };
        FitOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            lr: self.lr.unwrap_or(lr),
            pretrained_lr: self.pretrained_lr.unwrap_or(pretrained_lr),
            warmup: self.warmup,
            weight_decay: self.weight_decay,
            clip_grad: self.clip_grad,
            max_steps: self.max_steps,
            patience: Some(self.patience),
            order: if self.group_by_length { Order::ByLength } else { Order::Shuffled },
            balance: self.balance.into(),
            mix: Mix { mixup: self.mixup, cutmix: self.cutmix },
            label_smoothing: self.label_smoothing,
            seed: self.seed,
        }
    }
}

/// The names of `torch.set_float32_matmul_precision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArg {
    /// With all bits
    Highest,
    /// In TF32 where a GPU has it
    High,
    /// In bf16 where the CPU or GPU has it
    Medium,
}

impl From<PrecisionArg> for MatmulPrecision {
    fn from(arg: PrecisionArg) -> Self {
        match arg {
            PrecisionArg::Highest => Self::Highest,
            PrecisionArg::High => Self::High,
            PrecisionArg::Medium => Self::Medium,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BalanceArg {
    /// Each sample counts the same
    Nothing,
    /// Samples of small classes count more
    Weights,
    /// Samples of small classes come more often
    Sampling,
}

impl From<BalanceArg> for Balance {
    fn from(arg: BalanceArg) -> Self {
        match arg {
            BalanceArg::Nothing => Self::Nothing,
            BalanceArg::Weights => Self::Weights,
            BalanceArg::Sampling => Self::Sampling,
        }
    }
}
