//! Overlapping windows of a recording that is answered at every position, cut and joined as transformers'
//! pipeline for speech does it: of two that overlap, each answers for the half that is nearer to its
//! middle.

use std::ops::Range;

use crate::{
    features::{FrontEnd, Padding},
    options::AudioOptions,
};

/// How a recording is cut into windows whose answers are joined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strides<'a> {
    front_end: &'a FrontEnd,
    /// The most frames of a window.
    frames: usize,
    /// Frames from one position of the model's sequence to the next.
    stride: usize,
    /// From one position to the next, in samples.
    position: usize,
    /// The length of a window, in positions.
    length: usize,
    /// How many positions at either end a neighbour answers for.
    side: usize,
}

impl<'a> Strides<'a> {
    /// The overlap of two windows unless another is asked for: a sixth of a window at either end, as
    /// transformers has it.
    const OVERLAP: f64 = 1. / 3.;

    /// For a model that has a position for every `stride` frames.
    pub(crate) fn new(front_end: &'a FrontEnd, options: &AudioOptions, stride: usize) -> Self {
        let (frames, stride) = (options.frames(), stride.max(1));
        let position = (front_end.hop() * stride).max(1);
        let length = front_end.samples(frames).div_ceil(position).max(1);
        let overlap = options.overlap.unwrap_or(Self::OVERLAP);
        let side = (length as f64 * overlap / 2.).round() as usize;
        // At least one position is each window's own.
        let side = side.min((length - 1) / 2);
        Self { front_end, frames, stride, position, length, side }
    }

    /// The length of a window, in samples.
    pub(crate) fn window(&self) -> usize {
        self.length * self.position
    }

    /// The windows of a recording of `samples` samples, each with which share of its positions, at its
    /// beginning and at its end, a neighbour answers for. The last may be shorter.
    pub(crate) fn windows(&self, samples: usize) -> Vec<(Range<usize>, [f64; 2])> {
        let step = (self.length - 2 * self.side) * self.position;
        let mut windows = vec![];
        for start in (0..).step_by(step) {
            let end = start + self.window();
            let is_last = end >= samples;
            let heard = start..end.min(samples);
            let positions = self.positions(heard.len());
            let before = if start == 0 { 0 } else { self.side };
            let behind = match is_last {
                true => 0,
                // The last samples of a window may not be enough for a position.
                false => positions.saturating_sub(self.length - self.side),
            };
            let shares = [before, behind].map(|n| n as f64 / positions as f64);
            windows.push((heard, shares));
            if is_last {
                break;
            }
        }
        windows
    }

    /// How many positions so many samples of a window have.
    fn positions(&self, samples: usize) -> usize {
        let frames = self.front_end.frames(samples).min(self.frames);
        match self.front_end.padding() {
            // What is begun is filled up.
            Padding::Full => frames.div_ceil(self.stride),
            Padding::Masked => frames / self.stride,
        }
        .max(1)
    }

    /// From one position to the next, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.position as f64 / f64::from(self.front_end.sample_rate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{LogMel, MelConfig, WhisperConfig, WhisperMel};

    #[test]
    fn windows_follow_each_other_without_a_gap() {
        let mel = LogMel::new(MelConfig::new(8000, 256, 80, 40)).unwrap();
        let whisper = WhisperConfig { sample_rate: 16_000, fft: 400, hop: 160, bands: 80 };
        let masked = FrontEnd::LogMel(mel);
        let filled = FrontEnd::Whisper(WhisperMel::new(whisper).unwrap());
        for (front_end, frames, stride, overlap) in [
            (&masked, 50, 1, None),
            (&masked, 48, 1, Some(0.5)),
            (&masked, 3, 1, None),
            (&masked, 64, 2, None),
            (&filled, 64, 2, None),
            (&filled, 51, 2, Some(0.2)),
            (&filled, 40, 1, None),
        ] {
            let options = AudioOptions { frames: Some(frames), overlap, ..Default::default() };
            let strides = Strides::new(front_end, &options, stride);
            for samples in [1, 80, 3999, 4049, 4080, 4081, 9000, 40_000, 123_457] {
                let mut next = 0;
                let windows = strides.windows(samples);
                let count = windows.len();
                for (i, (heard, [before, behind])) in windows.into_iter().enumerate() {
                    let positions = strides.positions(heard.len()) as f64;
                    assert_eq!(heard.start % strides.position, 0);
                    let first = heard.start / strides.position;
                    let kept = [before, behind].map(|share| (share * positions).round() as usize);
                    assert_eq!(first + kept[0], next, "{frames} frames, {samples} samples");
                    next = first + positions as usize - kept[1];
                    assert_eq!(i + 1 == count, heard.end == samples);
                    assert!(i + 1 < count || behind == 0.);
                }
                let whole = (front_end.frames(samples) / stride).max(1);
                // Frames around the very end may be beyond the last window's.
                assert!(next.abs_diff(whole) <= 2, "{next} of {whole}");
            }
        }
    }
}
