//! Prefix beam search (Hannun et al. 2014), with a model of language.

use std::collections::HashMap;
use std::rc::Rc;

use super::emission::Emission;
use super::ngrams::{Context, Ngrams};
use super::paths::{Chains, Path};
use crate::task::vocabulary::Vocabulary;

/// How the most probable text is searched: with the greatest ln P(text | scores) + `weight` · ln P(text by
/// the n-grams) + `word_bonus` · words.
#[derive(Debug)]
pub struct BeamSearch {
    /// How many beginnings of a text are followed.
    pub width: usize,
    /// The model of language, of words between delimiters; of symbols, where there is no delimiter.
    pub ngrams: Option<Ngrams>,
    /// What the model of language counts (Hannun's α).
    pub weight: f64,
    /// What is added for each word (Hannun's β).
    pub word_bonus: f64,
    /// Symbols below this probability are not looked at; the natural logarithm.
    pub least_symbol: f64,
    /// Nor are beginnings so much less probable than the best one, in nats.
    pub margin: f64,
}

impl Default for BeamSearch {
    fn default() -> Self {
        Self {
            width: 100,
            ngrams: None,
            weight: 0.5,
            word_bonus: 1.,
            least_symbol: -10.,
            margin: 20.,
        }
    }
}

/// A text that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// What was searched by.
    pub score: f64,
    /// Its symbols, where they are on its most probable alignment.
    pub emissions: Vec<Emission>,
}

/// A beginning of a text. Probabilities are natural logarithms.
#[derive(Debug, Clone)]
struct Prefix {
    /// Stands for its symbols.
    key: u128,
    last: Option<u32>,
    /// The probability of all alignments that end in a blank, and in the last symbol.
    blank: f64,
    symbol: f64,
    /// The most probable of each.
    blank_path: Path,
    symbol_path: Path,
    language: Language,
}

/// What a model of language says of a prefix.
#[derive(Debug, Clone)]
struct Language {
    /// What its words add to the score.
    score: f64,
    context: Rc<Context>,
    /// The beginning of the word that is not complete.
    word: Rc<str>,
}

/// A prefix with one symbol more than another, `from`.
struct Longer {
    from: usize,
    symbol: u32,
    key: u128,
    probability: f64,
    path: Path,
    language: Option<Language>,
    total: f64,
}

impl BeamSearch {
    /// The most probable texts, the best first, of log-probabilities at each position. `symbols` are the
    /// vocabulary's.
    pub fn search(
        &self,
        frames: &[&[f32]],
        vocabulary: &Vocabulary,
        symbols: &[String],
    ) -> Vec<Hypothesis> {
        let context = self.ngrams.as_ref().map(Ngrams::begin).unwrap_or_default();
        let language = Language { score: 0., context: Rc::new(context), word: Rc::from("") };
        let mut prefixes = vec![Prefix {
            key: 0,
            last: None,
            blank: 0.,
            symbol: f64::NEG_INFINITY,
            blank_path: Path::EMPTY,
            symbol_path: Path::IMPOSSIBLE,
            language,
        }];
        let mut chains = Chains::default();
        let speech = Speech { search: self, vocabulary, symbols };
        for (at, frame) in (0..).zip(frames) {
            prefixes = self.step(&prefixes, frame, at, &speech, &mut chains);
            chains
                .collect(prefixes.iter_mut().flat_map(|p| [&mut p.blank_path, &mut p.symbol_path]));
        }
        let probability = |symbol: usize, start: usize, end: usize| {
            let heard = frames[start..end].iter().map(|frame| f64::from(frame[symbol]).exp());
            heard.fold(0., f64::max)
        };
        let hypothesis = |prefix: Prefix| Hypothesis {
            score: prefix.probability() + speech.finished(&prefix.language),
            emissions: chains.emissions(
                prefix.blank_path.or(prefix.symbol_path),
                prefix.last,
                probability,
            ),
        };
        let mut found: Vec<_> = prefixes.into_iter().map(hypothesis).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found
    }

    /// One position further.
    fn step(
        &self,
        prefixes: &[Prefix],
        frame: &[f32],
        at: u32,
        speech: &Speech<'_>,
        chains: &mut Chains,
    ) -> Vec<Prefix> {
        let heard =
            |symbol: u32| frame.get(symbol as usize).map_or(f64::NEG_INFINITY, |x| f64::from(*x));
        let blank = heard(speech.vocabulary.blank as u32);
        let there = |symbol: &u32| {
            *symbol as usize != speech.vocabulary.blank && heard(*symbol) >= self.least_symbol
        };
        let likely: Vec<u32> = (0..frame.len() as u32).filter(there).collect();

        let by_key: HashMap<u128, usize> =
            prefixes.iter().enumerate().map(|(at, prefix)| (prefix.key, at)).collect();
        let mut same: Vec<Prefix> =
            prefixes.iter().map(|p| p.repeated(blank, p.last.map(heard), at)).collect();
        let mut longer = vec![];
        for (from, prefix) in prefixes.iter().enumerate() {
            // Where the word that is begun ends, it says the same of the language whenever that is.
            let mut ended = None;
            for &symbol in &likely {
                let (mut probability, mut path) = match prefix.last == Some(symbol) {
                    true => (prefix.blank, prefix.blank_path),
                    false => (prefix.probability(), prefix.blank_path.or(prefix.symbol_path)),
                };
                probability += heard(symbol);
                path.score += heard(symbol);
                if probability == f64::NEG_INFINITY {
                    continue;
                }
                let key = key(prefix.key, symbol);
                if let Some(&known) = by_key.get(&key) {
                    let known = &mut same[known];
                    known.symbol = sum(known.symbol, probability);
                    if path.score > known.symbol_path.score {
                        known.symbol_path = chains.extend(path, prefix.last, at);
                    }
                    continue;
                }
                let language = speech.scored_by(symbol).then(|| {
                    let is_end = Some(symbol as usize) == speech.vocabulary.delimiter;
                    match is_end {
                        true => ended
                            .get_or_insert_with(|| speech.continued(&prefix.language, symbol))
                            .clone(),
                        false => speech.continued(&prefix.language, symbol),
                    }
                });
                let total = probability + language.as_ref().unwrap_or(&prefix.language).score;
                longer.push(Longer { from, symbol, key, probability, path, language, total });
            }
        }
        // The best of both kinds.
        let totals = same.iter().map(|prefix| prefix.probability() + prefix.language.score);
        let mut order: Vec<(f64, usize)> =
            totals.chain(longer.iter().map(|one| one.total)).zip(0..).collect();
        let best = order.iter().map(|(total, _)| *total).fold(f64::NEG_INFINITY, f64::max);
        order.retain(|(total, _)| *total >= best - self.margin && *total > f64::NEG_INFINITY);
        let by_total = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        let width = self.width.max(1);
        if order.len() > width {
            order.select_nth_unstable_by(width - 1, by_total);
            order.truncate(width);
        }
        let kept = order.into_iter().map(|(_, which)| match which.checked_sub(same.len()) {
            None => same[which].clone(),
            Some(which) => {
                let one = &longer[which];
                let from = &prefixes[one.from];
                Prefix {
                    key: one.key,
                    last: Some(one.symbol),
                    blank: f64::NEG_INFINITY,
                    symbol: one.probability,
                    blank_path: Path::IMPOSSIBLE,
                    symbol_path: chains.extend(one.path, from.last, at),
                    language: match &one.language {
                        Some(language) => language.clone(),
                        None => speech.continued(&from.language, one.symbol),
                    },
                }
            }
        });
        kept.collect()
    }
}

impl Prefix {
    /// Of all alignments.
    fn probability(&self) -> f64 {
        sum(self.blank, self.symbol)
    }

    /// The same prefix one position further, after a blank or its last symbol once more.
    fn repeated(&self, blank: f64, last: Option<f64>, at: u32) -> Self {
        let last = last.unwrap_or(f64::NEG_INFINITY);
        let mut blank_path = self.blank_path.or(self.symbol_path);
        blank_path.score += blank;
        let symbol_path = self.symbol_path;
        let symbol_path = Path { score: symbol_path.score + last, end: at + 1, ..symbol_path };
        Self {
            blank: self.probability() + blank,
            symbol: self.symbol + last,
            blank_path,
            symbol_path,
            ..self.clone()
        }
    }
}

/// What is known of the language.
struct Speech<'s> {
    search: &'s BeamSearch,
    vocabulary: &'s Vocabulary,
    symbols: &'s [String],
}

impl Speech<'_> {
    /// Whether a symbol can complete a word.
    fn scored_by(&self, symbol: u32) -> bool {
        self.vocabulary.delimiter.is_none_or(|delimiter| delimiter == symbol as usize)
    }

    /// Of a prefix with one symbol more.
    fn continued(&self, before: &Language, symbol: u32) -> Language {
        if self.search.ngrams.is_none() && self.search.word_bonus == 0. {
            return before.clone();
        }
        let symbol = symbol as usize;
        if Some(symbol) == self.vocabulary.delimiter {
            return self.completed(before, &before.word);
        }
        if !self.vocabulary.is_written(symbol) {
            return before.clone();
        }
        let letter = self.symbols.get(symbol).map_or("", String::as_str);
        match self.vocabulary.delimiter {
            Some(_) => {
                Language { word: (before.word.to_string() + letter).into(), ..before.clone() }
            }
            None => self.completed(before, letter),
        }
    }

    /// With a word that is complete now.
    fn completed(&self, before: &Language, word: &str) -> Language {
        if word.is_empty() {
            return before.clone();
        }
        let mut score = before.score + self.search.word_bonus;
        let mut context = Rc::clone(&before.context);
        if let Some(ngrams) = &self.search.ngrams {
            let (probability, after) = ngrams.score(&before.context, word);
            score += self.weighted(probability);
            context = Rc::new(after);
        }
        Language { score, context, word: Rc::from("") }
    }

    /// What a text that ends here has.
    fn finished(&self, language: &Language) -> f64 {
        let language = self.completed(language, &language.word);
        let end = self.search.ngrams.as_ref().map_or(0., |ngrams| ngrams.end(&language.context));
        language.score + self.weighted(end)
    }

    /// What the model of language says, even where it says that something cannot be.
    fn weighted(&self, probability: f64) -> f64 {
        match self.search.weight {
            0. => 0.,
            weight => weight * probability,
        }
    }
}

/// The key of a prefix with one symbol more.
fn key(prefix: u128, symbol: u32) -> u128 {
    let mixed =
        (prefix ^ (u128::from(symbol) + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    mixed ^ (mixed >> 67)
}

/// ln(e^a + e^b)
fn sum(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
