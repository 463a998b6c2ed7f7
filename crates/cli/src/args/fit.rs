//! The options of training, as clap reads them.

use anyhow::Result;
use clap::{Args, ValueEnum};
use crosstune_core::{
    Balance, Device, FitOptions, MatmulPrecision, Mix, Order, Overrides, ScheduleKind,
};

use super::{compute::DeviceArgs, precision::PrecisionArgs, transfer::TransferArgs};

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct FitArgs {
    /// Passes over the training samples
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().epochs)]
    epochs: usize,
    /// Samples per batch
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().batch_size)]
    batch_size: usize,
    /// Peak learning rate of new parameters [default: by recipe, and by what is new and what
    /// trains; the training prints it]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Peak learning rate of pretrained parameters [default: likewise]
    #[arg(long, value_name = "RATE")]
    pretrained_lr: Option<f64>,
    /// Warm-up, as a fraction of all steps [default: 0.1; 0.3 for one-cycle, 0 for constant]
    #[arg(long, value_name = "FRACTION")]
    warmup: Option<f64>,
    /// Learning-rate schedule after warm-up [default: cosine; linear for the recipe gradual]
    #[arg(long, value_enum, value_name = "SCHEDULE")]
    schedule: Option<ScheduleArg>,
    /// Layer-wise learning-rate decay, per block from the top [default: 1; 0.385 for the recipe
    /// gradual]
    #[arg(long, value_name = "FACTOR")]
    layer_decay: Option<f64>,
    /// Weight decay, of weight matrices only
    #[arg(long, value_name = "RATE", default_value_t = FitOptions::default().weight_decay)]
    weight_decay: f64,
    /// Clip the gradient norm to this value
    #[arg(long, value_name = "NORM", default_value_t = FitOptions::default().clip_grad)]
    clip_grad: f64,
    /// Strength of the L2-SP penalty towards the pretrained weights, instead of weight decay; for
    /// example 0.01
    #[arg(long, value_name = "ALPHA", default_value_t = 0., hide_default_value = true)]
    l2_sp: f64,
    /// Gradient accumulation: batches per step, whose gradients are averaged
    #[arg(long, alias = "gradient-accumulation", value_name = "N", default_value_t = 1)]
    accumulate: usize,
    /// Evaluate and save an exponential moving average of the parameters, with this decay; for
    /// example 0.999
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
    /// AutoFreeze: after each epoch, freeze the lowest blocks whose gradient norms have stabilised,
    /// up to this fraction of them; for example 0.5
    #[arg(long, alias = "settle", value_name = "FRACTION")]
    auto_freeze: Option<f64>,
    /// Cache features of N augmented views of each sample and cycle through them [default: augment
    /// anew in every epoch]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    views: usize,
    /// Stop after this many steps [default: after the last epoch]
    #[arg(long, value_name = "N")]
    max_steps: Option<usize>,
    /// Early stopping: epochs without a better validation accuracy (macro F1, R²) to wait for
    #[arg(long, value_name = "EPOCHS", default_value_t = 5)]
    patience: usize,
    /// Batch samples of similar length, to reduce padding
    #[arg(long)]
    group_by_length: bool,
    /// How to handle class imbalance
    #[arg(long, value_enum, value_name = "HOW", default_value_t = BalanceArg::None)]
    balance: BalanceArg,
    /// mixup α; for example 0.2 [default: no mixup]
    #[arg(long, value_name = "ALPHA", default_value_t = 0., hide_default_value = true)]
    mixup: f64,
    /// CutMix α; for example 1 [default: no CutMix]
    #[arg(long, value_name = "ALPHA", default_value_t = 0., hide_default_value = true)]
    cutmix: f64,
    /// Label smoothing
    #[arg(long, value_name = "FRACTION", default_value_t = 0.)]
    label_smoothing: f64,
    /// Random seed of initialisation, splits, shuffling, augmentation and dropout. The same seed gives
    /// the same weights, to the last bit, on the same machine with the same number of threads
    /// (OMP_NUM_THREADS)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Compute in one thread, so that the same seed gives the same weights with any number of threads.
    /// Samples are still read in all; a step takes as much longer as the other threads would save
    #[arg(long)]
    pub(crate) deterministic: bool,
    /// Precision of f32 matrix products; with medium, a step may take two thirds of the time on a
    /// CPU with AVX-512 BF16
    #[arg(long, value_enum, value_name = "PRECISION", default_value_t = PrecisionArg::Highest)]
    pub(crate) matmul_precision: PrecisionArg,
    #[command(flatten)]
    pub(crate) precision: PrecisionArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

impl FitArgs {
    /// Sets, for the whole process, how libtorch computes. It comes before anything is computed.
    pub(crate) fn apply(&self) -> Result<()> {
        self.precision.on(self.device()?)?;
        MatmulPrecision::from(self.matmul_precision).apply()?;
        if self.deterministic {
            // What differs from one number of threads to another is how sums are divided among them.
            tch::set_num_threads(1);
        }
        Ok(())
    }

    /// Where the model trains.
    pub(crate) fn device(&self) -> Result<Device> {
        match self.deterministic {
            true => self.device.deterministic(),
            false => Ok(self.device.get()),
        }
    }

    /// The options, except for what a recipe decides.
    pub(crate) fn options(&self) -> FitOptions {
        FitOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            warmup: self.warmup.unwrap_or(match self.schedule {
                // As PyTorch has it.
                Some(ScheduleArg::OneCycle) => 0.3,
                Some(ScheduleArg::Constant) => 0.,
                _ => FitOptions::default().warmup,
            }),
            weight_decay: self.weight_decay,
            clip_grad: self.clip_grad,
            l2_sp: self.l2_sp,
            accumulate: self.accumulate,
            ema: self.ema,
            auto_freeze: self.auto_freeze,
            views: self.views,
            max_steps: self.max_steps,
            patience: Some(self.patience),
            order: if self.group_by_length { Order::ByLength } else { Order::Shuffled },
            balance: self.balance.into(),
            mix: Mix { mixup: self.mixup, cutmix: self.cutmix },
            label_smoothing: self.label_smoothing,
            precision: self.precision.value(),
            seed: self.seed,
            ..FitOptions::default()
        }
    }

    /// What is given instead of a recipe's own choices.
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
pub(crate) enum ScheduleArg {
    /// Cosine decay to 0
    Cosine,
    /// Linear decay to 0
    Linear,
    /// Cosine warm-up, then cosine decay to nearly 0
    OneCycle,
    /// Constant
    Constant,
}

impl From<ScheduleArg> for ScheduleKind {
    fn from(arg: ScheduleArg) -> Self {
        match arg {
            ScheduleArg::Cosine => Self::Cosine,
            ScheduleArg::Linear => Self::Linear,
            ScheduleArg::OneCycle => Self::OneCycle,
            ScheduleArg::Constant => Self::Constant,
        }
    }
}

/// The names of `torch.set_float32_matmul_precision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArg {
    /// Full f32
    Highest,
    /// TF32 on GPUs that have it
    High,
    /// bf16 on CPUs and GPUs that have it
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
    /// Every sample counts the same
    #[value(alias = "nothing")]
    None,
    /// Samples of small classes count more in the loss
    Weights,
    /// Samples of small classes are drawn more often
    Sampling,
}

impl From<BalanceArg> for Balance {
    fn from(arg: BalanceArg) -> Self {
        match arg {
            BalanceArg::None => Self::Nothing,
            BalanceArg::Weights => Self::Weights,
            BalanceArg::Sampling => Self::Sampling,
        }
    }
}
