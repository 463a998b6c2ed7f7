//! The exponential moving average of the parameters.

use super::resume::{Parts, Resumable};
use super::snapshot::Snapshot;
use crate::error::Result;
use crate::model::Model;

/// The exponential moving average of the trainable parameters (Polyak and Juditsky 1992; as in
/// Tarvainen and Valpola 2017, §3): `a ← d·a + (1 − d)·w`, where `d` is the smaller of `decay` and
/// `(1 + t) / (10 + t)`, so that the beginning is soon forgotten. Running statistics are averaged
/// likewise.
#[derive(Debug)]
pub(super) struct Ema {
    decay: f64,
    steps: u32,
    /// Values and their averages; swapped while `inside`.
    values: Snapshot,
    /// Whether the model has the averages.
    inside: bool,
}

impl Ema {
    /// Starts from the present values.
    pub(super) fn new(model: &Model, moving: &[String], decay: f64) -> Self {
        Self { decay, steps: 0, values: Snapshot::of(model, moving), inside: false }
    }

    pub(super) fn update(&mut self) {
        self.steps += 1;
        let t = f64::from(self.steps);
        let decay = self.decay.min((1. + t) / (10. + t));
        tch::no_grad(|| {
            for (value, average) in self.values.pairs() {
                let _ = average.g_mul_scalar_(decay).g_add_(&(&*value * (1. - decay)));
            }
        });
    }

    /// Gives the model the averages, and stores its own values meanwhile.
    pub(super) fn swap_in(&mut self) {
        if !self.inside {
            self.swap();
        }
    }

    /// Gives the model its own values back.
    pub(super) fn swap_out(&mut self) {
        if self.inside {
            self.swap();
        }
    }

    fn swap(&mut self) {
        self.inside = !self.inside;
        self.values.swap();
    }
}

/// Its name in a checkpoint, and what those of its tensors begin with.
const NAME: &str = "ema";
const PREFIX: &str = "ema.";

impl Resumable for Ema {
    fn save(&self, to: &mut Parts) -> Result<()> {
        self.values.save(PREFIX, to);
        to.put(NAME, &(self.steps, self.inside))
    }

    fn load(&mut self, from: &Parts) -> Result<()> {
        (self.steps, self.inside) = from.get(NAME)?;
        self.values.load(PREFIX, from)
    }
}
