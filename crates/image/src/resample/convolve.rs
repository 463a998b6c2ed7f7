//! The convolution by what the processor can.

use super::{
    passes::{self, First, across},
    weights::Weights,
};

/// As [`passes::by`], for one channel or three.
pub(super) fn convolve<const C: usize>(
    samples: &[u8],
    width: usize,
    x: &Weights,
    y: &Weights,
    first: First,
) -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what it is compiled for.
        return unsafe { super::avx2::convolve::<C>(samples, width, x, y, first) };
    }
    passes::by::<C>(samples, width, x, y, first, across::<C>)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::weights::Filter;

    /// Whatever the processor can, the bytes are the same.
    #[test]
    fn every_processor_makes_the_same() {
        // Overshoots by more than any real one.
        let filter = Filter { support: 2., weight: |x| (1.5 - x.abs()) * (1. + x.abs()) };
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for (from, to) in
            [((1, 1), (1, 1)), ((3, 5), (7, 2)), ((61, 18), (13, 41)), ((9, 33), (50, 3))]
        {
            let sides = |from: usize, to: u64| Weights::new(from, to, 0..to, filter);
            let (x, y) = (sides(from.0, to.0), sides(from.1, to.1));
            let samples: Vec<u8> = (0..from.0 * from.1 * 3).map(|_| random() / 16 * 17).collect();
            for first in [First::Rows, First::Columns] {
                let plain = passes::by::<3>(&samples, from.0, &x, &y, first, across::<3>);
                assert_eq!(convolve::<3>(&samples, from.0, &x, &y, first), plain);
                let grey = &samples[..from.0 * from.1];
                let plain = passes::by::<1>(grey, from.0, &x, &y, first, across::<1>);
                assert_eq!(convolve::<1>(grey, from.0, &x, &y, first), plain);
            }
        }
    }
}
