//! Batches, made ahead of the device, of inputs or of what frozen parts made of them.

use std::sync::mpsc;
use std::thread;

use rayon::prelude::*;
use tch::Tensor;

use super::samples::{ReadMode, Samples};
use crate::error::Result;
use crate::modality::Modality;
use crate::nn::{Batch, CutPoint};
use crate::random::rng;
use crate::task::Target;

/// How many batches may wait for the device.
const AHEAD: usize = 4;

/// What batches are for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// To learn from: each sample is varied.
    Train {
        /// Decides the variations, with the epoch.
        seed: u64,
        /// Counted from 1.
        epoch: usize,
    },
    /// To be asked about: each sample in its windows.
    Eval,
}

/// Where batches come from.
pub(crate) trait BatchSource: Sync {
    /// The samples, with their targets.
    fn samples(&self) -> &Samples;
    /// Through which cut of a classifier its batches flow.
    fn cut_point(&self) -> CutPoint;
    /// The rows of a batch that one sample makes.
    ///
    /// # Errors
    /// If a sample that was not kept can no longer be read.
    fn rows(&self, at: usize, purpose: Mode) -> Result<Vec<Tensor>>;
    /// Puts rows together.
    fn batch(&self, rows: &[&Tensor]) -> Batch;
}

/// Inputs as they are.
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

    fn rows(&self, at: usize, purpose: Mode) -> Result<Vec<Tensor>> {
        let Self { modality, samples } = self;
        match purpose {
            Mode::Train { seed, epoch } => {
                let kept = samples.get(*modality, at, ReadMode::Training)?;
                Ok(vec![modality.augment(&kept, &mut rng(seed, epoch, at))])
            }
            Mode::Eval => Ok(modality.windows(&samples.get(*modality, at, ReadMode::Inference)?)),
        }
    }

    fn batch(&self, rows: &[&Tensor]) -> Batch {
        self.modality.batch(rows)
    }
}

/// Samples put together.
#[derive(Debug)]
pub(crate) struct PreparedBatch {
    /// What flows through the feed's cut, on the CPU.
    pub(crate) batch: Batch,
    /// The target of each sample; see [`Target::stack`].
    pub(crate) targets: Tensor,
    /// How many rows of the batch each sample has.
    pub(crate) rows: Vec<i64>,
}

/// Makes a batch of each list of indices and hands them to `consume` in that order. Reading,
/// varying and putting together go on in other threads meanwhile. What comes out depends on the
/// arguments alone, not on the number of threads.
///
/// # Errors
/// If a sample that was not kept can no longer be read, or the first error of `consume`.
pub(crate) fn load_batches(
    feed: &dyn BatchSource,
    lists: &[Vec<usize>],
    purpose: Mode,
    mut consume: impl FnMut(&[usize], PreparedBatch) -> Result<()>,
) -> Result<()> {
    if feed.cut_point() > CutPoint::Inputs {
        // There is nothing to read: handing it from thread to thread would cost more than it takes.
        return lists.iter().try_for_each(|list| {
            let rows = list.iter().map(|&at| feed.rows(at, purpose)).collect::<Result<_>>()?;
            consume(list, together(feed, list, rows))
        });
    }
    // libtorch settles how many threads a thread's operations have when that is first asked for, by
    // what any thread set last. So this one asks before the other sets it, and sets it back for
    // those that come later.
    let threads = tch::get_num_threads();
    let done = thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || {
            // One: the device's own operations need the others.
            tch::set_num_threads(1);
            for list in lists {
                let prepared = prepare(feed, list, purpose);
                let failed = prepared.is_err();
                // The other end is gone where `consume` failed.
                if send.send(prepared).is_err() || failed {
                    return;
                }
            }
        });
        lists.iter().zip(receive).try_for_each(|(list, prepared)| consume(list, prepared?))
    });
    tch::set_num_threads(threads);
    done
}

fn prepare(feed: &dyn BatchSource, list: &[usize], purpose: Mode) -> Result<PreparedBatch> {
    let rows = list.par_iter().map(|&at| feed.rows(at, purpose)).collect::<Result<_>>()?;
    Ok(together(feed, list, rows))
}

/// The rows of the samples of a list as a batch.
fn together(feed: &dyn BatchSource, list: &[usize], rows: Vec<Vec<Tensor>>) -> PreparedBatch {
    PreparedBatch {
        batch: feed.batch(&rows.iter().flatten().collect::<Vec<_>>()),
        targets: Target::stack(list.iter().map(|&at| &feed.samples().targets()[at])),
        rows: rows.iter().map(|rows| rows.len() as i64).collect(),
    }
}
