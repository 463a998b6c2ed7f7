//! Reading the samples of a data set, in parallel and ahead of training.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tch::Tensor;

use super::budget::MemoryBudget;
use crate::data::{Input, Item};
use crate::error::{BadSample, BoxError, Error, Location, Result};
use crate::files::hexadecimal;
use crate::libtorch::bytes::each_piece;
use crate::modality::{Modality, Moments};
use crate::random::Rng;
use crate::task::Target;

/// Samples with their targets. Those for which there is room are kept in memory; the others are read
/// again whenever they are needed. Which ones those are changes nothing but the time it takes.
#[derive(Debug, Default)]
pub struct Samples {
    held: Vec<Slot>,
    targets: Vec<Target>,
    places: Vec<Location>,
    groups: Vec<Option<String>>,
    /// The number of values in each.
    lengths: Vec<usize>,
    /// The SHA-256 of each, as it was read.
    digests: Vec<[u8; 32]>,
    moments: Moments,
    /// Bytes of what may be read before it is needed.
    ahead: usize,
    lost: Lost,
}

/// Samples that could be read once, and then no more.
#[derive(Debug, Default)]
struct Lost {
    /// Whether they are left out instead of being an error.
    skipped: bool,
    /// What is wrong with each, by its index.
    found: Mutex<BTreeMap<usize, BadSample>>,
}

/// A sample that can be had at any time.
#[derive(Debug)]
enum Slot {
    Memory(Shared),
    Input(Input),
}

/// A tensor that many threads may look at.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Tensor);

// SAFETY: all that is done to it is `shallow_clone`, which counts references atomically, and
// nobody writes to the elements of a sample.
unsafe impl Sync for Shared {}

/// What is read of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadMode {
    /// What training varies: [`Modality::read_for_training`].
    Training,
    /// What a model is asked about: [`Modality::read`].
    Inference,
}

impl ReadMode {
    fn of<M: Modality>(self, modality: &M, input: &Input) -> Result<Tensor, BoxError> {
        match self {
            Self::Training => modality.read_for_training(input),
            Self::Inference => modality.read(input),
        }
    }
}

/// How many samples are read before anything is learned of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beforehand {
    /// All: what cannot be read is known, and everything is measured.
    All,
    /// At most so many of each split, from evenly among all, tell how samples are normalised and how long
    /// they are. Others that cannot be read are found when their turn comes.
    Some(usize),
}

impl Beforehand {
    /// Some of many, from evenly among them; or all.
    pub fn choose<T>(self, all: impl ExactSizeIterator<Item = T>) -> impl Iterator<Item = T> {
        let step = match self {
            Self::All => 1,
            Self::Some(most) => all.len().div_ceil(most.max(1)).max(1),
        };
        all.step_by(step)
    }
}

/// The most samples that are read before it is decided which of them are kept.
const READ_AT_ONCE: usize = 256;

impl Samples {
    /// Reads all items on all cores, and returns those that cannot be read apart. Samples are in
    /// the order of the items. As many are kept as `memory` has room for, which is lowered by what
    /// is; which ones those are is left to chance, but the same at each call. Of training samples,
    /// all are [measured](Modality::moments). `done` is told of each item, from any thread.
    pub fn read<M: Modality>(
        modality: &M,
        items: &[Item],
        reading: ReadMode,
        memory: &mut MemoryBudget,
        done: impl Fn() + Sync,
    ) -> (Self, Vec<BadSample>) {
        Self::read_some(modality, items, reading, Beforehand::All, memory, done)
    }

    /// The same of those that are read [beforehand](Beforehand). Of the others it is supposed that they
    /// can be read, and that they are as long as those are on the average.
    pub(crate) fn read_some<M: Modality>(
        modality: &M,
        items: &[Item],
        reading: ReadMode,
        beforehand: Beforehand,
        memory: &mut MemoryBudget,
        done: impl Fn() + Sync,
    ) -> (Self, Vec<BadSample>) {
        let order = reading_order(items, beforehand);
        let mut held: Vec<Option<FirstRead>> = items.iter().map(|_| None).collect();
        let mut moments = Moments::default();
        let (mut rest, mut count, mut largest) = (&order[..], 1, 0);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(count.min(rest.len()));
            rest = later;
            let read = |&at: &usize| {
                let tensor = reading.of(modality, &items[at].input);
                let measured = match &tensor {
                    Ok(tensor) if reading == ReadMode::Training => modality.moments(tensor),
                    _ => None,
                };
                done();
                (at, tensor.and_then(|tensor| Ok((digest(&tensor)?, tensor))), measured)
            };
            // One by one in a fixed order: the sums are the same to the last bit, however many are
            // read at once, and by however many threads.
            for (at, tensor, measured) in now.par_iter().map(read).collect::<Vec<_>>() {
                measured.iter().for_each(|measured| moments.add(measured));
                held[at] = Some(tensor.map(|(digest, tensor)| {
                    let length = tensor.numel();
                    let bytes = length * tensor.kind().elt_size_in_bytes();
                    largest = bytes.max(largest);
                    let slot = match memory.take(bytes) {
                        true => Slot::Memory(Shared(tensor)),
                        false => Slot::Input(items[at].input.clone()),
                    };
                    (slot, length, digest)
                }));
            }
            // Those so far tell how large the next may be.
            count = (2 * count).min(memory.at_once(largest, READ_AT_ONCE));
        }
        let mut samples = Self { moments, ahead: memory.ahead(), ..Self::default() };
        let mut bad = vec![];
        let lengths = || held.iter().flatten().flatten().map(|(_, length, _)| *length);
        let usual = lengths().sum::<usize>() / lengths().count().max(1);
        samples.reserve(items.len());
        for (item, held) in items.iter().zip(held) {
            let unread = || Ok((Slot::Input(item.input.clone()), usual, place_digest(item)));
            match held.unwrap_or_else(unread) {
                Ok((held, length, digest)) => {
                    samples.held.push(held);
                    samples.digests.push(digest);
                    samples.targets.push(item.target.clone());
                    samples.places.push(item.place.clone());
                    samples.groups.push(item.group.clone());
                    samples.lengths.push(length);
                }
                Err(cause) => bad.push(BadSample { place: item.place.clone(), cause }),
            }
        }
        (samples, bad)
    }

    /// Samples that [were read](Modality::read) already, all of them in memory.
    pub(crate) fn of_read<'i>(read: impl Iterator<Item = (&'i Item, Tensor)>) -> Self {
        let mut samples = Self::default();
        for (item, sample) in read {
            samples.lengths.push(sample.numel());
            samples.held.push(Slot::Memory(Shared(sample)));
            samples.digests.push(place_digest(item));
            samples.targets.push(item.target.clone());
            samples.places.push(item.place.clone());
            samples.groups.push(item.group.clone());
        }
        samples
    }

    /// Makes room, no more than is needed: they may be many.
    fn reserve(&mut self, more: usize) {
        self.held.reserve_exact(more);
        self.digests.reserve_exact(more);
        self.targets.reserve_exact(more);
        self.places.reserve_exact(more);
        self.groups.reserve_exact(more);
        self.lengths.reserve_exact(more);
    }

    /// What is to be answered of each.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Where one of them was found.
    pub fn place(&self, at: usize) -> &Location {
        &self.places[at]
    }

    /// The group that one of them is of: a speaker, say.
    pub fn group(&self, at: usize) -> Option<&str> {
        self.groups[at].as_deref()
    }

    /// Leaves some of them out, before anything is made of the others; what was measured of all stays.
    pub fn leave_out(&mut self, left_out: &[usize]) {
        let mut keep = vec![true; self.len()];
        left_out.iter().for_each(|&at| keep[at] = false);
        retain(&mut self.held, &keep);
        retain(&mut self.targets, &keep);
        retain(&mut self.places, &keep);
        retain(&mut self.groups, &keep);
        retain(&mut self.lengths, &keep);
        retain(&mut self.digests, &keep);
    }

    /// The class of each that has one, an index into the data set's labels.
    pub fn classes(&self) -> Vec<i64> {
        self.targets.iter().filter_map(Target::class).map(|class| class as i64).collect()
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The SHA-256 over all of them and what is to be answered of each, in hexadecimal digits. It does
    /// not depend on where they are, nor on how many are kept in memory.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (digest, target) in self.digests.iter().zip(&self.targets) {
            hash.update(digest);
            hash.update(format!("{target:?}"));
        }
        hexadecimal(&hash.finalize())
    }

    /// The number of those that are kept in memory.
    pub fn in_memory(&self) -> usize {
        self.held.iter().filter(|h| matches!(h, Slot::Memory(_))).count()
    }

    /// The moments of all of them, for [`Modality::fit_normalization`], if they are training samples.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// At most `limit` of them, from evenly among all, as they were read.
    ///
    /// # Errors
    /// If one that is not in memory can no longer be read.
    pub fn subset<M: Modality>(
        &self,
        modality: &M,
        reading: ReadMode,
        limit: usize,
    ) -> Result<Vec<Tensor>> {
        let step = self.len().div_ceil(limit.max(1)).max(1);
        let chosen: Vec<usize> = (0..self.len()).step_by(step).collect();
        chosen.par_iter().map(|&at| self.get(modality, at, reading)).collect()
    }

    /// One sample, from memory or read again.
    pub(crate) fn get<M: Modality>(
        &self,
        modality: &M,
        at: usize,
        reading: ReadMode,
    ) -> Result<Tensor> {
        match &self.held[at] {
            Slot::Memory(Shared(tensor)) => Ok(tensor.shallow_clone()),
            Slot::Input(input) => reading.of(modality, input).map_err(|cause| {
                Error::BadSamples(vec![BadSample { place: self.places[at].clone(), cause }])
            }),
        }
    }

    /// One sample, unless it can no longer be read and [may be left out](Self::skip_lost).
    pub(crate) fn get_unless_lost<M: Modality>(
        &self,
        modality: &M,
        at: usize,
        reading: ReadMode,
    ) -> Result<Option<Tensor>> {
        match self.get(modality, at, reading) {
            Err(Error::BadSamples(mut bad)) if self.lost.skipped => {
                let mut found = self.lost.found.lock().unwrap_or_else(PoisonError::into_inner);
                found.extend(bad.pop().map(|bad| (at, bad)));
                match found.len() < self.len() {
                    true => Ok(None),
                    false => Err(Error::BadSamples(mem::take(&mut *found).into_values().collect())),
                }
            }
            sample => sample.map(Some),
        }
    }

    /// From now on, samples that can no longer be read, as those whose files were deleted, are left
    /// out of their batches, as long as there are others.
    pub fn skip_lost(&mut self) {
        self.lost.skipped = true;
    }

    /// Those that were left out, each with what is wrong with it.
    pub fn lost(&self) -> Vec<String> {
        let found = self.lost.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.values().map(ToString::to_string).collect()
    }

    /// The number of values in one sample.
    pub(crate) fn length(&self, at: usize) -> usize {
        self.lengths[at]
    }

    /// The mean number of values in a sample; at least 1.
    pub(crate) fn mean_length(&self) -> usize {
        (self.lengths.iter().sum::<usize>() / self.len().max(1)).max(1)
    }

    /// Bytes of what may be read before it is needed.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }
}

/// What comes of reading a sample for the first time: where it is kept, its length and its SHA-256.
type FirstRead = Result<(Slot, usize, [u8; 32]), BoxError>;

/// The SHA-256 of a sample.
fn digest(tensor: &Tensor) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}{:?}", tensor.kind(), tensor.size()));
    each_piece(tensor, |bytes| {
        hash.update(bytes);
        Ok(())
    })?;
    Ok(hash.finalize().into())
}

/// The SHA-256 of where a sample is, in place of that of one that was not read.
fn place_digest(item: &Item) -> [u8; 32] {
    Sha256::digest(item.place.verbatim()).into()
}

/// Which items are read for the first time, and in which order: at random, but those of one stretch of a
/// shard one after the other.
fn reading_order(items: &[Item], beforehand: Beforehand) -> Vec<usize> {
    let step = match beforehand {
        Beforehand::All => 1,
        Beforehand::Some(most) => items.len().div_ceil(most.max(1)).max(1),
    };
    let mut stretches: Vec<Range<usize>> = vec![];
    let mut last = None;
    for (at, item) in items.iter().enumerate().step_by(step) {
        let stretch = item.input.stretch();
        match stretches.last_mut().filter(|_| stretch.is_some() && stretch == last) {
            Some(one) => one.end = at + 1,
            None => stretches.push(at..at + 1),
        }
        last = stretch;
    }
    stretches.shuffle(&mut Rng::seed_from_u64(0));
    stretches.into_iter().flat_map(|one| one.step_by(step)).collect()
}

/// Keeps those elements that are to be kept.
fn retain<T>(all: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    all.retain(|_| keep.next().copied().unwrap_or(true));
}
