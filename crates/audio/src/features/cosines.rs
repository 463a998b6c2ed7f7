//! The orthonormal cosine transform (DCT-II), which makes cepstra of the logarithms of bands.

use std::f64::consts::PI;

/// The first coefficients of the transform of so many bands.
#[derive(Debug, Clone)]
pub(super) struct Cosines {
    bands: usize,
    /// `[coefficients, bands]`
    table: Vec<f64>,
}

impl Cosines {
    pub(super) fn new(coefficients: usize, bands: usize) -> Self {
        let cosine = |i: usize| {
            let (row, column) = ((i / bands) as f64, (i % bands) as f64);
            let scale = if row == 0. { 1. } else { 2. };
            let angle = row * (2. * column + 1.) * PI / (2 * bands) as f64;
            (scale / bands as f64).sqrt() * angle.cos()
        };
        Self { bands, table: (0..coefficients * bands).map(cosine).collect() }
    }

    /// How many coefficients there are.
    pub(super) fn coefficients(&self) -> usize {
        self.table.len() / self.bands
    }

    /// The same with every coefficient `i` multiplied by `weight(i)`.
    pub(super) fn weighted(mut self, weight: impl Fn(usize) -> f64) -> Self {
        for (i, row) in self.table.chunks_exact_mut(self.bands).enumerate() {
            row.iter_mut().for_each(|x| *x *= weight(i));
        }
        self
    }

    /// Appends the coefficients of a frame's `bands` logarithms. They are added up in f64: the sum of
    /// many decibels leaves too few digits of an f32.
    pub(super) fn apply(&self, logs: &[f32], coefficients: &mut Vec<f32>) {
        let rows = self.table.chunks_exact(self.bands);
        coefficients.extend(
            rows.map(|row| {
                row.iter().zip(logs).map(|(c, &x)| c * f64::from(x)).sum::<f64>() as f32
            }),
        );
    }
}
