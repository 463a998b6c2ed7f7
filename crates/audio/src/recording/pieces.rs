//! Samples on their way out of a decoder: cut to the part that is the recording, and of one rate, even
//! where several recordings follow each other in a file.

use std::{mem, ops::ControlFlow};

use super::{
    error::RecordingError,
    source::{LONGEST, possible_rate},
};
use crate::resample::resample;

/// Hands samples on to `take` at one rate.
pub(super) struct Pieces<T> {
    /// In Hz.
    rate: u32,
    /// Samples that are still to be passed over.
    skip: u64,
    /// Samples that the recording has, where it is known.
    length: Option<u64>,
    /// Samples that were handed on.
    found: u64,
    /// A recording of another rate, which is brought to this one when it is all there.
    other: (u32, Vec<f32>),
    take: T,
}

impl<T> Pieces<T>
where
    T: FnMut(&[f32]) -> Result<ControlFlow<()>, RecordingError>,
{
    pub(super) fn new(rate: u32, skip: u64, length: Option<u64>, take: T) -> Self {
        Self { rate, skip, length, found: 0, other: (rate, vec![]), take }
    }

    /// Samples that follow, at a rate of theirs. A break: no more are wanted.
    pub(super) fn give(
        &mut self,
        rate: u32,
        samples: &[f32],
    ) -> Result<ControlFlow<()>, RecordingError> {
        if rate != self.other.0 {
            let flow = self.flush()?;
            self.other.0 = rate;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        if rate == self.rate {
            return self.hand_on(samples);
        }
        self.other.1.extend_from_slice(samples);
        match self.other.1.len() as u64 > LONGEST {
            true => Err(RecordingError::TooLong { most: LONGEST, rate }),
            false => Ok(ControlFlow::Continue(())),
        }
    }

    /// Hands on what waits, and tells whether the recording has the length that was known.
    pub(super) fn finish(&mut self) -> Result<bool, RecordingError> {
        let flow = self.flush()?;
        Ok(flow.is_break() || self.length.is_none_or(|length| self.found >= length))
    }

    /// How much of the recording is over.
    pub(super) fn seconds(&self) -> f64 {
        let (other, waiting) = &self.other;
        self.found as f64 / f64::from(self.rate) + waiting.len() as f64 / f64::from(*other)
    }

    pub(super) fn found(&self) -> u64 {
        self.found
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, RecordingError> {
        let (rate, samples) = (self.other.0, mem::take(&mut self.other.1));
        if samples.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let problem = |problem: String| RecordingError::Header(problem);
        possible_rate(rate).map_err(problem)?;
        let samples = resample(samples, rate, self.rate).map_err(|e| problem(e.to_string()))?;
        match samples.len() as u64 > LONGEST {
            true => Err(RecordingError::TooLong { most: LONGEST, rate: self.rate }),
            false => self.hand_on(&samples),
        }
    }

    fn hand_on(&mut self, samples: &[f32]) -> Result<ControlFlow<()>, RecordingError> {
        let skipped = self.skip.min(samples.len() as u64);
        self.skip -= skipped;
        let samples = &samples[skipped as usize..];
        let left = self.length.map_or(u64::MAX, |length| length - self.found);
        let samples = &samples[..left.min(samples.len() as u64) as usize];
        self.found += samples.len() as u64;
        let flow =
            if samples.is_empty() { ControlFlow::Continue(()) } else { (self.take)(samples)? };
        Ok(flow)
    }
}
