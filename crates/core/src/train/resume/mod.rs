//! Trainings that go on where they were: what a checkpoint holds, when one is written, and whether it
//! belongs to the training at hand.

mod checkpoints;
mod conditions;
mod every;
mod pace;
mod parts;
mod store;
mod tensors;

pub use checkpoints::Checkpoints;
pub use every::CheckpointEvery;

pub(super) use conditions::Conditions;
pub(super) use pace::{Pace, Turn};
pub(super) use parts::{Parts, Resumable};
