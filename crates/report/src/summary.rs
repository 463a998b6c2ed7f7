//! What follows from a comparison: estimates, differences and verdicts.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    comparison::{Arm, ArmKind, Comparison, Run},
    curve::{self, Reach},
    metric::Metric,
    stats::{Estimate, Verdict},
};

/// All that follows from a [`Comparison`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// What the comparison is called.
    pub name: String,
    /// The value of [`Overall::examples`] and [`Overall::seconds`]; none without a control.
    pub threshold: Option<f64>,
    /// The accuracy of always answering the test set's most frequent class, where samples have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub majority: Option<f64>,
    /// Each size of training set that the transfer was run on, growing.
    pub sizes: Vec<AtSize>,
    /// Each arm over all sizes.
    pub overall: Vec<Overall>,
}

/// The arms on one size of training set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AtSize {
    /// The number of training samples.
    pub size: usize,
    /// How often each was seen.
    pub epochs: usize,
    /// The arms that were run.
    pub arms: Vec<Measured>,
    /// The transfer's differences to its controls.
    pub against: Vec<Against>,
    /// The control of the best mean.
    pub best_control: Option<ArmKind>,
}

/// An arm on one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// Which arm.
    pub kind: ArmKind,
    /// The number of its runs.
    pub seeds: usize,
    /// Its metric on the test set.
    pub value: Estimate,
    /// The mean of its second metric.
    pub second: f64,
    /// The mean of its losses, in nats.
    pub loss: f64,
    /// The mean duration of training, in seconds.
    pub seconds: f64,
    /// How the mean went.
    pub curve: Vec<MeanPoint>,
}

/// A point of a mean learning curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MeanPoint {
    /// The epochs done.
    pub epoch: usize,
    /// The mean seconds of training done.
    pub seconds: f64,
    /// The metric over the seeds.
    pub value: Estimate,
}

/// The transfer less a control, on one size, over the seeds that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Against {
    /// The control.
    pub control: ArmKind,
    /// The difference of values; none if no seed is common.
    pub difference: Option<Estimate>,
    /// What may be said of it.
    pub verdict: Option<Verdict>,
    /// The jump-start: the difference at the first epoch that all runs of both measured (Taylor and
    /// Stone 2009). None without curves.
    pub jump_start: Option<JumpStart>,
}

/// A difference early in training.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct JumpStart {
    /// The epochs done.
    pub epoch: usize,
    /// The difference of values.
    pub difference: Estimate,
}

/// An arm over all sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overall {
    /// Which arm.
    pub kind: ArmKind,
    /// The area under the metric over the logarithm of the training size, over the seeds that were run
    /// on every size. None with one size.
    pub area_over_size: Option<Estimate>,
    /// The area under the metric over epochs, on the largest size.
    pub area_over_epochs: Option<Estimate>,
    /// The number of training samples at which the mean reaches the threshold.
    pub examples: Option<Reach>,
    /// The seconds of training at which the mean reaches the threshold, on the largest size.
    pub seconds: Option<Reach>,
}

impl Summary {
    /// What follows from a comparison.
    pub fn of(c: &Comparison) -> Self {
        let transfer = |size| c.arm(ArmKind::Transfer).is_some_and(|a| !a.of_size(size).is_empty());
        let budgets = c.budgets.iter().filter(|budget| transfer(budget.size));
        let sizes: Vec<_> = budgets.map(|b| at_size(c, b.size, b.epochs)).collect();
        let threshold = c.threshold.or_else(|| default_threshold(sizes.last()?));
        let arms = ArmKind::ALL.into_iter().filter_map(|kind| c.arm(kind));
        let overall = arms.map(|arm| overall(&c.metric, arm, &sizes, threshold)).collect();
        Self { name: c.name(), threshold, majority: majority(c), sizes, overall }
    }

    /// The largest size.
    pub fn largest(&self) -> Option<&AtSize> {
        self.sizes.last()
    }
}

impl AtSize {
    /// An arm's measurement.
    pub fn arm(&self, kind: ArmKind) -> Option<&Measured> {
        self.arms.iter().find(|arm| arm.kind == kind)
    }

    /// The transfer's difference to its best control.
    pub fn best(&self) -> Option<&Against> {
        self.against.iter().find(|against| Some(against.control) == self.best_control)
    }
}

fn at_size(c: &Comparison, size: usize, epochs: usize) -> AtSize {
    let runs = |kind| c.arm(kind).map(|arm| arm.of_size(size)).unwrap_or_default();
    let measured = |kind| measured(c, kind, &runs(kind));
    let arms: Vec<Measured> = ArmKind::ALL.into_iter().filter_map(measured).collect();
    let transfer = runs(ArmKind::Transfer);
    let against = |kind| {
        let control = runs(kind);
        (!control.is_empty()).then(|| against(c, kind, &transfer, &control))
    };
    let against = ArmKind::CONTROLS.into_iter().filter_map(against).collect();
    let controls = arms.iter().filter(|arm| arm.kind != ArmKind::Transfer);
    let merit = |arm: &Measured| c.metric.merit(arm.value.mean);
    let best = controls.max_by(|a, b| merit(a).total_cmp(&merit(b)));
    let best_control = best.map(|arm| arm.kind);
    AtSize { size, epochs, arms, against, best_control }
}

fn measured(c: &Comparison, kind: ArmKind, runs: &[&Run]) -> Option<Measured> {
    let all = |of: fn(&Run) -> f64| -> Vec<f64> { runs.iter().map(|run| of(run)).collect() };
    let mean = |of: fn(&Run) -> f64| all(of).iter().sum::<f64>() / runs.len() as f64;
    Some(Measured {
        kind,
        seeds: runs.len(),
        value: estimate(c, runs)?,
        second: mean(|run| run.second),
        loss: mean(|run| run.loss),
        seconds: mean(|run| run.seconds),
        curve: mean_curve(c, runs),
    })
}

/// The mean over the epochs that all runs measured.
fn mean_curve(c: &Comparison, runs: &[&Run]) -> Vec<MeanPoint> {
    let Some(first) = runs.first() else { return Vec::new() };
    let point = |epoch: usize| {
        let find = |run: &&Run| run.curve.iter().find(|point| point.epoch == epoch).copied();
        let points: Vec<_> = runs.iter().map(find).collect::<Option<_>>()?;
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        let seconds = points.iter().map(|point| point.seconds).sum::<f64>() / points.len() as f64;
        let value = match c.metric.of_samples {
            true => Estimate::of_accuracy(&values, c.test_samples)?,
            // What each sample adds is known at the end alone.
            false => Estimate::of_quotient(&values, &[])?,
        };
        Some(MeanPoint { epoch, seconds, value })
    };
    first.curve.iter().filter_map(|p| point(p.epoch)).collect()
}

/// Each run of the transfer with the control's of the same seed.
fn pairs<'a>(transfer: &[&'a Run], control: &[&'a Run]) -> Vec<(&'a Run, &'a Run)> {
    let partner = |run: &&'a Run| {
        let same = control.iter().find(|other| other.seed == run.seed)?;
        Some((*run, *same))
    };
    transfer.iter().filter_map(partner).collect()
}

/// The mean of runs on the test set.
fn estimate(c: &Comparison, runs: &[&Run]) -> Option<Estimate> {
    let values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    match c.metric.of_samples {
        true => Estimate::of_accuracy(&values, c.test_samples),
        false => Estimate::of_quotient(&values, &counts(runs.iter().copied())),
    }
}

/// What the test samples add to each run's metric.
fn counts<'r>(runs: impl Iterator<Item = &'r Run>) -> Vec<&'r [[u32; 2]]> {
    runs.map(|run| run.counts.as_slice()).collect()
}

fn against(c: &Comparison, kind: ArmKind, transfer: &[&Run], control: &[&Run]) -> Against {
    let pairs = pairs(transfer, control);
    let values: Vec<_> = pairs.iter().map(|(a, b)| (a.value, b.value)).collect();
    let difference = if c.metric.of_samples {
        Estimate::of_difference(&values, c.test_samples)
    } else {
        let (ones, others) =
            (counts(pairs.iter().map(|pair| pair.0)), counts(pairs.iter().map(|pair| pair.1)));
        Estimate::of_quotients(&values, &ones, &others)
    };
    let verdict = difference.as_ref().and_then(|d| Verdict::of(d, c.metric.lower_is_better));
    Against { control: kind, difference, verdict, jump_start: jump_start(c, &pairs) }
}

fn jump_start(c: &Comparison, pairs: &[(&Run, &Run)]) -> Option<JumpStart> {
    let at = |run: &Run, epoch| run.curve.iter().find(|p| p.epoch == epoch).map(|p| p.value);
    let first = pairs.first()?.0;
    first.curve.iter().find_map(|point| {
        let pair = |(a, b): &(&Run, &Run)| Some((at(a, point.epoch)?, at(b, point.epoch)?));
        let values: Vec<_> = pairs.iter().map(pair).collect::<Option<_>>()?;
        let difference = match c.metric.of_samples {
            true => Estimate::of_difference(&values, c.test_samples)?,
            false => Estimate::of_quotients(&values, &[], &[])?,
        };
        Some(JumpStart { epoch: point.epoch, difference })
    })
}

/// What the control from scratch has at the end, or else the best control.
fn default_threshold(largest: &AtSize) -> Option<f64> {
    let kind = match largest.arm(ArmKind::Scratch) {
        Some(_) => ArmKind::Scratch,
        None => largest.best_control?,
    };
    Some(largest.arm(kind)?.value.mean)
}

fn overall(metric: &Metric, arm: &Arm, sizes: &[AtSize], threshold: Option<f64>) -> Overall {
    let largest = sizes.last();
    let runs = largest.map(|at| arm.of_size(at.size)).unwrap_or_default();
    // Of a seed, its value on every size.
    let seed_over_sizes = |seed: u64| -> Option<f64> {
        let value = |at: &AtSize| {
            let run = arm.runs.iter().find(|run| run.size == at.size && run.seed == seed)?;
            Some((at.size as f64, run.value))
        };
        curve::area_over_size(&sizes.iter().map(value).collect::<Option<Vec<_>>>()?)
    };
    let over_size: Vec<f64> = runs.iter().filter_map(|run| seed_over_sizes(run.seed)).collect();
    let over_epochs = |run: &&Run| {
        let points: Vec<_> = run.curve.iter().map(|p| (p.epoch as f64, p.value)).collect();
        curve::area(&points)
    };
    let over_epochs: Vec<f64> = runs.iter().filter_map(over_epochs).collect();
    let mean = |at: &AtSize| Some((at.size as f64, at.arm(arm.kind)?.value.mean));
    let by_size: Vec<(f64, f64)> = sizes.iter().filter_map(mean).collect();
    let curve = largest.and_then(|at| at.arm(arm.kind)).map(|arm| arm.curve.as_slice());
    let by_time: Vec<_> =
        curve.unwrap_or_default().iter().map(|p| (p.seconds, p.value.mean)).collect();
    let merits = |curve: Vec<(f64, f64)>| -> Vec<_> {
        curve.into_iter().map(|(x, value)| (x, metric.merit(value))).collect()
    };
    Overall {
        kind: arm.kind,
        area_over_size: Estimate::over_seeds(&over_size),
        area_over_epochs: Estimate::over_seeds(&over_epochs),
        examples: threshold
            .and_then(|at| curve::reach_over_size(&merits(by_size), metric.merit(at))),
        seconds: threshold.and_then(|at| curve::reach(&merits(by_time), metric.merit(at))),
    }
}

/// The fraction of the most frequent class, the same in every confusion matrix.
fn majority(c: &Comparison) -> Option<f64> {
    let confusion = c.arms.iter().flat_map(|arm| &arm.runs).next()?.confusion.as_ref()?;
    let mut classes = BTreeMap::<usize, u64>::new();
    for (truth, _, samples) in confusion.cells() {
        *classes.entry(truth).or_default() += u64::from(samples);
    }
    Some(classes.into_values().max().unwrap_or(0) as f64 / c.test_samples as f64)
}

#[cfg(test)]
#[path = "summary/tests.rs"]
mod tests;
