//! Figures of any number of labels for each sample.

use serde::{Deserialize, Serialize};

/// How good answers are in which each label has a probability. A label is answered where that is above
/// a half.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The share of samples whose labels are all right.
    pub exact_match: f64,
    /// The mean cross-entropy of each label with its absence, in nats.
    pub loss: f64,
    /// The harmonic mean of precision and recall over all labels of all samples.
    pub micro_f1: f64,
    /// The mean over the labels of each one's harmonic mean of precision and recall. A label that
    /// neither occurs nor is answered does not count.
    pub macro_f1: f64,
    /// The mean over the labels that occur of the average precision; `None`: none occurs.
    pub mean_average_precision: Option<f64>,
    /// Label by label.
    pub labels: Vec<LabelMetrics>,
}

/// How good the answers on one label are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelMetrics {
    /// Its name.
    pub label: String,
    /// The share of right ones among what was answered; 0: it was not.
    pub precision: f64,
    /// The share that was answered among what is true; 0: it does not occur.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// The area below precision over recall in steps; `None`: it does not occur.
    pub average_precision: Option<f64>,
    /// To how many samples it applies.
    pub support: usize,
}

/// The answers on one label: its name, probabilities and what is true, of all samples.
type Column = (String, Vec<f64>, Vec<bool>);

impl MultiLabelMetrics {
    pub(crate) fn of(columns: &[Column], samples: usize, loss: f64) -> Self {
        let mut sums = Counts::default();
        let mut f1 = vec![];
        let label = |(label, probabilities, truth): &Column| {
            let counts = Counts::of(probabilities, truth);
            sums.right += counts.right;
            sums.answered += counts.answered;
            sums.occurring += counts.occurring;
            if counts.answered + counts.occurring > 0 {
                f1.push(counts.f1());
            }
            LabelMetrics {
                label: label.clone(),
                precision: share(counts.right, counts.answered),
                recall: share(counts.right, counts.occurring),
                f1: counts.f1(),
                average_precision: average_precision(probabilities, truth),
                support: counts.occurring,
            }
        };
        let labels: Vec<LabelMetrics> = columns.iter().map(label).collect();
        let exact = |&sample: &usize| {
            columns.iter().all(|(_, p, truth)| (p[sample] > 0.5) == truth[sample])
        };
        let precisions: Vec<f64> = labels.iter().filter_map(|l| l.average_precision).collect();
        Self {
            samples,
            exact_match: share((0..samples).filter(exact).count(), samples),
            loss,
            micro_f1: sums.f1(),
            macro_f1: f1.iter().sum::<f64>() / f1.len().max(1) as f64,
            mean_average_precision: (!precisions.is_empty())
                .then(|| precisions.iter().sum::<f64>() / precisions.len() as f64),
            labels,
        }
    }
}

/// In how many samples a label is what.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    right: usize,
    answered: usize,
    occurring: usize,
}

impl Counts {
    fn of(probabilities: &[f64], truth: &[bool]) -> Self {
        let mut counts = Self::default();
        for (&probability, &occurs) in probabilities.iter().zip(truth) {
            let answered = probability > 0.5;
            counts.right += usize::from(answered && occurs);
            counts.answered += usize::from(answered);
            counts.occurring += usize::from(occurs);
        }
        counts
    }

    fn f1(self) -> f64 {
        share(2 * self.right, self.answered + self.occurring)
    }
}

fn share(part: usize, of: usize) -> f64 {
    part as f64 / of.max(1) as f64
}

/// The mean over what is true of the precision among all that is at least as likely.
fn average_precision(probabilities: &[f64], truth: &[bool]) -> Option<f64> {
    let occurring = truth.iter().filter(|&&occurs| occurs).count();
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let (mut sum, mut right, mut seen) = (0., 0, 0);
    for equals in order.chunk_by(|&a, &b| probabilities[a] == probabilities[b]) {
        let more = equals.iter().filter(|&&at| truth[at]).count();
        right += more;
        seen += equals.len();
        sum += more as f64 * right as f64 / seen as f64;
    }
    (occurring > 0).then(|| sum / occurring as f64)
}
