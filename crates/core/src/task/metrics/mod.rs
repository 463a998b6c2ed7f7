//! Metrics: plain numbers.

mod confusion;
mod edits;
mod metrics;
pub(super) mod multi_label;
pub(super) mod regression;
pub(super) mod single_label;
mod spans;

pub use confusion::Confusion;
pub use edits::{Edits, TranscriptionMetrics};
pub use metrics::Metrics;
pub use multi_label::{LabelMetrics, MultiLabelMetrics};
pub use regression::{RegressionMetrics, ValueMetrics};
pub use single_label::ClassificationMetrics;
pub use spans::{SpanMetrics, TaggingMetrics};
