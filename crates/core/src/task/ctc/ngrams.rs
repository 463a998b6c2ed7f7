//! N-gram models of language with back-off.

use std::collections::HashMap;

use crate::task::vocabulary::Vocabulary;

/// A word that the model does not know: no number of one.
const STRANGE: u32 = u32::MAX;

/// The logarithm (of base 10) of the probability of a word that a model without `<unk>` does not know,
/// as KenLM takes it.
const NEVER: f64 = -100.;

/// A Katz or Kneser-Ney model: of each n-gram that it knows, the probability of its last word after the
/// others; else that of a shorter one, times a back-off weight.
#[derive(Debug, Default)]
pub struct Ngrams {
    order: usize,
    words: HashMap<Box<str>, u32>,
    /// From an n-gram and one more word to the longer one; the empty one is 0.
    longer: HashMap<(u32, u32), u32>,
    /// By n-gram.
    nodes: Vec<Node>,
}

/// Of an n-gram, in logarithms of base 10.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// `None`: it is only the beginning of longer ones.
    probability: Option<f32>,
    backoff: f32,
}

/// What came before a word: as much of it as the model looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Context(Vec<u32>);

impl Ngrams {
    pub(super) fn new(order: usize) -> Self {
        Self { order, nodes: vec![Node::default()], ..Self::default() }
    }

    /// The length of its longest n-grams.
    pub fn order(&self) -> usize {
        self.order
    }

    /// The number of its words, `<s>`, `</s>` and `<unk>` among them.
    pub fn words(&self) -> usize {
        self.words.len()
    }

    /// Whether it knows a word.
    pub fn knows(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }

    /// How many of its words can be written with the symbols of a vocabulary.
    pub fn writable(&self, vocabulary: &Vocabulary, symbols: &[String]) -> usize {
        let encoder = vocabulary.encoder(symbols);
        let is_writable =
            |word: &&str| vocabulary.case.apply(word) == *word && encoder.encode(word).1.is_empty();
        self.words.keys().map(|word| &**word).filter(is_writable).count()
    }

    /// Adds a word, or finds it.
    pub(super) fn add_word(&mut self, word: &str) -> u32 {
        let next = self.words.len() as u32;
        *self.words.entry(word.into()).or_insert(next)
    }

    /// The number of a word.
    pub(super) fn word(&self, word: &str) -> Option<u32> {
        self.words.get(word).copied()
    }

    /// Adds an n-gram; `false`: it is there already.
    pub(super) fn add(&mut self, words: &[u32], probability: f32, backoff: f32) -> bool {
        let mut at = 0;
        for word in words {
            let next = self.nodes.len() as u32;
            at = *self.longer.entry((at, *word)).or_insert(next);
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        let node = &mut self.nodes[at as usize];
        let is_new = node.probability.is_none();
        *node = Node { probability: Some(probability), backoff };
        is_new
    }

    /// The beginning of a text.
    pub(super) fn begin(&self) -> Context {
        Context(self.word("<s>").into_iter().take(self.order.saturating_sub(1)).collect())
    }

    /// The natural logarithm of a word's probability after others, and what comes before the next.
    pub(super) fn score(&self, before: &Context, word: &str) -> (f64, Context) {
        let unknown = || self.word("<unk>").or_else(|| self.word("<UNK>"));
        let word = self.word(word).or_else(unknown).unwrap_or(STRANGE);
        let mut after = before.0.clone();
        after.push(word);
        after.drain(..after.len().saturating_sub(self.order.saturating_sub(1)));
        (self.log10(&before.0, word) * std::f64::consts::LN_10, Context(after))
    }

    /// The natural logarithm of the probability that a text ends; 0 where the model has no such word.
    pub(super) fn end(&self, before: &Context) -> f64 {
        self.word("</s>").map_or(0., |end| self.log10(&before.0, end) * std::f64::consts::LN_10)
    }

    fn log10(&self, before: &[u32], word: u32) -> f64 {
        let mut backed_off = 0.;
        for from in 0..=before.len() {
            let Some(context) = self.find(&before[from..]) else { continue };
            let longer = self.longer.get(&(context, word)).map(|at| self.nodes[*at as usize]);
            if let Some(probability) = longer.and_then(|node| node.probability) {
                return backed_off + f64::from(probability);
            }
            backed_off += f64::from(self.nodes[context as usize].backoff);
        }
        backed_off + NEVER
    }

    fn find(&self, words: &[u32]) -> Option<u32> {
        words.iter().try_fold(0, |at, word| self.longer.get(&(at, *word)).copied())
    }
}
