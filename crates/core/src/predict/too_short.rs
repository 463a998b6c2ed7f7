//! Samples that are too short for their texts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use tch::Kind;

use crate::error::{BadSample, Result};
use crate::loader::{Mode, PreparedBatch, RawInputs, Samples, chunks, load_batches};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::{Batch, CutPoint, Logits};
use crate::task::{Target, Task, ctc};

/// A sample that is too short for its text: no alignment of the two exists, and nothing can be learned
/// of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooShort {
    /// Which of the samples.
    pub at: usize,
    /// At how many positions a model answers.
    pub positions: usize,
    /// How many its text takes at least.
    pub needed: usize,
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { positions, needed, .. } = self;
        write!(
            f,
            "too short for its text, which takes {needed} positions at least where the model answers \
             at {positions}; mend the text, or let more be taken of the sample"
        )
    }
}

impl std::error::Error for TooShort {}

impl TooShort {
    /// As a sample that cannot be used, of those that were [looked at](too_short).
    pub fn bad(self, samples: &Samples) -> BadSample {
        BadSample { place: samples.place(self.at).clone(), cause: self.into() }
    }
}

/// All training samples that are too short for their texts, in order, as the first epoch takes them;
/// none where the answers are no texts. The model itself is asked for the number of its positions, of
/// `batch_size` samples before it is decided whether more are looked at: first of those whose text is
/// long for the sample, then of those whose text is long at all, as samples may be cut; and no further
/// than where there is room to spare.
///
/// # Errors
/// If a sample can no longer be read.
pub fn too_short<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
    seed: u64,
) -> Result<Vec<TooShort>> {
    if model.spec().task != Task::Transcription {
        return Ok(vec![]);
    }
    let needed = |at: usize| match &samples.targets()[at] {
        Target::Text { symbols, .. } => ctc::least_positions(symbols),
        _ => 0,
    };
    let mut by_density: Vec<usize> = (0..samples.len()).collect();
    let mut by_need = by_density.clone();
    by_need.sort_by_key(|&at| Reverse(needed(at)));
    let density = |at: usize| needed(at) as f64 / samples.length(at).max(1) as f64;
    by_density.sort_by(|&a, &b| density(b).total_cmp(&density(a)));

    let (mode, inputs) = (Mode::Train { seed, epoch: 1 }, RawInputs { modality, samples });
    let mut found = BTreeMap::new();
    for order in [by_density, by_need] {
        for list in chunks(&order, batch_size) {
            // One by one: in a batch, what pads a sample may count as positions.
            let unknown = list.iter().filter(|at| !found.contains_key(*at));
            let unknown: Vec<Vec<usize>> = unknown.map(|at| vec![*at]).collect();
            load_batches(
                &inputs,
                &unknown,
                mode,
                model.classifier().device(),
                |chosen, prepared| {
                    found.extend(chosen.iter().copied().zip(positions(model, &prepared)?));
                    Ok(())
                },
            )?;
            let has_room = |at: &usize| {
                // A sample that was left out as it can no longer be read is in nobody's way.
                found.get(at).is_none_or(|there| needed(*at) + 2 + there / 20 <= *there)
            };
            if list.iter().all(has_room) {
                break;
            }
        }
    }
    let all =
        found.into_iter().map(|(at, positions)| TooShort { at, positions, needed: needed(at) });
    Ok(all.filter(|one| one.positions < one.needed).collect())
}

/// At how many positions a model answers to each sample of a batch.
fn positions(model: &Model, prepared: &PreparedBatch) -> Result<Vec<usize>> {
    let model = model.classifier();
    let batch: &Batch = &prepared.batch;
    if batch.x.numel() == 0 {
        return Ok(vec![]);
    }
    let batch = batch.to_device(model.device());
    let Logits { x, attention_mask } =
        tch::no_grad(|| model.forward_from(&batch, CutPoint::Inputs, false));
    let [rows, positions] = [x.size()[0], x.size()[1]];
    Ok(match attention_mask {
        Some(mask) => {
            let counts = mask.f_sum_dim_intlist([1].as_slice(), false, Kind::Int64)?;
            Vec::<i64>::try_from(counts)?.into_iter().map(|count| count as usize).collect()
        }
        None => vec![positions as usize; rows as usize],
    })
}
