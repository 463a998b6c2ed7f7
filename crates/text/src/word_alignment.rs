//! Samples of words that are labelled one by one: which position each word begins at, and the windows
//! of sentences that are longer than what a model takes.
//!
//! A sample is `[2, T]`, i64: the ids, and of each position [`SPECIAL`] for a special token around the
//! sentence, [`WITHIN`] for what goes on with a word, and else 1 more than the number of the word that
//! begins there.

use std::ops::Range;

use crosstune_core::{BoxError, Window, random::Rng, task::WordStart};
use rand::RngExt;
use tch::Tensor;

/// A special token around the sentence.
const SPECIAL: i64 = -1;

/// A further piece of a word.
const WITHIN: i64 = 0;

/// A sample of pieces, `words` telling which word each is of, between special tokens.
pub(crate) fn sample(
    ids: &[i64],
    words: &[usize],
    [before, behind]: &[Vec<i64>; 2],
) -> Result<Tensor, BoxError> {
    let mut last = None;
    let places = words.iter().map(|&word| match last.replace(word) {
        Some(before) if before == word => WITHIN,
        _ => word as i64 + 1,
    });
    let special = |tokens: &[i64]| vec![SPECIAL; tokens.len()];
    let places = [special(before), places.collect(), special(behind)].concat();
    let all = [before, ids, behind, &places].concat();
    Ok(Tensor::f_from_slice(&all)?.f_view([2, places.len() as i64])?)
}

/// The ids of a sample, as a model takes them: `[T]`.
pub(crate) fn ids(sample: &Tensor) -> Tensor {
    sample.get(0)
}

/// Where the words of a sample begin.
pub(crate) fn words(sample: &Tensor) -> Vec<WordStart> {
    let start = |(position, &place): (usize, &i64)| {
        let word = usize::try_from(place).ok()?.checked_sub(1)?;
        Some(WordStart { word, position: position as i64 })
    };
    places(sample).iter().enumerate().filter_map(start).collect()
}

/// The word that each position of a sample is of, counted from 0; `None`: a special token.
pub(crate) fn numbers(sample: &Tensor) -> Vec<Option<usize>> {
    let mut word = None;
    let number = |place: &i64| {
        match *place {
            SPECIAL => return None,
            WITHIN => {}
            begins => word = Some(begins as usize - 1),
        }
        word
    };
    places(sample).iter().map(number).collect()
}

/// The windows of a sample that a model of `most` positions is asked about: half of each is in the next,
/// too. A word is answered by that in which most of the sentence is on either side of it, and by the
/// first of equal ones.
pub(crate) fn windows(sample: &Tensor, most: u32) -> Vec<Window> {
    let parts = Parts::of(sample, most);
    let cut: Vec<Range<usize>> = parts.windows();
    if cut.len() == 1 {
        let x = sample.shallow_clone();
        return vec![Window { words: words(&x), ..Window::from(x) }];
    }
    let mut answered: Vec<Vec<WordStart>> = cut.iter().map(|_| vec![]).collect();
    let starts = parts.starts();
    for (at, &start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(parts.pieces.len());
        let room = |window: &Range<usize>| {
            let left = if window.start == 0 { usize::MAX } else { start - window.start };
            let whole = window.end == parts.pieces.len();
            let right = if whole { usize::MAX } else { window.end.saturating_sub(end) };
            left.min(right)
        };
        let holds = cut.iter().enumerate().filter(|(_, window)| window.contains(&start));
        // Of equal ones, the last is the greatest.
        let Some((best, window)) = holds.rev().max_by_key(|(_, window)| room(window)) else {
            continue;
        };
        let word = parts.pieces[start] as usize - 1;
        let position = (parts.before + start - window.start) as i64;
        answered[best].push(WordStart { word, position });
    }
    let window = |(range, words): (Range<usize>, Vec<WordStart>)| Window {
        words,
        ..Window::from(parts.narrow(sample, range))
    };
    cut.into_iter().zip(answered).map(window).collect()
}

/// One of the windows of a sample, at random.
pub(crate) fn random_window(sample: &Tensor, most: u32, rng: &mut Rng) -> Tensor {
    let parts = Parts::of(sample, most);
    let mut windows = parts.windows();
    match windows.len() {
        1 => sample.shallow_clone(),
        count => parts.narrow(sample, windows.swap_remove(rng.random_range(0..count))),
    }
}

/// The second row of a sample.
fn places(sample: &Tensor) -> Vec<i64> {
    Vec::try_from(sample.get(1)).unwrap_or_default()
}

/// What a sample consists of.
struct Parts {
    /// How many special tokens are before the sentence, and behind it.
    before: usize,
    behind: usize,
    /// The places of the pieces between them.
    pieces: Vec<i64>,
    /// How many pieces a window has.
    room: usize,
}

impl Parts {
    fn of(sample: &Tensor, most: u32) -> Self {
        let places = places(sample);
        let special = |place: &&i64| **place == SPECIAL;
        let before = places.iter().take_while(special).count();
        let behind = places[before..].iter().rev().take_while(special).count();
        let room = (most as usize).saturating_sub(before + behind).max(1);
        Self { before, behind, pieces: places[before..places.len() - behind].to_vec(), room }
    }

    /// Where words begin among the pieces.
    fn starts(&self) -> Vec<usize> {
        (0..self.pieces.len()).filter(|&at| self.pieces[at] > 0).collect()
    }

    /// The windows, in pieces: each begins with a word, unless a word is longer than what it shares with
    /// the next.
    fn windows(&self) -> Vec<Range<usize>> {
        let all = self.pieces.len();
        let step = self.room.div_ceil(2);
        let mut windows: Vec<Range<usize>> = vec![];
        let mut from = 0;
        loop {
            let start = (from..all.min(from + step)).find(|&at| self.pieces[at] > 0);
            let start = start.filter(|_| from > 0).unwrap_or(from);
            windows.push(start..all.min(start + self.room));
            if start + self.room >= all {
                return windows;
            }
            from = (from + step).min(all - self.room);
        }
    }

    /// A window of a sample, with the special tokens around it.
    fn narrow(&self, sample: &Tensor, pieces: Range<usize>) -> Tensor {
        let part = |from: usize, length: usize| sample.narrow(1, from as i64, length as i64);
        Tensor::cat(
            &[
                part(0, self.before),
                part(self.before + pieces.start, pieces.len()),
                part(self.before + self.pieces.len(), self.behind),
            ],
            1,
        )
    }
}

#[cfg(test)]
mod tests {
    use crosstune_core::Rng;
    use rand::SeedableRng;

    use super::*;

    /// Words of so many pieces each, between two special tokens.
    fn of(lengths: &[usize]) -> Tensor {
        let words = lengths.iter().enumerate();
        let words: Vec<usize> = words.flat_map(|(word, &n)| vec![word; n]).collect();
        let ids: Vec<i64> = (10..).take(words.len()).collect();
        sample(&ids, &words, &[vec![1], vec![2]]).unwrap()
    }

    fn row(x: &Tensor) -> Vec<i64> {
        Vec::try_from(ids(x)).unwrap()
    }

    fn starts(words: &[WordStart]) -> Vec<(usize, i64)> {
        words.iter().map(|start| (start.word, start.position)).collect()
    }

    #[test]
    fn the_first_piece_of_a_word_is_where_it_begins() {
        let x = of(&[1, 2, 0, 3]);
        assert_eq!(row(&x), [1, 10, 11, 12, 13, 14, 15, 2]);
        // A word without pieces is not there.
        assert_eq!(starts(&words(&x)), [(0, 1), (1, 2), (3, 4)]);
        let whole = windows(&x, 8);
        assert_eq!((whole.len(), row(&whole[0].x)), (1, row(&x)));
        assert_eq!(whole[0].words, words(&x));
        assert_eq!(words(&of(&[])), []);
        assert_eq!(windows(&of(&[]), 3).len(), 1);
    }

    #[test]
    fn each_word_is_answered_where_most_is_around_it() {
        let x = of(&[1; 10]);
        let cut = windows(&x, 6);
        let shown: Vec<_> = cut.iter().map(|w| (row(&w.x), starts(&w.words))).collect();
        assert_eq!(
            shown,
            [
                (vec![1, 10, 11, 12, 13, 2], vec![(0, 1), (1, 2), (2, 3)]),
                (vec![1, 12, 13, 14, 15, 2], vec![(3, 2), (4, 3)]),
                (vec![1, 14, 15, 16, 17, 2], vec![(5, 2), (6, 3)]),
                (vec![1, 16, 17, 18, 19, 2], vec![(7, 2), (8, 3), (9, 4)]),
            ]
        );
    }

    #[test]
    fn windows_answer_for_all_words_once_however_long_they_are() {
        let mut rng = Rng::seed_from_u64(1);
        for _ in 0..200 {
            let count = rng.random_range(0..30);
            let lengths: Vec<usize> = (0..count).map(|_| rng.random_range(0..9)).collect();
            let (x, most) = (of(&lengths), rng.random_range(3..12));
            let cut = windows(&x, most);
            let mut answered: Vec<usize> = vec![];
            for window in &cut {
                let size = window.x.size()[1];
                assert!(size <= i64::from(most) || cut.len() == 1 && size <= 3, "{lengths:?}");
                let there = words(&window.x);
                assert!(window.words.iter().all(|word| there.contains(word)), "{lengths:?}");
                answered.extend(window.words.iter().map(|start| start.word));
            }
            answered.sort_unstable();
            let all: Vec<usize> = (0..count).filter(|&word| lengths[word] > 0).collect();
            assert_eq!(answered, all, "{lengths:?} in windows of {most}");
            let drawn = row(&random_window(&x, most, &mut rng));
            assert!(cut.iter().any(|window| row(&window.x) == drawn));
        }
    }
}
