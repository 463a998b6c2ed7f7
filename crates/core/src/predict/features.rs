//! The features that a model makes of samples.

use tch::{Kind, Tensor};

use super::rows::{check_finite, each_chunk, per_sample};
use super::sequences::joined;
use crate::error::{Error, Result};
use crate::loader::{Mode, RawInputs, Samples, chunks, load_batches};
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
    let lists = chunks(&(0..samples.len()).collect::<Vec<_>>(), batch_size);
    let mut all = vec![];
    load_batches(&RawInputs { modality, samples }, &lists, Mode::Eval, |chosen, prepared| {
        let classifier = model.classifier();
        let compute = |batch: &Batch| match stage {
            FeatureLevel::Embedded => Pool::Mean.forward(&classifier.encoder().embed(batch, false)),
            FeatureLevel::Pooled => classifier.features(batch, false),
        };
        let device = model.classifier().device();
        let rows = each_chunk(&prepared.batch, batch_size, device, compute).to_kind(Kind::Double);
        let mean = |part: &Tensor| part.mean_dim([0].as_slice(), false, None);
        let rows = per_sample(rows, &prepared.rows, mean);
        check_finite(&rows, chosen, samples)?;
        all.push(rows);
        Ok(())
    })?;
    Ok(Tensor::f_cat(&all, 0)?)
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
    let (task, classifier) = (model.spec().task, model.classifier());
    let each = most.div_ceil(samples.len().max(1)).max(1);
    let lists = chunks(&(0..samples.len()).collect::<Vec<_>>(), batch_size);
    let (mut all, mut targets, mut of) = (vec![], vec![], vec![]);
    load_batches(&RawInputs { modality, samples }, &lists, Mode::Eval, |chosen, prepared| {
        let compute = |batch: &Batch| classifier.features_at_positions(batch);
        let sequences = joined(classifier, task, &prepared, batch_size, compute)?;
        for (x, &at) in sequences.iter().zip(chosen) {
            let told = told(&samples.targets()[at], x.size()[0] as usize);
            let taken = evenly(told.len(), each);
            let index: Vec<i64> = taken.iter().map(|&at| at as i64).collect();
            let x = x.index_select(0, &Tensor::from_slice(&index)).to_kind(Kind::Double);
            check_finite(&x.view([1, -1]), &[at], samples)?;
            targets.extend(taken.iter().map(|&at| told[at]));
            of.extend(taken.iter().map(|_| at));
            all.push(x);
        }
        Ok(())
    })?;
    if targets.is_empty() {
        let problem = "no sample has a text or a word";
        return Err(Error::setting("--data", problem));
    }
    Ok(PositionFeatures { x: Tensor::f_cat(&all, 0)?, targets, samples: of })
}

/// What is to be told from each of so many positions or words of a sample.
fn told(target: &Target, positions: usize) -> Vec<i64> {
    match target {
        Target::Tags(tags) => tags.iter().take(positions).map(|&tag| tag as i64).collect(),
        Target::Text { symbols, .. } if !symbols.is_empty() => {
            (0..positions).map(|at| symbols[at * symbols.len() / positions]).collect()
        }
        _ => vec![],
    }
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
        let text = Target::Text { text: "abc".into(), symbols: vec![2, 3, 4] };
        assert_eq!(told(&text, 6), [2, 2, 3, 3, 4, 4]);
        assert_eq!(told(&text, 2), [2, 3]);
        assert_eq!(told(&Target::Tags(vec![1, 0, 2]), 2), [1, 0]);
        let empty = Target::Text { text: String::new(), symbols: vec![] };
        assert!(told(&empty, 4).is_empty());
        assert_eq!(evenly(10, 2), [2, 7]);
        assert_eq!(evenly(3, 9), [0, 1, 2]);
        assert!(evenly(0, 9).is_empty());
    }
}
