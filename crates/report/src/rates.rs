//! The rates that an arm was given on a size, and the grid they come from.

use crate::{
    comparison::{Arm, Trial},
    metric::Metric,
    words,
};

/// The rates of an arm on one size.
pub(crate) struct Rates<'a> {
    /// The rates of the fresh and of the pretrained parameters.
    pub(crate) chosen: (f64, f64),
    /// What was tried for this size.
    pub(crate) trials: Vec<&'a Trial>,
}

impl<'a> Rates<'a> {
    /// The rates of an arm on one size: none if it was not run there.
    pub(crate) fn of(arm: &'a Arm, size: usize) -> Option<Self> {
        let run = *arm.of_size(size).first()?;
        let trials = arm.trials.iter().filter(|trial| trial.size == size).collect();
        Some(Self { chosen: (run.lr, run.pretrained_lr), trials })
    }

    /// Whether a chosen rate is the lowest or highest of several that were tried.
    pub(crate) fn at_edge(&self) -> bool {
        let edge = |chosen: f64, of: fn(&Trial) -> f64| {
            let tried = || self.trials.iter().map(|trial| of(trial));
            let (low, high) = (tried().fold(f64::INFINITY, f64::min), tried().fold(0., f64::max));
            low < high && (chosen <= low || chosen >= high)
        };
        edge(self.chosen.0, |trial| trial.lr) || edge(self.chosen.1, |trial| trial.pretrained_lr)
    }

    /// The rates in words.
    pub(crate) fn chosen_text(&self) -> String {
        text(self.chosen)
    }

    /// What was tried, in words, the best first.
    pub(crate) fn trials_text(&self, metric: &Metric) -> String {
        let mut trials = self.trials.clone();
        let merit = |trial: &Trial| metric.merit(trial.held_out);
        trials.sort_by(|a, b| merit(b).total_cmp(&merit(a)));
        let word = |trial: &&Trial| {
            let rates = text((trial.lr, trial.pretrained_lr));
            format!("{rates}: {} %", words::percent(trial.held_out))
        };
        trials.iter().map(word).collect::<Vec<_>>().join("; ")
    }
}

/// Both rates: one, if they are the same.
fn text((fresh, pretrained): (f64, f64)) -> String {
    let (fresh, pretrained) = (words::rate(fresh), words::rate(pretrained));
    if fresh == pretrained { fresh } else { format!("{fresh} / {pretrained}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{comparison::ArmKind, sample};

    #[test]
    fn a_rate_at_the_edge_is_seen() {
        let c = sample::comparison(sample::SOURCES[0], sample::TARGETS[0]);
        let mut arm = c.arm(ArmKind::Scratch).expect("the arm").clone();
        let edge = |arm: &Arm| Rates::of(arm, 100).map(|rates| rates.at_edge());
        assert_eq!(edge(&arm), Some(false));
        arm.runs.iter_mut().for_each(|run| run.lr = 1e-2);
        assert_eq!(edge(&arm), Some(true));
        arm.trials.clear();
        assert_eq!(edge(&arm), Some(false));
        assert!(Rates::of(&arm, 101).is_none());
    }
}
