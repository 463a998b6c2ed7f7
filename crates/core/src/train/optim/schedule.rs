//! Learning-rate schedules.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The learning-rate schedule after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Half a cosine down to zero (Loshchilov and Hutter 2017).
    #[default]
    Cosine,
    /// Linear decay to zero (Howard and Ruder 2018; Devlin et al. 2019).
    Linear,
    /// A cosine up from a 25th of the peak and a cosine down to a 250,000th of it (Smith and Topin
    /// 2018, as PyTorch's `OneCycleLR` has it; momentum stays as it is).
    OneCycle,
    /// Constant.
    Constant,
}

/// The rate at each step, as a fraction of the peak.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    curve: ScheduleKind,
    /// Warm-up steps.
    warmup: usize,
    total: usize,
}

impl Schedule {
    /// A schedule of `total` steps, of which the fraction `warmup` is warm-up.
    pub fn new(curve: ScheduleKind, warmup: f64, total: usize) -> Self {
        Self { curve, warmup: (total as f64 * warmup).ceil() as usize, total }
    }

    /// The fraction of the peak rate at a step counted from 0.
    pub fn at(&self, step: usize) -> f64 {
        let Self { curve, warmup, total } = *self;
        /// Half a cosine from one value to another.
        fn cosine(from: f64, to: f64, fraction: f64) -> f64 {
            to + (from - to) / 2. * (1. + (PI * fraction).cos())
        }
        if curve == ScheduleKind::OneCycle {
            // As PyTorch counts: the last step of the rise and the last of all are whole numbers.
            let (start, end) = (1. / 25., 1. / 25. / 1e4);
            let (peak, last) = (warmup.saturating_sub(1), total.saturating_sub(1));
            return if step < peak {
                cosine(start, 1., step as f64 / peak as f64)
            } else {
                let fraction = (step - peak) as f64 / last.saturating_sub(peak).max(1) as f64;
                cosine(1., end, fraction.min(1.))
            };
        }
        if step < warmup {
            // The first step counts, too: from 1 of `warmup`, not from 0.
            return (step + 1) as f64 / warmup as f64;
        }
        let (past, all) = (step - warmup, total.saturating_sub(warmup).max(1));
        let fraction = (past as f64 / all as f64).min(1.);
        match curve {
            ScheduleKind::Cosine | ScheduleKind::OneCycle => cosine(1., 0., fraction),
            ScheduleKind::Linear => 1. - fraction,
            ScheduleKind::Constant => 1.,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(curve: ScheduleKind, warmup: f64, total: usize) -> Vec<f64> {
        let schedule = Schedule::new(curve, warmup, total);
        (0..total).map(|s| schedule.at(s)).collect()
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let cosine = rates(ScheduleKind::Cosine, 4. / 24., 24);
        assert_eq!(cosine[0], 0.25);
        assert_eq!(cosine[3], 1.);
        assert_eq!(cosine[4], 1.);
        assert!((cosine[14] - 0.5).abs() < 1e-12);
        assert!(cosine[23] > 0. && cosine[23] < 0.01);
        let linear = rates(ScheduleKind::Linear, 4. / 24., 24);
        assert_eq!((linear[3], linear[14]), (1., 0.5));
        assert_eq!(rates(ScheduleKind::Constant, 0., 3), [1.; 3]);
    }

    /// Against
    /// `torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10, pct_start=0.3)`.
    #[test]
    fn one_cycle_is_pytorchs() {
        let want = [
            0.04,
            0.52,
            1.,
            0.950_484_632_0,
            0.811_745_654_0,
            0.611_262_021_9,
            0.388_741_978_1,
            0.188_258_345_7,
            0.049_519_368_0,
            4e-6,
        ];
        for (got, want) in rates(ScheduleKind::OneCycle, 0.3, 10).into_iter().zip(want) {
            assert!((got - want).abs() < 1e-9, "{got} {want}");
        }
    }
}
