//! Batches, prepared ahead of the device, of inputs or of cached features.

use std::sync::mpsc;
use std::thread;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::budget::at_once;
use super::samples::{ReadMode, Samples};
use crate::error::Result;
use crate::modality::{Modality, Window};
use crate::nn::{Batch, CutPoint};
use crate::random::rng;
use crate::task::{Target, Targets, WordStart};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// The most batches that are prepared ahead.
const AHEAD: usize = 4;

/// What batches are for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// Training: each sample is augmented.
    Train {
        /// Decides the augmentation, with the epoch.
        seed: u64,
        /// Counted from 1.
        epoch: usize,
    },
    /// Evaluation: each sample in its windows.
    Eval,
}

/// A source of batches.
pub(crate) trait BatchSource: Sync {
    /// The samples, with their targets.
    fn samples(&self) -> &Samples;
    /// The cut point of a classifier that its batches belong to.
    fn cut_point(&self) -> CutPoint;
    /// The rows that one sample has in a batch; none if it was lost and may be left out.
    ///
    /// # Errors
    /// If a sample that is not in memory can no longer be read.
    fn rows(&self, at: usize, mode: Mode) -> Result<Vec<SourceRow>>;
    /// Collates rows to a batch.
    fn batch(&self, rows: &[&SourceRow]) -> Batch;
    /// How many positions the inputs of a batch of these samples have, padding included.
    fn positions(&self, batch: &Batch, list: &[usize]) -> i64;
}

/// A row of a batch, before it is collated.
#[derive(Debug)]
pub(crate) struct SourceRow {
    pub(crate) x: Tensor,
    pub(crate) part: RowPart,
    /// Of what sees its padding, where its positions are left: how many of them hold data, of how many.
    pub(crate) held: Option<[i64; 2]>,
}

/// Of an input.
impl From<Window> for SourceRow {
    fn from(Window { x, cut, words }: Window) -> Self {
        Self { x, part: RowPart { cut, words }, held: None }
    }
}

/// Batches of raw inputs.
#[derive(Debug)]
pub(crate) struct RawInputs<'a, M> {
    pub(crate) modality: &'a M,
    pub(crate) samples: &'a Samples,
}

impl<M: Modality> BatchSource for RawInputs<'_, M> {
    fn samples(&self) -> &Samples {
        self.samples
    }

    fn cut_point(&self) -> CutPoint {
        CutPoint::Inputs
    }

    fn rows(&self, at: usize, mode: Mode) -> Result<Vec<SourceRow>> {
        let Self { modality, samples } = self;
        match mode {
            Mode::Train { seed, epoch } => {
                let sample = samples.get_unless_lost(*modality, at, ReadMode::Training)?;
                let augment = |sample| {
                    let x = modality.augment(&sample, &mut rng(seed, epoch, at));
                    Window { words: modality.words(&x), ..Window::from(x) }.into()
                };
                Ok(sample.map(augment).into_iter().collect())
            }
            Mode::Eval => {
                let sample = samples.get_unless_lost(*modality, at, ReadMode::Inference)?;
                let windows = sample.map(|sample| modality.windows(&sample)).unwrap_or_default();
                Ok(windows.into_iter().map(SourceRow::from).collect())
            }
        }
    }

    fn batch(&self, rows: &[&SourceRow]) -> Batch {
        self.modality.batch(&rows.iter().map(|row| &row.x).collect::<Vec<_>>())
    }

    fn positions(&self, batch: &Batch, _: &[usize]) -> i64 {
        batch.x.size().last().copied().unwrap_or(0)
    }
}

/// A collated batch with its targets.
#[derive(Debug)]
pub(crate) struct PreparedBatch {
    /// Its samples, without those that were lost.
    list: Vec<usize>,
    /// The activations at the source's cut point, on the CPU; nothing where there are `windows`.
    pub(crate) batch: Batch,
    /// Where a sample has several, the windows of all of them. They are views of it: only those that are
    /// computed at a time are [collated](Self::chunks).
    windows: Vec<SourceRow>,
    /// The target of each sample.
    pub(crate) targets: Targets,
    /// How many rows of the batch each sample has.
    pub(crate) rows: Vec<i64>,
    /// What each row of the batch answers for, where the answer is a sequence.
    pub(crate) parts: Vec<RowPart>,
    /// How many positions the inputs have, padding included.
    positions: i64,
}

impl PreparedBatch {
    /// On a CPU, so many values of windows are computed at a time: more at once take more memory, and
    /// hardly less time.
    const VALUES: usize = 1 << 19;

    /// All rows in batches of at most `at_once`, for `device`, each with how many positions its inputs
    /// have, padding included. `source` is what the batch was made of.
    pub(crate) fn chunks<'p>(
        &'p self,
        source: &'p dyn BatchSource,
        at_once: usize,
        device: Device,
    ) -> impl Iterator<Item = (Batch, i64)> + 'p {
        let windows = !self.windows.is_empty();
        let rows = if windows { self.windows.len() } else { self.batch.x.size()[0] as usize };
        let largest = self.windows.iter().map(|row| row.x.numel()).max().unwrap_or(1).max(1);
        let most = if device == Device::Cpu { Self::VALUES / largest } else { usize::MAX };
        let step = at_once.min(if windows { most } else { usize::MAX }).clamp(1, rows.max(1));
        (0..rows).step_by(step).map(move |from| {
            let count = step.min(rows - from);
            if windows {
                let rows: Vec<&SourceRow> = self.windows[from..][..count].iter().collect();
                let batch = source.batch(&rows);
                let positions = source.positions(&batch, &self.list);
                return (batch.to_device(device), positions);
            }
            let narrow = |x: &Tensor| x.narrow(0, from as i64, count as i64);
            let attention_mask = self.batch.attention_mask.as_ref().map(narrow);
            let batch = Batch { x: narrow(&self.batch.x), attention_mask };
            (batch.to_device(device), self.positions)
        })
    }

    /// The same in memory that `device` copies from by itself, if it is a GPU. Windows are collated later.
    fn pinned(self, device: Device) -> Self {
        Self { batch: self.batch.pinned(device), ..self }
    }

    /// How many bytes its tensors have.
    fn bytes(&self) -> usize {
        let Batch { x, attention_mask } = &self.batch;
        let windows = self.windows.iter().map(|row| &row.x);
        let all = [x].into_iter().chain(attention_mask).chain(windows);
        all.map(|x| x.numel() * x.kind().elt_size_in_bytes()).sum()
    }
}

/// What a row of a batch answers for, where the answer is a sequence: see [`Window`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RowPart {
    pub(crate) cut: [f64; 2],
    pub(crate) words: Vec<WordStart>,
}

/// Makes a batch of each list of indices and hands them to `consume` in that order, with the indices
/// of the samples in it: those of the list, but those that [were lost](Samples::skip_lost). Loading,
/// augmentation and collation run in background threads, which leave it in memory that `device` copies
/// from by itself, if it is a GPU. The result depends on the arguments alone, not on the number of
/// threads.
///
/// # Errors
/// If a sample that is not in memory can no longer be read, or the first error of `consume`.
pub(crate) fn load_batches(
    source: &dyn BatchSource,
    lists: &[Vec<usize>],
    mode: Mode,
    device: Device,
    mut consume: impl FnMut(&[usize], PreparedBatch) -> Result<()>,
) -> Result<()> {
    if source.cut_point() > CutPoint::Inputs {
        // There is nothing to read: passing it between threads would cost more than it saves.
        return lists.iter().try_for_each(|list| {
            let rows = list.iter().map(|&at| source.rows(at, mode)).collect::<Result<_>>()?;
            hand(together(source, list, rows), &mut consume)
        });
    }
    let Some((list, rest)) = lists.split_first() else { return Ok(()) };
    let samples = source.samples();
    if rest.is_empty() && samples.in_memory() == samples.len() && matches!(mode, Mode::Eval) {
        // Neither is there here, and the next batch is not known yet: a server's.
        let rows = list.iter().map(|&at| source.rows(at, mode)).collect::<Result<_>>()?;
        return hand(together(source, list, rows).pinned(device), &mut consume);
    }
    // libtorch decides how many threads a thread's operations have when that thread first asks, by
    // what any thread set last. So this one asks before the other sets it, and resets it for later
    // threads.
    let threads = tch::get_num_threads();
    let prepare = |list: &[usize]| Ok(prepare(source, list, mode)?.pinned(device));
    let first = prepare(list)?;
    let ahead = ahead(source.samples(), lists, &first);
    let done = thread::scope(|scope| {
        // One is in hand while it waits for room.
        let (send, receive) = mpsc::sync_channel(ahead - 1);
        scope.spawn(move || {
            // One: the device's own operations need the others.
            tch::set_num_threads(1);
            for list in rest {
                let prepared: Result<_> = prepare(list);
                let failed = prepared.is_err();
                // The receiver is gone where `consume` failed.
                if send.send(prepared).is_err() || failed {
                    return;
                }
            }
        });
        hand(first, &mut consume)?;
        receive.into_iter().try_for_each(|prepared| hand(prepared?, &mut consume))
    });
    tch::set_num_threads(threads);
    done
}

/// Hands a batch on, if there is anything in it.
fn hand(
    prepared: PreparedBatch,
    consume: &mut impl FnMut(&[usize], PreparedBatch) -> Result<()>,
) -> Result<()> {
    let list = prepared.list.clone();
    if list.is_empty() { Ok(()) } else { consume(&list, prepared) }
}

/// How many batches may be prepared ahead in the samples' budget, told by the first: at least one.
fn ahead(samples: &Samples, lists: &[Vec<usize>], first: &PreparedBatch) -> usize {
    let values = |list: &Vec<usize>| list.iter().map(|&at| samples.length(at)).sum::<usize>();
    let largest = lists.iter().map(values).max().unwrap_or(0);
    let bytes = first.bytes();
    let growth = largest as f64 / lists.first().map_or(1, values).max(1) as f64;
    at_once(samples.ahead(), (bytes as f64 * growth) as usize, AHEAD)
}

fn prepare(source: &dyn BatchSource, list: &[usize], mode: Mode) -> Result<PreparedBatch> {
    let rows = list.par_iter().map(|&at| source.rows(at, mode)).collect::<Result<_>>()?;
    Ok(together(source, list, rows))
}

/// Collates the rows of the samples of a list.
fn together(source: &dyn BatchSource, list: &[usize], rows: Vec<Vec<SourceRow>>) -> PreparedBatch {
    let there = list.iter().zip(rows).filter(|(_, rows)| !rows.is_empty());
    let (list, rows): (Vec<usize>, Vec<_>) = there.map(|(&at, rows)| (at, rows)).unzip();
    let counts: Vec<i64> = rows.iter().map(|rows| rows.len() as i64).collect();
    let rows: Vec<SourceRow> = rows.into_iter().flatten().collect();
    let parts: Vec<RowPart> = rows.iter().map(|row| row.part.clone()).collect();
    let nothing = || Batch { x: Tensor::zeros([0], FLOAT), attention_mask: None };
    if list.is_empty() {
        let (batch, windows, targets) = (nothing(), vec![], Targets::from(nothing().x));
        return PreparedBatch { list, batch, windows, targets, rows: counts, parts, positions: 0 };
    }
    let (batch, windows) = match counts.iter().any(|&count| count > 1) {
        true => (nothing(), rows),
        false => (source.batch(&rows.iter().collect::<Vec<_>>()), vec![]),
    };
    let positions = if windows.is_empty() { source.positions(&batch, &list) } else { 0 };
    let targets = list.iter().map(|&at| &source.samples().targets()[at]);
    let is_tagged = targets.clone().any(|target| matches!(target, Target::Tags(_)));
    let targets = match is_tagged && parts.len() == list.len() {
        true => {
            let words: Vec<_> = parts.iter().map(|part| part.words.as_slice()).collect();
            Targets::stack_tags(targets, &words, positions)
        }
        false => Targets::stack(targets),
    };
    PreparedBatch { list, batch, windows, targets, rows: counts, parts, positions }
}
