//! The optimizer and its schedule.

mod adamw;
mod schedule;

pub use adamw::{AdamW, clip_factor};
pub use schedule::{Schedule, ScheduleKind};
