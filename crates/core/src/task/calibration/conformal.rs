//! Sets of classes that hold the right one with a given probability: split conformal prediction
//! (Vovk et al. 2005; Angelopoulos and Bates 2021).
//!
//! A set has every class whose probability is high enough ("least ambiguous set-valued classifiers",
//! Sadinle et al. 2019, which the 2021 tutorial calls LAC): of all such sets with the same coverage they
//! are the smallest on average, and they draw no random numbers, so that an input has the same set
//! every time. Adaptive sets (APS, RAPS) are larger, need such numbers to be exact, and spread the
//! coverage more evenly over easy and hard samples. The price here: a set may be empty. The model is
//! then less sure of any class than it was of the right one in nearly all of the validation split.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How sure a model was of the right classes of the samples of its validation split: what the sets of
/// any level are made by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConformalScores {
    /// How many samples there were.
    pub samples: usize,
    /// The negative logarithm of the calibrated probability of the right class, in nats, growing: of
    /// all samples, or of [as many as are kept](Self::MOST), spread evenly over them.
    scores: Vec<f64>,
}

/// Sets of classes with a coverage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictionSets {
    /// The probability that a set has the right class, if samples are drawn as those of the validation
    /// split were. It is one over all samples: those of a class, or hard ones, may have less.
    pub level: f64,
    /// The greatest negative logarithm of a probability, in nats, with which a class is in a set.
    most: f64,
}

impl ConformalScores {
    /// The most scores that are kept. Of more samples, sets are of a level that is higher by 1 in so
    /// many at most.
    pub const MOST: usize = 10_000;

    /// Of the negative logarithms of the probabilities of the right classes.
    pub(super) fn of(mut scores: Vec<f64>) -> Self {
        scores.sort_by(f64::total_cmp);
        let samples = scores.len();
        if samples > Self::MOST {
            // The last of each of so many equal parts, so that a level never gets less than it asks for.
            let last = |part: usize| scores[((part + 1) * samples).div_ceil(Self::MOST) - 1];
            scores = (0..Self::MOST).map(last).collect();
        }
        Self { samples, scores }
    }

    /// The sets of a level: a class is in one if the model is at least as sure of it as of the right
    /// classes of ⌈(n + 1) · level⌉ of the n samples (Angelopoulos and Bates 2021, §1).
    ///
    /// # Errors
    /// If the level cannot be, or n is too small for it.
    pub(super) fn sets(&self, level: f64) -> Result<PredictionSets> {
        if !(level > 0. && level < 1.) {
            let problem = format!("{level}: must be above 0 and below 1");
            return Err(Error::setting("--set", problem));
        }
        let n = self.samples;
        // (n + 1) · 0.55 is 11.000000000000002 for 19.
        let rank = ((n + 1) as f64 * level - 1e-9).ceil() as usize;
        if rank > n {
            let needed = (level / (1. - level) - 1e-6).ceil();
            let most = (100. * n as f64 / (n + 1) as f64).floor() / 100.;
            let problem = format!(
                "{level}: the validation split had {n} samples, and this level needs at least {needed}; \
                 ask for {most} or less, or train with a larger --validation"
            );
            return Err(Error::setting("--set", problem));
        }
        let kept = self.scores.len();
        let at = (rank.max(1) * kept).div_ceil(n) - 1;
        Ok(PredictionSets { level, most: self.scores[at.min(kept - 1)] })
    }

    /// Checks that they are as many as they should be, finite, and grow.
    pub(super) fn validate(&self) -> Result<()> {
        let wanted = self.samples.min(Self::MOST);
        if self.scores.len() != wanted || wanted == 0 {
            let problem = format!(
                "{} scores of {} samples: expected {wanted}",
                self.scores.len(),
                self.samples
            );
            return Err(Error::setting("conformal", problem));
        }
        let is_wrong = |pair: &[f64]| pair[0] > pair[1];
        if self.scores.iter().any(|score| !score.is_finite())
            || self.scores.windows(2).any(is_wrong)
        {
            return Err(Error::setting("conformal", "the scores are no numbers that grow"));
        }
        Ok(())
    }
}

impl PredictionSets {
    /// The set of a sample: the first of its classes, which are ranked by their calibrated
    /// probabilities, most probable first. It may be empty.
    pub fn of<'r>(&self, ranked: &'r [(usize, f64)]) -> &'r [(usize, f64)] {
        &ranked[..ranked.partition_point(|&(_, p)| -p.ln() <= self.most)]
    }

    /// The least probability with which a class is in a set.
    pub fn least_probability(&self) -> f64 {
        (-self.most).exp()
    }
}
