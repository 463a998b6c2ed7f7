//! How good a model is: numbers alone.

mod metrics;
pub(super) mod multi_label;
pub(super) mod regression;
pub(super) mod single_label;

pub use metrics::Evaluation;
pub use multi_label::{LabelFigures, MultiLabelFigures};
pub use regression::{RegressionFigures, ValueFigures};
pub use single_label::SingleLabelFigures;
