//! The features that a model makes of samples.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::rows::{check_finite, each_chunk, per_sample};
use super::sequences::{at_positions, positions, words};
use crate::error::{Error, Result};
use crate::loader::{Mode, RawInputs, Samples, load_batches, stretches};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::{Batch, Pool};
use crate::task::Target;

/// Where in a model features are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureLevel {
    /// What the embedder hands to the trunk, averaged over positions.
    Embedded,
    /// What the trunk hands to the head, pooled as the model pools it.
    Pooled,
}

/// The features of all samples in order, `[N, D]`, f64 on the CPU: `batch_size` samples at a time,
/// without gradients or dropout. Of a sample in several windows, the features are averaged. The
/// samples are [plain](crate::loader::ReadMode::Inference) ones.
///
/// # Errors
/// If a sample can no longer be read, or if a feature of one is no number.
pub fn features<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    stage: FeatureLevel,
    batch_size: usize,
) -> Result<Tensor> {
    let lists = stretches(samples, batch_size).concat();
    let source = RawInputs { modality, samples };
    let mut all = vec![];
    let classifier = model.classifier();
    let device = classifier.device();
    load_batches(&source, &lists, Mode::Eval, device, |chosen, prepared| {
        let compute = |batch: &Batch| match stage {
            FeatureLevel::Embedded => Pool::Mean.forward(&classifier.embed(batch, false)),
            FeatureLevel::Pooled => classifier.features(batch, false),
        };
        let rows = each_chunk(&prepared, &source, batch_size, device, compute);
        let rows = rows.to_kind(Kind::Double);
        let mean = |part: &Tensor| part.mean_dim([0].as_slice(), false, None);
        let rows = per_sample(rows, &prepared.rows, mean);
        check_finite(&rows, chosen, samples)?;
        all.push(rows);
        Ok(())
    })?;
    let order: Vec<i64> = lists.into_iter().flatten().map(|at| at as i64).collect();
    Ok(Tensor::f_cat(&all, 0)?.index_select(0, &Tensor::from_slice(&order).argsort(0, false)))
}

/// The features that a model makes at positions of samples, with what is to be told from each.
#[derive(Debug)]
pub struct PositionFeatures {
    /// `[N, D]`, f64 on the CPU.
    pub x: Tensor,
    /// The label of the word that begins there, or the symbol: an index into the model's labels.
    pub targets: Vec<i64>,
    /// The sample that each is of.
    pub samples: Vec<usize>,
}

/// The features that a model whose answers are sequences makes at about `most` positions, as many of
/// each sample, spread evenly over it. Of labelled words, where words begin. Of texts, wherever there is
/// data; nobody says which symbol is heard there, so that all symbols of the text are taken to be as
/// long (a flat start, as in training hidden Markov models: Young et al. 2002, The HTK Book, §3.2.1).
///
/// # Errors
/// If a sample can no longer be read, if a feature is no number, or if there are no positions.
pub fn position_features<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    most: usize,
    batch_size: usize,
) -> Result<PositionFeatures> {
    let classifier = model.classifier();
    let each = most.div_ceil(samples.len().max(1)).max(1);
    let lists = stretches(samples, batch_size).concat();
    let source = RawInputs { modality, samples };
    let mut all = vec![];
    load_batches(&source, &lists, Mode::Eval, classifier.device(), |chosen, prepared| {
        let compute = |batch: &Batch| classifier.features_at_positions(batch);
        let all_rows = at_positions(classifier, &prepared, &source, batch_size, compute)?;
        let mut rows = all_rows.into_iter().zip(&prepared.parts);
        for (&at, &count) in chosen.iter().zip(&prepared.rows) {
            let rows = rows.by_ref().take(count as usize);
            let found = match &samples.targets()[at] {
                Target::Tags(tags) => labelled(tags, words(rows)),
                Target::Text { symbols, .. } => spread(symbols, positions(rows).unbind(0)),
                _ => vec![],
            };
            for index in evenly(found.len(), each) {
                let (target, x) = &found[index];
                let x = x.to_kind(Kind::Double).unsqueeze(0);
                check_finite(&x, &[at], samples)?;
                all.push((at, *target, x));
            }
        }
        Ok(())
    })?;
    if all.is_empty() {
        let problem = "no sample has a text or a word";
        return Err(Error::setting("--data", problem));
    }
    all.sort_by_key(|(at, ..)| *at);
    let rows: Vec<&Tensor> = all.iter().map(|(_, _, x)| x).collect();
    let x = Tensor::f_cat(&rows, 0)?;
    let (samples, targets) = all.into_iter().map(|(at, target, _)| (at, target)).unzip();
    Ok(PositionFeatures { x, targets, samples })
}

/// The label of each word that is there.
fn labelled(tags: &[usize], words: BTreeMap<usize, Tensor>) -> Vec<(i64, Tensor)> {
    let label = |(word, x): (usize, Tensor)| Some((*tags.get(word)? as i64, x));
    words.into_iter().filter_map(label).collect()
}

/// A symbol for each position, of symbols that are all as long.
fn spread<T>(symbols: &[i64], positions: Vec<T>) -> Vec<(i64, T)> {
    let count = positions.len();
    let symbol = |at: usize| symbols.get(at * symbols.len() / count).copied();
    let each = positions.into_iter().enumerate();
    each.filter_map(|(at, x)| Some((symbol(at)?, x))).collect()
}

/// At most `most` of so many indices, spread evenly.
fn evenly(of: usize, most: usize) -> Vec<usize> {
    let count = of.min(most);
    (0..count).map(|at| (2 * at + 1) * of / (2 * count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_spread_over_positions_and_positions_over_samples() {
        let spread = |symbols: &[i64], count: usize| -> Vec<i64> {
            super::spread(symbols, vec![(); count]).into_iter().map(|(symbol, ())| symbol).collect()
        };
        assert_eq!(spread(&[2, 3, 4], 6), [2, 2, 3, 3, 4, 4]);
        assert_eq!(spread(&[2, 3, 4], 2), [2, 3]);
        assert!(spread(&[], 4).is_empty());
        assert_eq!(evenly(10, 2), [2, 7]);
        assert_eq!(evenly(3, 9), [0, 1, 2]);
        assert!(evenly(0, 9).is_empty());
    }
}
