//! The weights of a convolution along one side, as Pillow computes and rounds them
//! (`src/libImaging/Resample.c`).

use std::ops::Range;

/// A filter at full size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    /// How far it reaches, in pixels.
    pub(super) support: f64,
    /// By the distance in pixels.
    pub(super) weight: fn(f64) -> f64,
}

/// Bits of a weight behind the point: what 32 leave to 8 of a sample, a sign, and sums above one.
pub(super) const BITS: u32 = 32 - 8 - 2;

/// The weights of the outputs along one side, as many for each.
#[derive(Debug)]
pub(super) struct Weights {
    /// For each output, the first input that has a weight.
    first: Vec<usize>,
    /// Inputs that have a weight, for each output; of some it is 0.
    taps: usize,
    weights: Vec<i32>,
}

impl Weights {
    /// Those of the outputs in `part`, at least one, when a side of `from` pixels is scaled to `to`.
    pub(super) fn new(from: usize, to: u64, part: Range<u64>, filter: Filter) -> Self {
        let scale = from as f64 / to as f64;
        let wide = scale.max(1.);
        let support = filter.support * wide;
        let taps = (support.ceil() as usize * 2 + 1).min(from);
        let outputs = (part.end - part.start) as usize;
        let (mut first, mut weights) = (Vec::with_capacity(outputs), Vec::new());
        weights.reserve_exact(outputs * taps);
        let mut row: Vec<f64> = Vec::with_capacity(taps);
        for output in part {
            let center = (output as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weight = |x| (filter.weight)((x as f64 - center + 0.5) * (1. / wide));
            row.clear();
            row.extend((start..end).map(weight));
            let sum: f64 = row.iter().sum();
            // Where the side ends, zeros stand before them and not behind them.
            let begins = start.min(from - taps);
            first.push(begins);
            weights.extend((begins..start).map(|_| 0));
            weights.extend(row.iter().map(|weight| {
                let weight = weight / sum * f64::from(1 << BITS);
                (weight + 0.5_f64.copysign(weight)) as i32
            }));
            weights.resize(first.len() * taps, 0);
        }
        Self { first, taps, weights }
    }

    /// How many outputs there are.
    pub(super) fn outputs(&self) -> usize {
        self.first.len()
    }

    /// How many weights each of them has.
    pub(super) fn taps(&self) -> usize {
        self.taps
    }

    /// For each output, the first input that has a weight, and the weights from there on.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.first.iter().copied().zip(self.weights.chunks_exact(self.taps))
    }

    /// The inputs that have a weight in any output.
    pub(super) fn inputs(&self) -> Range<usize> {
        let end = self.first.last().map_or(0, |last| last + self.taps);
        self.first.first().copied().unwrap_or(0)..end
    }
}
