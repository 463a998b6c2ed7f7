//! Power spectra of frames.

use std::{f64::consts::TAU, fmt, sync::Arc};

use realfft::{FftNum, RealFftPlanner, RealToComplex};

/// Computes the power spectra of windowed frames, in f32 or f64.
#[derive(Clone)]
pub(super) struct PowerSpectrum<T> {
    window: Vec<T>,
    fft: Arc<dyn RealToComplex<T>>,
}

impl<T: FftNum> PowerSpectrum<T> {
    /// A transform of `fft` samples, at least as many as the window has; the rest is zeros.
    pub(super) fn new(window: Vec<T>, fft: usize) -> Self {
        Self { window, fft: RealFftPlanner::new().plan_fft_forward(fft) }
    }

    /// For each of `frames` frames, lets `fill` write the window's samples and `take` have the power
    /// in each of `fft / 2 + 1` bins.
    pub(super) fn run(
        &self,
        frames: usize,
        mut fill: impl FnMut(usize, &mut [T]),
        mut take: impl FnMut(&[T]),
    ) {
        let mut frame = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![T::zero(); spectrum.len()];
        for t in 0..frames {
            // The transform leaves nothing useful behind in its input.
            frame.fill(T::zero());
            let heard = &mut frame[..self.window.len()];
            fill(t, heard);
            heard.iter_mut().zip(&self.window).for_each(|(x, &w)| *x = *x * w);
            self.fft
                .process_with_scratch(&mut frame, &mut spectrum, &mut scratch)
                .expect("the buffers were made by this very plan");
            for (p, z) in power.iter_mut().zip(&spectrum) {
                *p = z.norm_sqr();
            }
            take(&power);
        }
    }
}

impl<T> fmt::Debug for PowerSpectrum<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerSpectrum")
            .field("window", &self.window.len())
            .field("fft", &self.fft.len())
            .finish()
    }
}

/// A Hann window of `length` samples, of a period of `period` of them: `length`, so that its end is
/// the next period's beginning, or one less, so that it ends as it begins.
pub(super) fn hann(length: usize, period: usize) -> Vec<f64> {
    (0..length).map(|n| 0.5 - 0.5 * (TAU * n as f64 / period as f64).cos()).collect()
}

/// The same in f32.
pub(super) fn hann_f32(length: usize, period: usize) -> Vec<f32> {
    hann(length, period).into_iter().map(|w| w as f32).collect()
}

/// Samples with `pad` more at both ends, mirrored at the outermost ones; zeros where the mirror
/// has nothing left to show.
pub(super) fn reflect(samples: &[f32], pad: usize) -> Vec<f32> {
    let mut padded = vec![0.; samples.len() + 2 * pad];
    padded[pad..][..samples.len()].copy_from_slice(samples);
    let seen = pad.min(samples.len().saturating_sub(1));
    for (i, x) in (1..=seen).zip(samples.iter().skip(1)) {
        padded[pad - i] = *x;
    }
    for (i, x) in (0..seen).zip(samples.iter().rev().skip(1)) {
        padded[pad + samples.len() + i] = *x;
    }
    padded
}
