//! Metrics: plain numbers.

mod bootstrap;
mod confusion;
mod edits;
mod levenshtein;
mod metrics;
pub(super) mod multi_label;
pub(super) mod regression;
mod reliability;
mod sets;
pub(super) mod single_label;
mod spans;
mod transcription;

pub use confusion::Confusion;
pub use edits::Edits;
pub use levenshtein::{Edit, alignment};
pub use metrics::Metrics;
pub use multi_label::{LabelMetrics, MultiLabelMetrics};
pub use regression::{RegressionMetrics, ValueMetrics};
pub use reliability::{CalibrationMetrics, Reliability, ReliabilityBin};
pub use sets::SetMetrics;
pub use single_label::ClassificationMetrics;
pub use spans::{SpanMetrics, TaggingMetrics};
pub use transcription::{GroupMetrics, TranscriptionMetrics};

pub(super) use reliability::{Forecast, ReliabilitySums};
pub(super) use transcription::Utterance;
