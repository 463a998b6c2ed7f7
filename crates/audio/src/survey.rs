//! What a training set decides: its sample rate, the length of a model's sequence, and how longer
//! recordings are handled.

use std::collections::BTreeMap;

use crate::{long::Long, options::AudioOptions};

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
