//! Several tunings of one base, which are asked together.

mod plan;
mod stretch;
mod tunings;

pub use tunings::{Passed, Tunings};
