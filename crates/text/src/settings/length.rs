//! How long texts are, and the length that they are truncated at.

use crosstune_core::{BoxError, Input};
use rayon::prelude::*;

use super::{
    reader::{Answers, Numbers, Reader},
    settings::{TextSettings, texts},
};
use crate::options::{LENGTHS, MOST_UNSURVEYED};

impl TextSettings {
    /// How many tokens an input has; `None`: no source was adopted yet.
    pub(super) fn length(&self, input: &Input) -> Result<Option<usize>, BoxError> {
        if self.answers == Answers::Words {
            let known = !matches!(self.reader, Reader::None);
            return known.then(|| self.words_length(input)).transpose();
        }
        let texts = texts(input)?;
        Ok(match &self.reader {
            Reader::None => None,
            Reader::Tokens { tokenizer, .. } => Some(tokenizer.length(&texts)?),
            Reader::Symbols(symbols) => Some(symbols.length(&texts)),
        })
    }

    /// Unless it was asked for, chooses a length that is enough for 95 % of the training texts or,
    /// without any, for all that the model has positions for.
    pub(super) fn choose_length(&mut self, train: &[&Input]) {
        // The length of a run's symbols is that of its positions.
        if self.asked.is_some() || self.numbers == Numbers::Taken {
            return;
        }
        let most = match train.is_empty() {
            true => MOST_UNSURVEYED,
            false => {
                let length = |input: &&Input| self.length(input).ok().flatten();
                let mut lengths: Vec<usize> = train.par_iter().filter_map(length).collect();
                let rank = (lengths.len() * 95).div_ceil(100).checked_sub(1);
                let usual = rank.map(|rank| *lengths.select_nth_unstable(rank).1);
                let usual = u32::try_from(usual.unwrap_or(0)).unwrap_or(u32::MAX);
                usual.clamp(*LENGTHS.start(), *LENGTHS.end())
            }
        };
        let most = most.min(self.reader.room());
        if self.reader.most() == Some(most) {
            return;
        }
        match &mut self.reader {
            Reader::None => {}
            Reader::Tokens { tokenizer, .. } => {
                // The tokenizer took a length already, so that it takes this one, too.
                if let Ok(other) = tokenizer.clone().with_max_length(most) {
                    *tokenizer = other;
                }
            }
            Reader::Symbols(symbols) => *symbols = symbols.clone().with_longest(most),
        }
    }
}
