//! Common to all readers of recordings: the source of bytes, and the checks of samples.

use std::{
    fmt,
    io::{Read, Seek},
    ops::RangeInclusive,
};

use super::error::Thousands;

/// The most samples that are read of one channel: half a gibibyte of f32, or an hour and a half at
/// 24 kHz.
pub(crate) const LONGEST: u64 = 1 << 27;

/// Possible sample rates, in Hz: a header with another one is wrong.
const RATES: RangeInclusive<u32> = 1..=768_000;

/// Where a recording's bytes come from.
pub(super) trait Source: Read + Seek + Send + Sync + fmt::Debug {}

impl<T: Read + Seek + Send + Sync + fmt::Debug> Source for T {}

/// Checks the rate in a header.
pub(super) fn possible_rate(rate: u32) -> Result<u32, String> {
    match RATES.contains(&rate) {
        true => Ok(rate),
        false => Err(format!("a sample rate of {} Hz", Thousands(rate.into()))),
    }
}

/// Appends to `mono` the means over the channels, whose `samples` take turns.
pub(super) fn mix(samples: &[f32], channels: usize, mono: &mut Vec<f32>) {
    match channels {
        1 => mono.extend_from_slice(samples),
        n => {
            mono.extend(samples.chunks_exact(n).map(|sample| sample.iter().sum::<f32>() / n as f32))
        }
    }
}
