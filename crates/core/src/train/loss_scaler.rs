//! Loss scaling, by which small gradients survive in f16.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::Result;
use crate::libtorch::{Precision, unscale};

/// Dynamic loss scaling (Micikevicius et al. 2018, §3.2), with the numbers of PyTorch's `GradScaler`: the
/// loss is multiplied by 65536 before the gradients are taken, and they are divided by it before
/// anything looks at them. Where they overflowed all the same, the step is skipped and the factor
/// halved; after 2000 steps without, it is doubled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LossScaler {
    /// What the loss is multiplied by.
    scale: f32,
    /// Steps since the factor last changed.
    steady: u32,
    /// Steps that were skipped.
    skipped: usize,
}

/// The factor at first.
const INITIAL: f32 = 65536.;

/// So many steps without an overflow, and the factor grows.
const INTERVAL: u32 = 2000;

const GROWTH: f32 = 2.;

const BACKOFF: f32 = 0.5;

impl LossScaler {
    /// The scaler that a precision needs; `None`: bf16 has the range of f32.
    pub(super) fn of(precision: Precision) -> Option<Self> {
        let new = Self { scale: INITIAL, steady: 0, skipped: 0 };
        (precision == Precision::F16).then_some(new)
    }

    /// Steps that were skipped so far.
    pub(super) fn skipped(&self) -> usize {
        self.skipped
    }

    /// The loss that gradients are taken of.
    pub(super) fn scale(&self, loss: &Tensor) -> Tensor {
        loss * f64::from(self.scale)
    }

    /// Brings the gradients of a step to their own scale; whether the step can be made.
    ///
    /// # Errors
    /// If libtorch refuses.
    pub(super) fn unscale(&mut self, gradients: &[Tensor]) -> Result<bool> {
        let finite = unscale(gradients, f64::from(self.scale).recip())?;
        self.update(finite);
        Ok(finite)
    }

    fn update(&mut self, finite: bool) {
        if !finite {
            self.scale *= BACKOFF;
            self.steady = 0;
            self.skipped += 1;
            return;
        }
        self.steady += 1;
        if self.steady == INTERVAL {
            self.steady = 0;
            if (self.scale * GROWTH).is_finite() {
                self.scale *= GROWTH;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_alone_is_scaled() {
        assert!(LossScaler::of(Precision::F32).is_none());
        assert!(LossScaler::of(Precision::Bf16).is_none());
        assert!(LossScaler::of(Precision::F16).is_some());
    }

    /// As `torch.amp.GradScaler("cpu")`: the factor halves with each overflow, and doubles after 2000
    /// steps without one.
    #[test]
    fn an_overflow_skips_the_step_and_halves_the_factor() {
        let mut scaler = LossScaler::of(Precision::F16).unwrap();
        let of = |values: &[f32]| [Tensor::from_slice(values)];
        assert_eq!(scaler.scale(&Tensor::from(2f32)).double_value(&[]), 131072.);
        let gradients = of(&[65536., -32768.]);
        assert!(scaler.unscale(&gradients).unwrap());
        assert_eq!(Vec::<f32>::try_from(&gradients[0]).unwrap(), [1., -0.5]);
        assert!(!scaler.unscale(&of(&[f32::INFINITY, 1.])).unwrap());
        assert!(!scaler.unscale(&of(&[f32::NAN, 1.])).unwrap());
        assert_eq!((scaler.scale, scaler.skipped()), (16384., 2));
        (1..INTERVAL).for_each(|_| scaler.update(true));
        assert_eq!(scaler.scale, 16384.);
        scaler.update(true);
        assert_eq!((scaler.scale, scaler.steady), (32768., 0));
    }

    #[test]
    fn the_factor_never_becomes_infinite() {
        let mut scaler = LossScaler { scale: f32::MAX, steady: INTERVAL - 1, skipped: 0 };
        scaler.update(true);
        assert_eq!(scaler.scale, f32::MAX);
    }
}
