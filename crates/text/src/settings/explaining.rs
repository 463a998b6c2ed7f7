//! Texts in the words that people see, for explanations of answers.

use std::ops::Range;

use crosstune_core::{Baseline, Batch, BoxError, Input, Surface, units};
use tch::Tensor;
use unicode_segmentation::UnicodeSegmentation;

use super::{
    reader::Answers,
    settings::{TextSettings, texts},
};
use crate::{file::TextError, word_alignment};

impl units::Units for TextSettings {
    fn baselines(&self) -> &'static [Baseline] {
        &[Baseline::Padding]
    }

    /// Every token that is of the text becomes padding, or a space. Special tokens stay, and so do
    /// positions and segments.
    fn baseline(
        &self,
        input: &Input,
        samples: &[&Tensor],
        batch: &Batch,
        _: Baseline,
    ) -> Result<Batch, BoxError> {
        let ids = match batch.x.dim() {
            3 => batch.x.select(1, 0),
            _ => batch.x.shallow_clone(),
        };
        let length = ids.size()[1] as usize;
        let row = |sample: &&Tensor| -> Result<Tensor, BoxError> {
            let mut of_text: Vec<bool> =
                self.characters(input, sample)?.iter().map(Option::is_some).collect();
            of_text.resize(length, false);
            Ok(Tensor::f_from_slice(&of_text)?)
        };
        let rows = samples.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let nothing = self.symbols().map_or_else(|| self.pad(), |symbols| symbols.space());
        let replaced = ids.f_masked_fill(&Tensor::f_stack(&rows, 0)?, nothing)?;
        let x = match batch.x.dim() {
            3 => Tensor::f_stack(&[replaced, batch.x.select(1, 1)], 1)?,
            _ => replaced,
        };
        Ok(Batch { x, attention_mask: batch.attention_mask.as_ref().map(Tensor::shallow_clone) })
    }

    fn surface(
        &self,
        input: &Input,
        samples: &[&Tensor],
        batch: &Batch,
    ) -> Result<Surface, BoxError> {
        let text = texts(input)?.join("\t");
        let rows = samples.iter().map(|sample| self.characters(input, sample));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let length = batch.x.size().last().copied().unwrap_or(0) as usize;
        let (words, mut positions) = in_words(&text, &rows);
        positions.iter_mut().for_each(|row| row.resize(length, None));
        Ok(Surface::Words { text, words, positions })
    }
}

impl TextSettings {
    /// Which characters each position of a sample is of, of all texts with a tab between them; `None`: a
    /// special token.
    fn characters(
        &self,
        input: &Input,
        sample: &Tensor,
    ) -> Result<Vec<Option<Range<usize>>>, BoxError> {
        if self.answers == Answers::Words {
            let numbers = word_alignment::numbers(sample);
            let words = self.word_places(input)?.words;
            let place = |word: Option<usize>| word.and_then(|word| words.get(word).cloned());
            return Ok(numbers.into_iter().map(place).collect());
        }
        let texts = texts(input)?;
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        if let Some(symbols) = self.symbols() {
            let sample = Vec::<i64>::try_from(sample)?;
            let places = symbols.places(&texts, &sample).into_iter();
            return Ok(places.map(|at| at.map(|at| at..at + 1)).collect());
        }
        let Some(tokenizer) = self.tokenizer() else {
            return Err(TextError::NoTokenizer.into());
        };
        let behind = texts.first().map_or(0, |text| text.chars().count()) + 1;
        let place = |(text, at): (usize, Range<usize>)| match text {
            0 => at,
            _ => at.start + behind..at.end + behind,
        };
        Ok(tokenizer.places(&texts)?.into_iter().map(|at| at.map(place)).collect())
    }
}

/// The words of a text (Unicode Standard Annex #29, of which white space is none) that positions are of, and
/// which of them each position is of. A word without a position counts to the one before it; behind the last
/// position, the text was not read.
fn in_words(
    text: &str,
    rows: &[Vec<Option<Range<usize>>>],
) -> (Vec<Range<usize>>, Vec<Vec<Option<usize>>>) {
    let characters: Vec<char> = text.chars().collect();
    let mut segments: Vec<Range<usize>> = vec![];
    let mut from = 0;
    for segment in text.split_word_bounds() {
        let end = from + segment.chars().count();
        if !segment.chars().all(char::is_whitespace) {
            segments.push(from..end);
        }
        from = end;
    }
    // A piece may begin with the space before it; a space by itself counts to the word before it.
    let segment = |place: &Range<usize>| {
        let seen = |at: &usize| characters.get(*at).is_some_and(|c| !c.is_whitespace());
        let at = place.clone().find(seen).unwrap_or(place.start);
        segments.partition_point(|segment| segment.start <= at).checked_sub(1)
    };
    let found: Vec<Vec<Option<usize>>> = rows
        .iter()
        .map(|row| row.iter().map(|place| place.as_ref().and_then(segment)).collect())
        .collect();
    let mut has = vec![false; segments.len()];
    found.iter().flatten().flatten().for_each(|&at| has[at] = true);
    let last = has.iter().rposition(|has| *has);
    let (mut words, mut number) = (Vec::<Range<usize>>::new(), vec![None; segments.len()]);
    for (at, segment) in segments.iter().enumerate().take_while(|(at, _)| Some(*at) <= last) {
        match words.last_mut() {
            Some(word) if !has[at] => word.end = segment.end,
            _ if has[at] => words.push(segment.clone()),
            _ => continue,
        }
        number[at] = Some(words.len() - 1);
    }
    let numbered = |row: Vec<Option<usize>>| row.into_iter().map(|at| number[at?]).collect();
    (words, found.into_iter().map(numbered).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crosstune_core::{Modality, Pretrained, units::Units as _};

    use super::*;

    fn bert() -> TextSettings {
        let folder: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/tiny-bert"].iter().collect();
        let mut settings = TextSettings::new(None);
        settings.adopt(&Pretrained::open(folder).unwrap()).unwrap();
        settings
    }

    #[test]
    fn pieces_are_of_words() {
        let places = |all: &[(usize, usize)]| -> Vec<Option<Range<usize>>> {
            all.iter().map(|&(from, to)| (to > from).then_some(from..to)).collect()
        };
        let of = |text: &str, row: &[(usize, usize)]| {
            let (words, mut rows) = in_words(text, &[places(row)]);
            let written: Vec<String> = words
                .into_iter()
                .map(|at| text.chars().skip(at.start).take(at.len()).collect())
                .collect();
            (written.join("·"), rows.remove(0))
        };
        // Three pieces of one word between special tokens; a piece with the space before it.
        let (words, row) = of(
            "I don't know.",
            &[(0, 0), (0, 1), (2, 4), (4, 5), (5, 7), (7, 12), (12, 13), (0, 0)],
        );
        assert_eq!(words, "I·don't·know·.");
        assert_eq!(row, [None, Some(0), Some(1), Some(1), Some(1), Some(2), Some(3), None]);
        // One piece of two words; a text that was cut off.
        let (words, row) = of("(a) b c d", &[(0, 2), (2, 3), (4, 5)]);
        assert_eq!((words.as_str(), row), ("(a·)·b", vec![Some(0), Some(1), Some(2)]));
        // No spaces.
        assert_eq!(of("我爱猫", &[(0, 1), (1, 2), (2, 3)]).0, "我·爱·猫");
        assert_eq!(of("", &[(0, 0)]), (String::new(), vec![None]));
    }

    #[test]
    fn padding_stands_for_every_token_of_the_text() {
        let settings = bert();
        let tokenizer = settings.tokenizer().unwrap();
        for input in [
            Input::Text("Anna sees a cat".into()),
            Input::Pair(["Anna sees".into(), "a cat".into()]),
        ] {
            let mut settings = settings.clone();
            settings.survey(&[&input]);
            let sample = settings.read(&input).unwrap();
            let batch = settings.batch(&[&sample]);
            let got = settings.baseline(&input, &[&sample], &batch, Baseline::Padding).unwrap();
            let ids = |batch: &Batch| match batch.x.dim() {
                3 => Vec::<i64>::try_from(batch.x.get(0).get(0)).unwrap(),
                _ => Vec::<i64>::try_from(batch.x.get(0)).unwrap(),
            };
            let (before, after) = (ids(&batch), ids(&got));
            let special = [before[0], before[before.len() - 1]];
            let kept =
                before.iter().zip(&after).filter(|(a, b)| a == b && special.contains(a)).count();
            assert_eq!(
                kept,
                if batch.x.dim() == 3 || matches!(input, Input::Pair(_)) { 3 } else { 2 }
            );
            assert_eq!(
                after.iter().filter(|id| **id == tokenizer.pad()).count(),
                before.len() - kept
            );
            let Surface::Words { text, words, positions } =
                settings.surface(&input, &[&sample], &batch).unwrap()
            else {
                panic!("no words")
            };
            let written: Vec<String> = words
                .iter()
                .map(|at| text.chars().skip(at.start).take(at.len()).collect())
                .collect();
            assert_eq!(written, ["Anna", "sees", "a", "cat"]);
            assert_eq!(positions[0].iter().flatten().count(), before.len() - kept);
        }
    }

    #[test]
    fn bytes_are_of_words_and_spaces_stand_for_nothing() {
        let symbols = crate::Symbols::new(crate::Units::Bytes, None).unwrap();
        let sample = symbols.encode_pair("né o", "b");
        let places = symbols.places(&["né o", "b"], &sample);
        let want = [Some(0), Some(1), Some(1), Some(2), Some(3), None, Some(5)];
        assert_eq!(places, want);
        assert_eq!(symbols.space(), 34);
        assert_eq!(symbols.places(&[""], &symbols.encode("")), [None]);
    }
}
