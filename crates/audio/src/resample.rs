//! From one sample rate to another, as `torchaudio.functional.resample` does it.
//!
//! The signal between samples is a sum of sines over x, one a sample (Smith 2002, Digital Audio
//! Resampling), each cut off by a Hann window after six zeros and scaled so that it passes 99 % of
//! what the lower of both rates can hold. At the rates `m·u` and `n·u`, every `n` outputs see the
//! same weights, `m` inputs further on.

use std::{cell::RefCell, f64::consts::PI, rc::Rc};

/// Why samples could not be brought to another rate.
#[derive(Debug, thiserror::Error)]
#[error("cannot resample from {from} Hz to {to} Hz: both must be above 0")]
#[non_exhaustive]
pub struct ResampleError {
    /// The rate of the samples, in Hz.
    pub from: u32,
    /// The rate that was asked for, in Hz.
    pub to: u32,
}

/// Brings samples from one rate to another, both in Hz: `n` become `ceil(n * to / from)`. What is
/// above half of the lower rate is damped, and nothing is shifted in time. Samples that have the rate
/// already are returned as they are.
///
/// # Errors
/// If a rate is zero.
pub fn resample(samples: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, ResampleError> {
    if from == 0 || to == 0 {
        return Err(ResampleError { from, to });
    }
    if from == to || samples.is_empty() {
        return Ok(samples);
    }
    let length = (samples.len() as u128 * u128::from(to)).div_ceil(u128::from(from)) as usize;
    Ok(Kernel::of(from, to, length).apply(&samples, length))
}

/// How many samples at rate `from` it takes to make the first `wanted` at rate `to`, both above 0.
pub(crate) fn needed(wanted: usize, from: u32, to: u32) -> usize {
    if from == to {
        return wanted;
    }
    (wanted as u128 * u128::from(from)).div_ceil(u128::from(to)) as usize
        + reach(from, to).ceil() as usize
}

/// [`resample`] of samples that come piece by piece, which are never all in memory.
pub(crate) struct Resampler {
    kernel: Rc<Kernel>,
    /// Inputs that outputs still need, behind as much silence as a kernel reaches back.
    inputs: Vec<f32>,
    /// How many inputs there were.
    count: usize,
    outputs: Vec<f32>,
}

impl Resampler {
    /// Both rates are above 0; about so many outputs are expected.
    pub(crate) fn new(from: u32, to: u32, outputs: usize) -> Self {
        let kernel = Kernel::of(from, to, usize::MAX);
        let inputs = vec![0.; kernel.taps];
        Self { kernel, inputs, count: 0, outputs: Vec::with_capacity(outputs) }
    }

    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.count += samples.len();
        self.inputs.extend_from_slice(samples);
        self.make(usize::MAX);
    }

    pub(crate) fn finish(mut self) -> Vec<f32> {
        let (from, to) = self.kernel.rates;
        let length = (self.count as u128 * u128::from(to)).div_ceil(u128::from(from)) as usize;
        let silence = self.kernel.taps + self.kernel.period.0;
        while self.outputs.len() < length {
            self.inputs.resize(self.inputs.len() + silence, 0.);
            self.make(length);
        }
        self.outputs
    }

    /// Makes whole periods of outputs as long as there are inputs for them, at most `length` outputs in
    /// all.
    fn make(&mut self, length: usize) {
        let Kernel { period, first, weights, taps, .. } = &*self.kernel;
        // The first input of the next period stands behind what its outputs reach back to.
        let mut start = *taps;
        while self.outputs.len() < length && start + period.0 + taps <= self.inputs.len() {
            let rows = first.iter().zip(weights.chunks_exact(*taps));
            for (first, weights) in rows.take(length - self.outputs.len()) {
                let at = start.saturating_add_signed(*first);
                self.outputs.push(dot(&self.inputs[at..][..*taps], weights));
            }
            start += period.0;
        }
        self.inputs.drain(..start - taps);
    }
}

/// Zeros of the sine over x on either side.
const ZEROS: f64 = 6.;
/// The fraction of the lower rate's band that is passed.
const ROLL_OFF: f64 = 0.99;

/// How far the weights of an output reach to either side, in inputs.
fn reach(from: u32, to: u32) -> f64 {
    ZEROS * f64::from(from) / (f64::from(from.min(to)) * ROLL_OFF)
}

/// The weights of outputs, for a pair of rates.
struct Kernel {
    rates: (u32, u32),
    /// How many inputs and outputs it takes until inputs and outputs coincide again.
    period: (usize, usize),
    /// For each output of a period, which input has its first weight.
    first: Vec<isize>,
    /// `[outputs, taps]`
    weights: Vec<f32>,
    taps: usize,
}

impl Kernel {
    /// The one for `outputs` outputs; that of this thread's last samples, if it fits.
    fn of(from: u32, to: u32, outputs: usize) -> Rc<Self> {
        thread_local! {
            static LAST: RefCell<Option<Rc<Kernel>>> = const { RefCell::new(None) };
        }
        LAST.with_borrow_mut(|last| match last {
            Some(kernel)
                if kernel.rates == (from, to)
                    && kernel.first.len() >= outputs.min(kernel.period.1) =>
            {
                Rc::clone(kernel)
            }
            _ => Rc::clone(last.insert(Rc::new(Self::new(from, to, outputs)))),
        })
    }

    fn new(from: u32, to: u32, outputs: usize) -> Self {
        let unit = gcd(from, to);
        let period = ((from / unit) as usize, (to / unit) as usize);
        let reach = reach(from, to);
        let taps = (2. * reach) as usize + 1;
        // A period may be longer than all there is to make.
        let outputs = outputs.min(period.1);
        let mut first = Vec::with_capacity(outputs);
        let mut weights = Vec::with_capacity(outputs * taps);
        for output in 0..outputs {
            let centre = (output * period.0) as f64 / period.1 as f64;
            let start = (centre - reach).ceil();
            first.push(start as isize);
            weights.extend((0..taps).map(|tap| {
                let zeros = (start + tap as f64 - centre) / reach * ZEROS;
                weight(zeros) * (ZEROS / reach) as f32
            }));
        }
        Self { rates: (from, to), period, first, weights, taps }
    }

    /// The first `length` outputs.
    fn apply(&self, samples: &[f32], length: usize) -> Vec<f32> {
        // Silence on either side spares a look at every weight.
        let margin = self.taps;
        let mut padded = vec![0.; samples.len() + 2 * margin];
        padded[margin..][..samples.len()].copy_from_slice(samples);
        let rows = || self.first.iter().zip(self.weights.chunks_exact(self.taps));
        let mut resampled = Vec::with_capacity(length);
        let mut start = margin;
        while resampled.len() < length {
            for (first, weights) in rows().take(length - resampled.len()) {
                let at = start.saturating_add_signed(*first);
                resampled.push(dot(&padded[at..][..self.taps], weights));
            }
            start += self.period.0;
        }
        resampled
    }
}

/// A sine over x, in zeros from its middle, under its window.
fn weight(zeros: f64) -> f32 {
    if zeros.abs() >= ZEROS {
        return 0.;
    }
    let window = (zeros * PI / ZEROS / 2.).cos().powi(2);
    let sine = if zeros == 0. { 1. } else { (zeros * PI).sin() / (zeros * PI) };
    (window * sine) as f32
}

/// The sum of products, of as many sums as fit a register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_to_what_all_comes_to() {
        let wave: Vec<f32> = (0..5000).map(|n| (n as f32 * n as f32 * 1e-4).sin()).collect();
        for (from, to) in [(44_100, 16_000), (8000, 16_000), (16_000, 44_100), (16_001, 16_000)] {
            for (count, size) in [(5000, 512), (4999, 1), (3, 2), (5000, 5000), (0, 1)] {
                let mut pieces = Resampler::new(from, to, 0);
                wave[..count].chunks(size).for_each(|piece| pieces.push(piece));
                let whole = resample(wave[..count].to_vec(), from, to).unwrap();
                assert_eq!(pieces.finish(), whole, "{from} to {to}, {count} by {size}");
            }
        }
    }
}
