//! What a transfer brought, beside its controls: the numbers, what may be said of them, and a
//! report as one HTML file, as Markdown and as JSON.
//!
//! A [`Comparison`] is one source on one target: its [`Arm`]s are the transfer and its controls,
//! each run with several seeds on several sizes of training set. A [`Matrix`] is some of them, such
//! as the nine directions between pictures, speech and text. [`stats`] holds the statistics,
//! each with its formula.
#![deny(missing_docs)]

pub mod axes;
mod blob;
mod bootstrap;
pub mod comparison;
mod confusion;
pub mod curve;
mod error;
mod explained;
mod explanation;
mod html;
mod hidden;
pub mod interval;
mod layout;
mod markdown;
mod matrix;
mod method;
mod metric;
mod rates;
mod reliability;
mod sentence;
pub mod stats;
mod summary;
mod validate;
pub mod words;
mod write;

pub use blob::Blob;
pub use comparison::{
    Answer, Arm, ArmKind, Budget, Comparison, ErrorExample, Media, Point, Run, Source, Target,
    Trial,
};
pub use confusion::Confusion;
pub use error::{Error, Result};
pub use explained::{Explained, Explanations};
pub use explanation::{Drawing, Mark};
pub use hidden::is_hidden;
pub use html::{Escaped, explanations, html, reliability_svg};
pub use markdown::markdown;
pub use matrix::Matrix;
pub use metric::Metric;
pub use reliability::{Bin, Calibration, Reliability};
pub use sentence::{Heard, Sentence, Stretch};
pub use summary::{Against, AtSize, JumpStart, MeanPoint, Measured, Overall, Summary};
pub use write::{Files, NAMES, write};

// The tests' sample speaks of the crate by its name.
#[cfg(test)]
extern crate self as crosstune_report;
#[cfg(test)]
#[allow(dead_code)]
#[path = "../tests/sample/mod.rs"]
mod sample;
