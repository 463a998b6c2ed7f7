//! Pillow's convolution of 8-bit samples, to the last bit: along rows and along columns, with weights
//! of whole numbers, and rounded to a byte after each, so that their order matters.

use super::weights::{BITS, Weights};

/// Along what is convolved first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Rows,
    Columns,
}

/// Half of what a sum's last bit stands for, so that what is cut off is rounded.
pub(super) const HALF: i32 = 1 << (BITS - 1);

/// Convolves rows of `width` pixels with `C` samples each, with a way `across` many rows:
/// `[height, width, C]` becomes `[y's outputs, x's outputs, C]`.
#[inline(always)]
pub(super) fn by<const C: usize>(
    samples: &[u8],
    width: usize,
    x: &Weights,
    y: &Weights,
    first: First,
    across: impl Fn(&[u8], usize, &Weights, &mut [u8]),
) -> Vec<u8> {
    // Only the rows that have a weight.
    let (rows, narrow) = (y.inputs(), x.outputs() * C);
    let samples = &samples[rows.start * width * C..rows.end * width * C];
    match first {
        First::Rows => {
            let mut narrowed = vec![0; rows.len() * narrow];
            across(samples, width, x, &mut narrowed);
            columns(&narrowed, narrow, y)
        }
        First::Columns => {
            let mut output = vec![0; y.outputs() * narrow];
            across(&columns(samples, width * C, y), width, x, &mut output);
            output
        }
    }
}

/// Along columns, of rows of `width` samples, the first of which is the first with a weight.
#[inline(always)]
fn columns(samples: &[u8], width: usize, weights: &Weights) -> Vec<u8> {
    let start = weights.inputs().start;
    let mut output = vec![0; weights.outputs() * width];
    for ((first, weights), output) in weights.rows().zip(output.chunks_exact_mut(width)) {
        down(&samples[(first - start) * width..], width, weights, output);
    }
    output
}

/// Along rows, of `width` pixels of `C` samples.
pub(super) fn across<const C: usize>(
    samples: &[u8],
    width: usize,
    weights: &Weights,
    output: &mut [u8],
) {
    let wide = weights.outputs() * C;
    for (row, output) in samples.chunks_exact(width * C).zip(output.chunks_exact_mut(wide)) {
        let ((pixels, _), (outputs, _)) = (row.as_chunks::<C>(), output.as_chunks_mut::<C>());
        for ((first, weights), output) in weights.rows().zip(outputs) {
            let mut sums = [HALF; C];
            for (pixel, weight) in pixels[first..].iter().zip(weights) {
                for (sum, &sample) in sums.iter_mut().zip(pixel) {
                    *sum = weight.wrapping_mul(sample.into()).wrapping_add(*sum);
                }
            }
            *output = sums.map(byte);
        }
    }
}

/// One row of the output, from the rows of `width` samples that have these weights.
#[inline(always)]
fn down(samples: &[u8], width: usize, weights: &[i32], output: &mut [u8]) {
    /// As many sums as registers hold.
    const AT_ONCE: usize = 32;

    let (blocks, rest) = output.as_chunks_mut::<AT_ONCE>();
    let whole = blocks.len() * AT_ONCE;
    for (at, block) in (0..whole).step_by(AT_ONCE).zip(blocks) {
        let mut sums = [HALF; AT_ONCE];
        for (tap, weight) in weights.iter().enumerate() {
            let samples = &samples[tap * width + at..][..AT_ONCE];
            for (sum, &sample) in sums.iter_mut().zip(samples) {
                *sum = weight.wrapping_mul(sample.into()).wrapping_add(*sum);
            }
        }
        for (output, sum) in block.iter_mut().zip(sums) {
            *output = byte(sum);
        }
    }
    for (at, output) in (whole..).zip(rest) {
        let sum = weights.iter().enumerate().fold(HALF, |sum, (tap, weight)| {
            weight.wrapping_mul(samples[tap * width + at].into()).wrapping_add(sum)
        });
        *output = byte(sum);
    }
}

/// A sum as the byte that it stands for.
#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}
