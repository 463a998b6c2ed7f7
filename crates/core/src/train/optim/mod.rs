//! The optimizer and the learning-rate schedule.

mod adamw;
mod schedule;

pub use adamw::{AdamW, AdamWState, ParamState, clip_factor, gradient_norm};
pub use schedule::{Schedule, ScheduleKind};
