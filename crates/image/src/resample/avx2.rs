//! The same convolution for processors with AVX2.
//!
//! A weight does not fit the 16 bits that this multiplies, so that it is taken as `high * 2^15 + low`.
//! Sums wrap as those of 32 bits do, so that what comes out is the same.

use std::{arch::x86_64::*, array, ptr};

use super::{
    convolve::{First, HALF, by},
    weights::{BITS, Weights},
};

/// Bits of the lower part of a weight, which is not negative.
const LOW: i32 = 15;

/// Rows that are worked on side by side, which saves loading the weights for each.
const ROWS: usize = 4;

/// As [`super::convolve::convolve`], of one channel or three.
#[target_feature(enable = "avx2")]
pub(super) fn convolve<const C: usize>(
    samples: &[u8],
    width: usize,
    x: &Weights,
    y: &Weights,
    first: First,
) -> Vec<u8> {
    by::<C>(samples, width, x, y, first, |samples, width, weights, output| match C {
        3 => rgb(samples, width, weights, output),
        _ => grey(samples, width, weights, output),
    })
}

/// For each output, weights in groups of `N`, filled up with zeros: the higher parts of a group, then
/// the lower ones.
fn groups<const N: usize>(weights: &Weights) -> impl Iterator<Item = (usize, Vec<[[i16; N]; 2]>)> {
    weights.rows().map(|(first, row)| {
        let group = |group: &[i32]| {
            let mut parts = [[0; N]; 2];
            for (at, &weight) in group.iter().enumerate() {
                parts[0][at] = (weight >> LOW) as i16;
                parts[1][at] = (weight & ((1 << LOW) - 1)) as i16;
            }
            parts
        };
        (first, row.chunks(N).map(group).collect())
    })
}

/// Sixteen bytes; where there are fewer, zeros behind them.
#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m128i {
    let mut some = [0; 16];
    let bytes = bytes.first_chunk().unwrap_or_else(|| {
        some[..bytes.len()].copy_from_slice(bytes);
        &some
    });
    // SAFETY: sixteen bytes are there, and they may lie anywhere.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn shorts<T: Shorts>(parts: &T) -> __m128i {
    // SAFETY: these are sixteen bytes, and they may lie anywhere.
    unsafe { _mm_loadu_si128(ptr::from_ref(parts).cast()) }
}

/// Eight numbers of 16 bits.
trait Shorts {}
impl Shorts for [i16; 8] {}
impl Shorts for [[i16; 4]; 2] {}

/// Sums as the bytes that they stand for.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes(sums: [__m128i; ROWS]) -> [[u8; 4]; ROWS] {
    let [a, b, c, d] = sums.map(|sum| _mm_srai_epi32::<{ BITS as i32 }>(sum));
    let all = _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
    let mut bytes = [[0; 4]; ROWS];
    // SAFETY: there is room for sixteen bytes, which may lie anywhere.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), all) };
    bytes
}

/// Rows from one on, each to the end of the samples; where there are fewer, the last several times.
fn lines(samples: &[u8], length: usize, from: usize) -> (usize, [&[u8]; ROWS]) {
    let rows = ROWS.min(samples.len() / length - from);
    (rows, array::from_fn(|row| &samples[(from + row.min(rows - 1)) * length..]))
}

#[target_feature(enable = "avx2")]
fn rgb(samples: &[u8], width: usize, weights: &Weights, output: &mut [u8]) {
    const Z: i8 = -1;
    // Samples of one colour side by side, by two, of 16 bits: of two pixels, and of the next two.
    let colours = _mm256_setr_epi8(
        0, Z, 3, Z, 1, Z, 4, Z, 2, Z, 5, Z, Z, Z, Z, Z, //
        6, Z, 9, Z, 7, Z, 10, Z, 8, Z, 11, Z, Z, Z, Z, Z,
    );
    // Their weights likewise, the same for each colour.
    let of_highs = _mm256_setr_epi8(
        0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, //
        4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7,
    );
    let of_lows = _mm256_add_epi8(of_highs, _mm256_set1_epi8(8));
    let none = _mm256_setzero_si256();
    // Once, as the sums of both halves are added.
    let half = _mm256_inserti128_si256::<0>(none, _mm_set1_epi32(HALF));

    let (length, wide) = (width * 3, weights.outputs() * 3);
    let groups: Vec<_> = groups::<4>(weights).collect();
    for (at, output) in output.chunks_mut(ROWS * wide).enumerate() {
        let (rows, lines) = lines(samples, length, at * ROWS);
        for (x, (first, groups)) in groups.iter().enumerate() {
            let (mut high, mut low) = ([none; ROWS], [half; ROWS]);
            for (at, group) in (first * 3..).step_by(4 * 3).zip(groups) {
                let both = _mm256_broadcastsi128_si256(shorts(group));
                let highs = _mm256_shuffle_epi8(both, of_highs);
                let lows = _mm256_shuffle_epi8(both, of_lows);
                for row in 0..ROWS {
                    let pixels = _mm256_broadcastsi128_si256(load(&lines[row][at..]));
                    let pixels = _mm256_shuffle_epi8(pixels, colours);
                    high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(pixels, highs));
                    low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(pixels, lows));
                }
            }
            let sums = array::from_fn(|row| {
                let sums = _mm256_add_epi32(_mm256_slli_epi32::<LOW>(high[row]), low[row]);
                _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums))
            });
            for (row, &[r, g, b, _]) in bytes(sums)[..rows].iter().enumerate() {
                output[row * wide + x * 3..][..3].copy_from_slice(&[r, g, b]);
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn grey(samples: &[u8], width: usize, weights: &Weights, output: &mut [u8]) {
    let none = _mm_setzero_si128();
    let wide = weights.outputs();
    let groups: Vec<_> = groups::<8>(weights).collect();
    for (at, output) in output.chunks_mut(ROWS * wide).enumerate() {
        let (rows, lines) = lines(samples, width, at * ROWS);
        for (x, (first, groups)) in groups.iter().enumerate() {
            let (mut high, mut low) = ([none; ROWS], [none; ROWS]);
            for (at, [highs, lows]) in (*first..).step_by(8).zip(groups) {
                let (highs, lows) = (shorts(highs), shorts(lows));
                for row in 0..ROWS {
                    let pixels = _mm_cvtepu8_epi16(load(&lines[row][at..]));
                    high[row] = _mm_add_epi32(high[row], _mm_madd_epi16(pixels, highs));
                    low[row] = _mm_add_epi32(low[row], _mm_madd_epi16(pixels, lows));
                }
            }
            let [a, b, c, d] =
                array::from_fn(|row| _mm_add_epi32(_mm_slli_epi32::<LOW>(high[row]), low[row]));
            let sums = _mm_hadd_epi32(_mm_hadd_epi32(a, b), _mm_hadd_epi32(c, d));
            let [bytes, ..] = bytes([_mm_add_epi32(sums, _mm_set1_epi32(HALF)); ROWS]);
            for (row, byte) in bytes[..rows].iter().enumerate() {
                output[row * wide + x] = *byte;
            }
        }
    }
}
