//! The options of training, as clap reads them.

use clap::{Args, ValueEnum};
use crosstune_core::{Balance, FitOptions, MatmulPrecision, Mix, Order, Overrides, ScheduleKind};

use super::{compute::DeviceArg, transfer::TransferArgs};

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct FitArgs {
    /// Passes over the training samples
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().epochs)]
    epochs: usize,
    /// Samples in a step
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().batch_size)]
    batch_size: usize,
    /// The peak learning rate of fresh parameters [default: by the recipe, what is fresh and what
    /// trains; the run says which]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// The peak learning rate of pretrained parameters [default: likewise]
    #[arg(long, value_name = "RATE")]
    pretrained_lr: Option<f64>,
    /// The share of all steps in which the rate rises [default: 0.1, but 0.3 for one-cycle and 0 for
    /// constant]
    #[arg(long, value_name = "SHARE")]
    warmup: Option<f64>,
    /// How the rate goes on from its peak [default: cosine, but linear for the recipe gradual]
    #[arg(long, value_enum, value_name = "CURVE")]
    schedule: Option<CurveArg>,
    /// The factor by which the rate of pretrained parameters falls from part to part downwards
    /// [default: 1, but 0.385 for the recipe gradual]
    #[arg(long, value_name = "FACTOR")]
    layer_decay: Option<f64>,
    /// Weight decay of matrices
    #[arg(long, value_name = "RATE", default_value_t = FitOptions::default().weight_decay)]
    weight_decay: f64,
    /// The largest norm of a step's gradient
    #[arg(long, value_name = "NORM", default_value_t = FitOptions::default().clip_grad)]
    clip_grad: f64,
    /// Hold pretrained parameters to what they were, so strongly (L2-SP), in place of weight decay;
    /// for example 0.01
    #[arg(long, value_name = "ALPHA", default_value_t = 0., hide_default_value = true)]
    l2_sp: f64,
    /// Batches in a step, whose gradients are averaged
    #[arg(long, value_name = "N", default_value_t = 1)]
    accumulate: usize,
    /// Evaluate and keep a moving average of the parameters, with this decay; for example 0.999
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
    /// After each epoch, freeze parts from below whose gradients changed least, up to this share of
    /// the parts (AutoFreeze); for example 0.5
    #[arg(long, value_name = "SHARE")]
    settle: Option<f64>,
    /// Of samples that are varied at random, put so many variations through frozen parts, once, and
    /// take turns in them [default: vary anew in every epoch]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    views: usize,
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
    /// How exactly f32 matrices are multiplied; with medium (bf16), a step may take two thirds of
    /// the time on a CPU with AVX-512 BF16
    #[arg(long, value_enum, value_name = "PRECISION", default_value_t = PrecisionArg::Highest)]
    pub(crate) matmul_precision: PrecisionArg,
    /// Where to compute: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: DeviceArg,
}

impl FitArgs {
    /// The options, all but what a recipe decides.
    pub(crate) fn options(&self) -> FitOptions {
        FitOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            warmup: self.warmup.unwrap_or(match self.schedule {
                // As PyTorch has it.
                Some(CurveArg::OneCycle) => 0.3,
                Some(CurveArg::Constant) => 0.,
                _ => FitOptions::default().warmup,
            }),
            weight_decay: self.weight_decay,
            clip_grad: self.clip_grad,
            l2_sp: self.l2_sp,
            accumulate: self.accumulate,
            ema: self.ema,
            auto_freeze: self.settle,
            views: self.views,
            max_steps: self.max_steps,
            patience: Some(self.patience),
            order: if self.group_by_length { Order::ByLength } else { Order::Shuffled },
            balance: self.balance.into(),
            mix: Mix { mixup: self.mixup, cutmix: self.cutmix },
            label_smoothing: self.label_smoothing,
            seed: self.seed,
            ..FitOptions::default()
        }
    }

    /// What is given in place of a recipe's own.
    pub(crate) fn choices(&self, transfer: &TransferArgs) -> Overrides {
        Overrides {
            init: transfer.init.map(Into::into),
            freeze: transfer.freeze.clone(),
            lora: transfer.lora(),
            lr: self.lr,
            pretrained_lr: self.pretrained_lr,
            layer_decay: self.layer_decay,
            schedule: self.schedule.map(Into::into),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CurveArg {
    /// Half a cosine down to zero
    Cosine,
    /// A line down to zero
    Linear,
    /// Up by a cosine, then down to nearly zero
    OneCycle,
    /// The peak throughout
    Constant,
}

impl From<CurveArg> for ScheduleKind {
    fn from(arg: CurveArg) -> Self {
        match arg {
            CurveArg::Cosine => Self::Cosine,
            CurveArg::Linear => Self::Linear,
            CurveArg::OneCycle => Self::OneCycle,
            CurveArg::Constant => Self::Constant,
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
