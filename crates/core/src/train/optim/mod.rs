//! The optimizer and the learning-rate schedule.

mod adamw;
mod schedule;

pub use adamw::{AdamW, clip_factor};
pub use schedule::{Schedule, ScheduleKind};
