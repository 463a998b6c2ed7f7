//! The same convolution for processors with AVX2.
//!
//! A weight does not fit the 16 bits that this multiplies, so that it is taken as `high * 2^15 + low`.
//! Sums wrap as those of 32 bits do, so that what comes out is the same.

use std::{arch::x86_64::*, array, ptr};

use super::{
    passes::{First, HALF, by},
    weights::{BITS, Weights},
};

/// Bits of the lower part of a weight, which is not negative.
const LOW: i32 = 15;

/// Rows that are worked on side by side, which saves loading the weights for each.
const ROWS: usize = 4;

/// As [`by`], of one channel or three.
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

/// Weights in groups of `N`, filled up with zeros: of a group the higher parts, then the lower ones.
struct Groups<'a, const N: usize> {
    weights: &'a Weights,
    /// Groups of one output.
    each: usize,
    groups: Vec<[[i16; N]; 2]>,
}

impl<'a, const N: usize> Groups<'a, N> {
    fn of(weights: &'a Weights) -> Self {
        let group = |group: &[i32]| {
            let mut parts = [[0; N]; 2];
            for (at, &weight) in group.iter().enumerate() {
                parts[0][at] = (weight >> LOW) as i16;
                parts[1][at] = (weight & ((1 << LOW) - 1)) as i16;
            }
            parts
        };
        let groups = weights.rows().flat_map(|(_, row)| row.chunks(N).map(group)).collect();
        Self { weights, each: weights.taps().div_ceil(N), groups }
    }

    /// For each output, the first input that has a weight, and the groups from there on.
    fn rows(&self) -> impl Iterator<Item = (usize, &[[[i16; N]; 2]])> {
        let firsts = self.weights.rows().map(|(first, _)| first);
        firsts.zip(self.groups.chunks_exact(self.each))
    }
}

/// Sixteen bytes from a place on; where there are fewer, zeros behind them.
///
/// # Safety
/// If `inside` is true, there are sixteen.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(bytes: &[u8], at: usize, inside: bool) -> __m128i {
    if inside {
        // SAFETY: as above; they may lie anywhere.
        return unsafe { _mm_loadu_si128(bytes.as_ptr().add(at).cast()) };
    }
    let bytes = filled(&bytes[at..]);
    // SAFETY: it is as long as that, and may lie anywhere.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[cold]
fn filled(bytes: &[u8]) -> [u8; 16] {
    let mut filled = [0; 16];
    let length = bytes.len().min(16);
    filled[..length].copy_from_slice(&bytes[..length]);
    filled
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
    let all = Groups::<4>::of(weights);
    for (at, output) in output.chunks_mut(ROWS * wide).enumerate() {
        let (rows, lines) = lines(samples, length, at * ROWS);
        for (x, (first, groups)) in all.rows().enumerate() {
            let (mut high, mut low) = ([none; ROWS], [half; ROWS]);
            // The last line is the shortest.
            let inside = first * 3 + groups.len() * 12 + 4 <= lines[ROWS - 1].len();
            for (at, group) in (first * 3..).step_by(4 * 3).zip(groups) {
                let both = _mm256_broadcastsi128_si256(shorts(group));
                let highs = _mm256_shuffle_epi8(both, of_highs);
                let lows = _mm256_shuffle_epi8(both, of_lows);
                for row in 0..ROWS {
                    // SAFETY: a group is 12 bytes, and 4 are behind the last.
                    let pixels = unsafe { load(lines[row], at, inside) };
                    let pixels = _mm256_broadcastsi128_si256(pixels);
                    let pixels = _mm256_shuffle_epi8(pixels, colours);
                    high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(pixels, highs));
                    low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(pixels, lows));
                }
            }
            let sums = array::from_fn(|row| {
                let sums = _mm256_add_epi32(_mm256_slli_epi32::<LOW>(high[row]), low[row]);
                _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums))
            });
            for (row, pixel) in bytes(sums)[..rows].iter().enumerate() {
                let output = &mut output[row * wide + x * 3..];
                // The fourth byte is overwritten by the next pixel, where there is one.
                match output.first_chunk_mut() {
                    Some(place) if (x + 1) * 3 < wide => *place = *pixel,
                    _ => output[..3].copy_from_slice(&pixel[..3]),
                }
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn grey(samples: &[u8], width: usize, weights: &Weights, output: &mut [u8]) {
    let none = _mm_setzero_si128();
    let wide = weights.outputs();
    let all = Groups::<8>::of(weights);
    for (at, output) in output.chunks_mut(ROWS * wide).enumerate() {
        let (rows, lines) = lines(samples, width, at * ROWS);
        for (x, (first, groups)) in all.rows().enumerate() {
            let (mut high, mut low) = ([none; ROWS], [none; ROWS]);
            let inside = first + groups.len() * 8 + 8 <= lines[ROWS - 1].len();
            for (at, [highs, lows]) in (first..).step_by(8).zip(groups) {
                let (highs, lows) = (shorts(highs), shorts(lows));
                for row in 0..ROWS {
                    // SAFETY: a group is 8 bytes, and as many are behind the last.
                    let pixels = _mm_cvtepu8_epi16(unsafe { load(lines[row], at, inside) });
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
