//! Tasks: targets, losses, metrics. No model, no files.

mod accumulator;
mod calibration;
pub mod class_weights;
mod config;
pub mod ctc;
mod forecasts;
mod judged;
mod loss;
mod metrics;
mod numbers;
mod scale;
mod scores;
pub mod tags;
mod target;
mod targets;
mod task;
mod unanswered;
mod vocabulary;
#[cfg(test)]
pub(crate) mod tests;

pub use calibration::{
    Calibration, CalibrationMethod, ConformalScores, PredictionSets, ThresholdMethod,
};
pub use config::TaskConfig;
pub use forecasts::sigmoid;
pub use loss::Objective;
pub use metrics::{
    CalibrationMetrics, ClassificationMetrics, Confusion, Edit, Edits, GroupMetrics, LabelMetrics,
    Metrics, MultiLabelMetrics, RegressionMetrics, Reliability, ReliabilityBin, SetMetrics,
    SpanMetrics, TaggingMetrics, TranscriptionMetrics, ValueMetrics, alignment,
};
pub use scale::TargetScale;
pub use scores::Scores;
pub use tags::{OUTSIDE, Scheme, Span, spans};
pub use target::Target;
pub use targets::{IGNORED, Targets, WordPositions, WordStart};
pub use task::Task;
pub use vocabulary::{BLANK, DELIMITER, Encoder, LetterCase, UNKNOWN, Vocabulary};

pub(crate) use accumulator::MetricAccumulator;
pub(crate) use judged::Judged;
pub(crate) use loss::at_words;
pub(crate) use unanswered::unanswered;
