//! What a training set decides: its sample rate, the length of a model's sequence, and how longer
//! recordings are handled.

use std::collections::BTreeMap;

use crosstune_core::{Input, Origin};
use rayon::prelude::*;

use crate::{
    long::Long, options::AudioOptions, published::Adopted, sample::open, settings::AudioSettings,
};

impl AudioSettings {
    /// [`Modality::survey`](crosstune_core::Modality::survey).
    pub(crate) fn settle(&mut self, train: &[&Input]) {
        let headers: Vec<(u32, u64)> = train
            .par_iter()
            .filter_map(|input| open(input).ok())
            .filter_map(|recording| Some((recording.sample_rate(), recording.count().ok()?)))
            .collect();
        let Some(rate) = self.options.sample_rate.or_else(|| common_rate(&headers)) else {
            return;
        };
        // It does not fail: options that hold at one rate hold at all.
        let options = AudioOptions { sample_rate: Some(rate), ..self.options.clone() };
        let Ok(mut settled) = self.with_options(options) else { return };
        let mut lengths: Vec<usize> = headers
            .iter()
            .map(|&(from, samples)| {
                let samples = samples.saturating_mul(rate.into()).div_ceil(from.into());
                settled.front_end.frames(usize::try_from(samples).unwrap_or(usize::MAX))
            })
            .collect();
        let unsurveyed = settled.front_end.frames(AudioOptions::UNSURVEYED_SECONDS * rate as usize);
        if self.transcribes {
            let frames = match (lengths.iter().max(), settled.may_be_shorter()) {
                (Some(&longest), true) => Some(settled.room_for(longest, unsurveyed)),
                _ => settled.options.frames.or(Some(unsurveyed)),
            };
            let options = AudioOptions { frames, ..settled.options.clone() };
            let Ok(fitted) = settled.with_options(options) else { return };
            *self = fitted;
            return;
        }
        let options = &mut settled.options;
        if train.is_empty() {
            // A published model as it is: like its library, it takes all of a recording.
            options.frames = options.frames.or(Some(unsurveyed));
            options.long = options.long.or(Some(Long::Windows));
        } else {
            options.frames = options.frames.or_else(|| usual_length(&mut lengths));
            options.long = Some(long(options, &lengths));
        }
        *self = settled;
    }

    /// Whether the length is still to be chosen: nobody asked for one, and no run was trained with one.
    fn may_be_shorter(&self) -> bool {
        self.asked.is_none() && (self.adopted.is_some() || self.embedder == Origin::Fresh)
    }

    /// As many frames as the longest recording needs, slowed down as far as it may be, up to what the
    /// model takes or else `most`.
    fn room_for(&self, longest: usize, most: usize) -> usize {
        let slowest = self.options.augment.slowest();
        let wanted = (longest as f64 / slowest).ceil() as usize;
        let lengths = self.adopted.as_ref().and_then(Adopted::lengths).unwrap_or(1..=most);
        // Positions are whole.
        let stride = self.adopted.as_ref().and_then(Adopted::stride).unwrap_or(1);
        wanted.next_multiple_of(stride).clamp(*lengths.start(), *lengths.end())
    }
}

/// The rate of most recordings (the higher one of two that are as common), brought into range.
/// `headers` are rates and numbers of samples.
pub(crate) fn common_rate(headers: &[(u32, u64)]) -> Option<u32> {
    let mut counts = BTreeMap::new();
    for (rate, _) in headers {
        *counts.entry(*rate).or_insert(0_usize) += 1;
    }
    let (rate, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some(rate.clamp(*AudioOptions::RATES.start(), AudioOptions::HIGHEST_RATE))
}

/// The length, in frames, that 95 % of the recordings do not exceed, brought into range.
pub(crate) fn usual_length(lengths: &mut [usize]) -> Option<usize> {
    let rank = (lengths.len() * 95).div_ceil(100).checked_sub(1)?;
    let (_, length, _) = lengths.select_nth_unstable(rank);
    Some((*length).clamp(*AudioOptions::FRAMES.start(), *AudioOptions::FRAMES.end()))
}

/// How recordings of these lengths, in frames, are handled where they are longer than a sequence.
pub(crate) fn long(options: &AudioOptions, lengths: &[usize]) -> Long {
    if options.long.is_some() || options.overlap.is_some() {
        return options.long();
    }
    let (most, count) = (options.frames(), lengths.len());
    let longer = lengths.iter().filter(|&&length| length > most).count();
    let hop = (most as f64 * (1. - options.overlap())).max(1.);
    let more = |&length: &usize| (length.saturating_sub(most) as f64 / hop).ceil();
    let windows = 1. + lengths.iter().map(more).sum::<f64>() / count.max(1) as f64;
    match longer * 20 > count && windows <= AudioOptions::MOST_WINDOWS {
        true => Long::Windows,
        false => Long::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_the_default_where_many_recordings_are_longer_and_few_windows_hold_them() {
        let decided = |lengths: &[usize]| {
            long(&AudioOptions { frames: Some(100), ..AudioOptions::default() }, lengths)
        };
        assert_eq!(decided(&[]), Long::Cut);
        assert_eq!(decided(&[100; 20]), Long::Cut);
        let with = |lengths: &[usize]| [&[80; 18], lengths].concat();
        assert_eq!(decided(&with(&[80, 101])), Long::Cut, "5 %");
        assert_eq!(decided(&with(&[101, 101])), Long::Windows, "10 %");
        // One window and then one more each 50 frames.
        assert_eq!(decided(&[850; 4]), Long::Windows, "16 windows");
        assert_eq!(decided(&[851; 4]), Long::Cut, "17 windows");
        let asked = |long_, overlap| {
            let options =
                AudioOptions { frames: Some(100), long: long_, overlap, ..Default::default() };
            long(&options, &[300; 4])
        };
        assert_eq!(asked(Some(Long::Crop), None), Long::Crop);
        assert_eq!(asked(None, Some(0.1)), Long::Windows);
    }
}
