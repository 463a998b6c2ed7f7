//! Metrics of multi-label classification.

use serde::{Deserialize, Serialize};

use super::reliability::CalibrationMetrics;

/// Metrics of multi-label classification. A label is predicted where its probability is above its
/// threshold: 0.5, if none was fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The fraction of samples whose labels are all correct.
    pub exact_match: f64,
    /// The mean binary cross-entropy, in nats.
    pub loss: f64,
    /// F1 over all labels of all samples.
    pub micro_f1: f64,
    /// The mean F1 over the labels. A label that neither occurs nor is predicted does not count.
    pub macro_f1: f64,
    /// The mean average precision over the labels that occur; `None`: none occurs.
    pub mean_average_precision: Option<f64>,
    /// Label by label.
    pub labels: Vec<LabelMetrics>,
    /// How far the probabilities can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationMetrics>,
}

/// Metrics of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelMetrics {
    /// Its name.
    pub label: String,
    /// The fraction of predicted ones that are correct; 0: none was predicted.
    pub precision: f64,
    /// The fraction of true ones that were predicted; 0: none occurs.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The area below the precision-recall curve, in steps; `None`: it does not occur.
    pub average_precision: Option<f64>,
    /// The number of samples that have it.
    pub support: usize,
    /// The probability above which it is predicted.
    #[serde(default = "half")]
    pub threshold: f64,
}

fn half() -> f64 {
    0.5
}

/// One label: its name, the predicted probabilities, the one above which it is predicted, and the
/// targets of all samples.
type Column = (String, Vec<f64>, f64, Vec<bool>);

impl MultiLabelMetrics {
    pub(crate) fn of(columns: &[Column], samples: usize, loss: f64) -> Self {
        let mut sums = Counts::default();
        let mut f1 = vec![];
        let label = |(label, probabilities, threshold, truth): &Column| {
            let counts = Counts::of(probabilities, *threshold, truth);
            sums.correct += counts.correct;
            sums.answered += counts.answered;
            sums.occurring += counts.occurring;
            if counts.answered + counts.occurring > 0 {
                f1.push(counts.f1());
            }
            LabelMetrics {
                label: label.clone(),
                precision: fraction(counts.correct, counts.answered),
                recall: fraction(counts.correct, counts.occurring),
                f1: counts.f1(),
                average_precision: average_precision(probabilities, truth),
                support: counts.occurring,
                threshold: *threshold,
            }
        };
        let labels: Vec<LabelMetrics> = columns.iter().map(label).collect();
        let exact = |&sample: &usize| {
            columns.iter().all(|(_, p, threshold, truth)| (p[sample] > *threshold) == truth[sample])
        };
        let precisions: Vec<f64> = labels.iter().filter_map(|l| l.average_precision).collect();
        Self {
            samples,
            exact_match: fraction((0..samples).filter(exact).count(), samples),
            loss,
            micro_f1: sums.f1(),
            macro_f1: f1.iter().sum::<f64>() / f1.len().max(1) as f64,
            mean_average_precision: (!precisions.is_empty())
                .then(|| precisions.iter().sum::<f64>() / precisions.len() as f64),
            labels,
            calibration: None,
        }
    }
}

/// In how many samples a label is predicted, occurs, or both.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    correct: usize,
    answered: usize,
    occurring: usize,
}

impl Counts {
    fn of(probabilities: &[f64], threshold: f64, truth: &[bool]) -> Self {
        let mut counts = Self::default();
        for (&probability, &occurs) in probabilities.iter().zip(truth) {
            let answered = probability > threshold;
            counts.correct += usize::from(answered && occurs);
            counts.answered += usize::from(answered);
            counts.occurring += usize::from(occurs);
        }
        counts
    }

    fn f1(self) -> f64 {
        fraction(2 * self.correct, self.answered + self.occurring)
    }
}

fn fraction(part: usize, of: usize) -> f64 {
    part as f64 / of.max(1) as f64
}

/// The mean precision at the rank of each true sample.
fn average_precision(probabilities: &[f64], truth: &[bool]) -> Option<f64> {
    let occurring = truth.iter().filter(|&&occurs| occurs).count();
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let (mut sum, mut correct, mut seen) = (0., 0, 0);
    for equals in order.chunk_by(|&a, &b| probabilities[a] == probabilities[b]) {
        let more = equals.iter().filter(|&&at| truth[at]).count();
        correct += more;
        seen += equals.len();
        sum += more as f64 * correct as f64 / seen as f64;
    }
    (occurring > 0).then(|| sum / occurring as f64)
}
