//! The targets of a batch, stacked.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::target::Target;

/// The targets of a batch.
#[derive(Debug)]
pub struct Targets {
    /// Classes `[B]`, i64, or soft ones `[B, classes]`, f32; labels `[B, labels]`, f32, 0 or 1; values
    /// `[B, values]`, f64; the symbols of texts `[B, L]`, i64; the labels of words `[B, W]`, i64. An
    /// unknown class counts as class 0; what pads a sequence of labels is [`IGNORED`].
    pub x: Tensor,
    /// Of texts, how many symbols each has: `[B]`, i64.
    pub lengths: Option<Tensor>,
    /// Of labels of words, where in the input each word begins.
    pub words: Option<WordPositions>,
}

/// Where in their inputs the words of a batch begin.
#[derive(Debug)]
pub struct WordPositions {
    /// `[B, W]`, i64, counted in the inputs' positions from 0; 0 where there is no word.
    pub starts: Tensor,
    /// How many positions the inputs have, padding included.
    pub of: i64,
}

/// The class of a word that counts for nothing, PyTorch's `ignore_index`.
pub const IGNORED: i64 = -100;

impl Targets {
    /// Of targets without words: everything but [`Target::Tags`].
    pub fn stack<'t>(targets: impl IntoIterator<Item = &'t Target>) -> Self {
        let targets: Vec<&Target> = targets.into_iter().collect();
        let rows = targets.len() as i64;
        let x = match targets.first() {
            Some(Target::Labels(labels)) => {
                let all = targets.iter().flat_map(|target| match target {
                    Target::Labels(labels) => labels.as_slice(),
                    _ => &[],
                });
                let all: Vec<f32> = all.map(|&applies| f32::from(u8::from(applies))).collect();
                Tensor::from_slice(&all).view([rows, labels.len() as i64])
            }
            Some(Target::Values(values)) => {
                let all = targets.iter().flat_map(|target| match target {
                    Target::Values(values) => values.as_slice(),
                    _ => &[],
                });
                let all: Vec<f64> = all.copied().collect();
                Tensor::from_slice(&all).view([rows, values.len() as i64])
            }
            Some(Target::Text { .. }) => return Self::texts(&targets),
            _ => {
                let classes = targets.iter().map(|target| target.class().unwrap_or(0) as i64);
                Tensor::from_slice(&classes.collect::<Vec<_>>())
            }
        };
        Self { x, lengths: None, words: None }
    }

    fn texts(targets: &[&Target]) -> Self {
        let symbols = |target: &&Target| match target {
            Target::Text { symbols, .. } => symbols.clone(),
            _ => vec![],
        };
        let rows: Vec<Vec<i64>> = targets.iter().map(symbols).collect();
        let lengths: Vec<i64> = rows.iter().map(|row| row.len() as i64).collect();
        Self { x: padded(&rows, 0), lengths: Some(Tensor::from_slice(&lengths)), words: None }
    }

    /// Of the labels of words. `words` tells of each sample which of its words its input has, and where
    /// each begins; `of`, how many positions the inputs have, padding included.
    pub fn stack_tags<'t>(
        targets: impl IntoIterator<Item = &'t Target>,
        words: &[&[WordStart]],
        of: i64,
    ) -> Self {
        let label = |target: &Target, word: usize| match target {
            Target::Tags(tags) => tags.get(word).map_or(IGNORED, |&tag| tag as i64),
            _ => IGNORED,
        };
        let rows = targets.into_iter().zip(words);
        let (labels, starts): (Vec<_>, Vec<_>) = rows
            .map(|(target, words)| -> (Vec<_>, Vec<_>) {
                words.iter().map(|w| (label(target, w.word), w.position)).unzip()
            })
            .unzip();
        let starts = WordPositions { starts: padded(&starts, 0), of };
        Self { x: padded(&labels, IGNORED), lengths: None, words: Some(starts) }
    }

    /// The number of samples.
    pub fn len(&self) -> i64 {
        self.x.size().first().copied().unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same targets on a device; free where they are there already.
    pub fn to_device(&self, device: Device) -> Self {
        Self {
            x: self.x.to_device(device),
            lengths: self.lengths.as_ref().map(|lengths| lengths.to_device(device)),
            words: self
                .words
                .as_ref()
                .map(|words| WordPositions { starts: words.starts.to_device(device), ..*words }),
        }
    }
}

/// Dense targets.
impl From<Tensor> for Targets {
    fn from(x: Tensor) -> Self {
        Self { x, lengths: None, words: None }
    }
}

/// A word of a sample, and where in its input it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordStart {
    /// Which word of the sample it is, counted from 0.
    pub word: usize,
    /// In the input's positions, counted from 0.
    pub position: i64,
}

/// Rows of different lengths as `[B, longest]`, at least one wide.
fn padded(rows: &[Vec<i64>], padding: i64) -> Tensor {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let all = Tensor::full([rows.len() as i64, width as i64], padding, (Kind::Int64, Device::Cpu));
    for (at, row) in (0..).zip(rows) {
        all.get(at).narrow(0, 0, row.len() as i64).copy_(&Tensor::from_slice(row));
    }
    all
}
