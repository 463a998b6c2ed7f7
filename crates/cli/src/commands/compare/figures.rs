//! What a task is compared by.

use crosstune_core::{Metrics, Task};
use crosstune_report::{Calibration, Confusion, Metric};

use crate::output::reliability::reported;

/// The figures of a model that a report holds.
pub(super) struct Figures {
    pub(super) value: f64,
    pub(super) second: f64,
    pub(super) loss: f64,
    pub(super) confusion: Option<Confusion>,
    pub(super) calibration: Option<Calibration>,
}

/// The metric of a task; `None`: it is not compared.
pub(super) fn metric(task: Task) -> Option<Metric> {
    let other = |name: &str, second: &str| Metric {
        name: name.into(),
        second: second.into(),
        lower_is_better: task.lower_is_better(),
        of_samples: false,
    };
    match task {
        Task::SingleLabel => Some(Metric::default()),
        Task::Transcription => Some(other(task.primary_metric(), "CER")),
        Task::Tagging => Some(other(task.primary_metric(), "macro F1")),
        Task::MultiLabel | Task::Regression => None,
    }
}

impl Figures {
    /// Of a task that is compared; `None` of another.
    pub(super) fn of(metrics: Metrics) -> Option<Self> {
        let value = metrics.primary_metric();
        let loss = metrics.loss();
        let calibration = metrics.calibration().map(reported);
        let (second, confusion) = match metrics {
            Metrics::SingleLabel(e) => {
                let confusion = Confusion::new(e.confusion.classes(), e.confusion.cells());
                (e.macro_f1, Some(confusion.ok()?))
            }
            Metrics::Transcription(e) => (e.cer, None),
            Metrics::Tagging(e) => (e.macro_f1, None),
            Metrics::MultiLabel(_) | Metrics::Regression(_) => return None,
        };
        Some(Self { value, second, loss, confusion, calibration })
    }
}
