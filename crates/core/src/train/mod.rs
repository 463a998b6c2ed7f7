//! Training: the loop, the optimizer and all that they need.

mod auto_freeze;
mod cached;
mod distributed;
mod ema;
mod fit;
mod frozen;
mod loss_scaler;
mod lr_finder;
mod mixup;
mod optim;
mod options;
mod phase;
mod rate_groups;
mod record;
mod resume;
mod saver;
mod saving;
mod snapshot;
mod trainer;
mod training;

pub use fit::{fit, fit_resumable};
pub use lr_finder::{LrCurve, LrPoint, SweepEnd, find_lr};
pub use mixup::Mix;
pub use optim::{
    AdamW, AdamWState, ParamState, Schedule, ScheduleKind, clip_factor, gradient_norm,
};
pub use options::FitOptions;
pub use phase::{Phase, PhaseStart};
pub use record::{EpochRecord, FitReport, Progress, StepOutput, Update};
pub use resume::{CheckpointEvery, Checkpoints};
pub use trainer::{Trainer, peak_lr};
