//! From one sample rate to another, with `rubato`'s FFT resampler.

use rubato::{Fft, FixedSync, Resampler, audioadapter_buffers::direct::SequentialSlice};

use crosstune_core::Cause;

/// Why samples could not be brought to another rate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResampleError {
    /// A rate is zero.
    #[error("cannot resample from {from} Hz to {to} Hz: both must be above 0")]
    Rate {
        /// The rate of the samples, in Hz.
        from: u32,
        /// The rate that was asked for, in Hz.
        to: u32,
    },
    /// The resampler refused.
    #[error("cannot resample from {from} Hz to {to} Hz")]
    Refused {
        /// The rate of the samples, in Hz.
        from: u32,
        /// The rate that was asked for, in Hz.
        to: u32,
        /// Its answer.
        source: Cause,
    },
}

/// Brings samples from one rate to another, both in Hz: `n` become `ceil(n * to / from)`. What is
/// above half of the lower rate is filtered out, and nothing is shifted in time. Samples that have
/// the rate already are returned as they are.
///
/// # Errors
/// If a rate is zero.
pub fn resample(samples: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, ResampleError> {
    if from == 0 || to == 0 {
        return Err(ResampleError::Rate { from, to });
    }
    if from == to || samples.is_empty() {
        return Ok(samples);
    }
    convert(&samples, from as usize, to as usize).map_err(|source| ResampleError::Refused {
        from,
        to,
        source,
    })
}

fn convert(samples: &[f32], from: usize, to: usize) -> Result<Vec<f32>, Cause> {
    let mut resampler = Fft::<f32>::new(from, to, block(from, to), 1, FixedSync::Both)?;
    let input = SequentialSlice::new(samples, 1, samples.len())?;
    let mut output = resampler.process_all(&input, samples.len(), None)?.take_data();
    // The resampler multiplies by a ratio in floating point, which may come out just above.
    output.truncate((samples.len() * to).div_ceil(from));
    Ok(output)
}

/// How many samples at rate `from` it takes to make the first `wanted` at rate `to`, both above 0.
pub(crate) fn needed(wanted: usize, from: u32, to: u32) -> usize {
    if from == to {
        return wanted;
    }
    let (from, to) = (from as usize, to as usize);
    // A filter of a block's length sees half a block ahead.
    (wanted * from).div_ceil(to) + block(from, to) / 2
}

/// The length of the filter and of the blocks it is applied to, in samples at rate `from`.
fn block(from: usize, to: usize) -> usize {
    /// In samples at the lower rate. The longer, the closer to half the lower rate the filter cuts
    /// (at 97 % of it for 512); the shorter, the less it rings.
    const SHORTEST: usize = 512;
    // A block must have a whole number of samples at both rates, and an even one, or else the
    // filter's delay of half a block would not be whole.
    let unit = 2 * from / gcd(from, to);
    (SHORTEST * from.div_ceil(to)).next_multiple_of(unit)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
