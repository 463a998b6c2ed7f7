//! What a transfer brought, beside its controls: the numbers, what may be said of them, and a
//! report as one HTML file, as Markdown and as JSON.
//!
//! A [`Comparison`] is one source on one target: its [`Arm`]s are the transfer and its controls,
//! each run with several seeds on several sizes of training set. A [`Matrix`] is some of them, such
//! as the nine directions between pictures, speech and text. [`stats`] holds the statistics,
//! each with its formula.
#![deny(missing_docs)]

mod blob;
pub mod comparison;
mod error;
mod matrix;
mod validate;

pub use blob::Blob;
pub use comparison::{
    Answer, Arm, ArmKind, Budget, Comparison, Exhibit, Media, Point, Run, Source, Target, Trial,
};
pub use error::{Error, Result};
pub use matrix::Matrix;
