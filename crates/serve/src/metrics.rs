//! What is counted, as Prometheus reads it.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequest {
    model: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfModel {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReload {
    model: String,
    result: &'static str,
}

type Histograms = Family<OfModel, Histogram, fn() -> Histogram>;

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    seconds: Histograms,
    batches: Histograms,
    queue: Gauge,
    reloads: Family<OfReload, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("crosstune");
        let mut registered = Registered(&mut registry);
        let requests = registered.with(
            "requests",
            "Requests for predictions by model and status; 499: the client has gone",
            Family::default(),
        );
        // From 1 ms to 33 s.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2., 16));
        let seconds = registered.with(
            "request_seconds",
            "Time from a request's head to its answer",
            Family::new_with_constructor(seconds),
        );
        let sizes: fn() -> Histogram = || Histogram::new(exponential_buckets(1., 2., 9));
        let batches = registered.with(
            "batch_size",
            "Inputs that were answered together",
            Family::new_with_constructor(sizes),
        );
        let queue = registered.with(
            "queue_length",
            "Inputs that are read, wait or are answered",
            Gauge::default(),
        );
        let reloads = registered.with(
            "model_reloads",
            "How often a model was opened anew: replaced, or kept as the new one is broken",
            Family::default(),
        );
        Self { registry, requests, seconds, batches, queue, reloads }
    }

    /// A request for a model was answered.
    pub(crate) fn request(&self, model: &str, status: u16, took: Duration) {
        let model = model.to_string();
        self.requests.get_or_create(&OfRequest { model: model.clone(), status }).inc();
        self.seconds.get_or_create(&OfModel { model }).observe(took.as_secs_f64());
    }

    /// A batch is computed.
    pub(crate) fn batch(&self, model: &str, inputs: usize) {
        self.batches.get_or_create(&OfModel { model: model.into() }).observe(inputs as f64);
    }

    /// A model was opened anew, or could not be.
    pub(crate) fn reload(&self, model: &str, replaced: bool) {
        let result = if replaced { "replaced" } else { "kept" };
        self.reloads.get_or_create(&OfReload { model: model.into(), result }).inc();
    }

    /// All of it as text, with so many inputs in the queue.
    pub(crate) fn text(&self, queue: usize) -> String {
        self.queue.set(queue as i64);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

struct Registered<'r>(&'r mut Registry);

impl Registered<'_> {
    fn with<T: Metric + Clone + EncodeMetric>(&mut self, name: &str, help: &str, metric: T) -> T {
        self.0.register(name, help, metric.clone());
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_counted_is_told() {
        let metrics = Metrics::new();
        metrics.request("read", 200, Duration::from_millis(3));
        metrics.request("read", 429, Duration::from_millis(1));
        metrics.batch("read", 12);
        metrics.reload("read", false);
        let text = metrics.text(5);
        for line in [
            "crosstune_requests_total{model=\"read\",status=\"200\"} 1",
            "crosstune_requests_total{model=\"read\",status=\"429\"} 1",
            "crosstune_request_seconds_count{model=\"read\"} 2",
            "crosstune_batch_size_bucket{le=\"8.0\",model=\"read\"} 0",
            "crosstune_batch_size_bucket{le=\"16.0\",model=\"read\"} 1",
            "crosstune_queue_length 5",
            "crosstune_model_reloads_total{model=\"read\",result=\"kept\"} 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
