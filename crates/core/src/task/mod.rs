//! Tasks: targets, losses, metrics. No model, no files.

mod accumulator;
pub mod class_weights;
mod config;
mod loss;
mod metrics;
mod numbers;
mod scale;
mod target;
mod task;
#[cfg(test)]
pub(crate) mod tests;

pub use config::TaskConfig;
pub use loss::Objective;
pub use metrics::{
    ClassificationMetrics, Confusion, LabelMetrics, Metrics, MultiLabelMetrics, RegressionMetrics,
    ValueMetrics,
};
pub use scale::TargetScale;
pub use target::Target;
pub use task::Task;

pub(crate) use accumulator::MetricAccumulator;
