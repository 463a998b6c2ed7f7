//! Reading the samples of a data set, in parallel and ahead of training.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use tch::Tensor;

use crate::data::{Dataset, Input, Item};
use crate::error::{BadSample, BoxError, Error, Location, Result};
use crate::modality::Modality;
use crate::random::Rng;
use crate::task::Target;

/// Samples with their targets. Those for which there is room are kept in memory; the others are read
/// again whenever they are needed.
#[derive(Debug, Default)]
pub struct Samples {
    held: Vec<Slot>,
    targets: Vec<Target>,
    places: Vec<Location>,
}

/// A sample that can be had at any time.
#[derive(Debug)]
enum Slot {
    Memory(Shared),
    Item(Item),
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

/// How many bytes of samples are kept in memory if nobody says otherwise.
pub const DEFAULT_MEMORY: usize = 4 << 30;

/// So many are read before it is decided which of them are kept.
const READ_AT_ONCE: usize = 256;

impl Samples {
    /// Reads all items on all cores, and returns those that cannot be read apart. Samples are in
    /// the order of the items. `memory` is how many bytes of them may be kept, and is lowered by
    /// what is; which ones those are is left to chance, but the same at each call. `done` is told of
    /// each item, from any thread.
    pub fn read<M: Modality>(
        modality: &M,
        items: &[Item],
        reading: ReadMode,
        memory: &mut usize,
        done: impl Fn() + Sync,
    ) -> (Self, Vec<BadSample>) {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.shuffle(&mut Rng::seed_from_u64(0));
        let mut held: Vec<Option<Result<Slot, BoxError>>> = items.iter().map(|_| None).collect();
        for some in order.chunks(READ_AT_ONCE) {
            let read = |&at: &usize| {
                let tensor = reading.of(modality, &items[at].input);
                done();
                (at, tensor)
            };
            for (at, tensor) in some.par_iter().map(read).collect::<Vec<_>>() {
                held[at] = Some(tensor.map(|tensor| {
                    let bytes = tensor.numel() * tensor.kind().elt_size_in_bytes();
                    match memory.checked_sub(bytes) {
                        Some(left) => {
                            *memory = left;
                            Slot::Memory(Shared(tensor))
                        }
                        None => Slot::Item(items[at].clone()),
                    }
                }));
            }
        }
        let (mut samples, mut bad) = (Self::default(), vec![]);
        for (item, held) in items.iter().zip(held.into_iter().flatten()) {
            match held {
                Ok(held) => {
                    samples.held.push(held);
                    samples.targets.push(item.target.clone());
                    samples.places.push(item.place.clone());
                }
                Err(cause) => bad.push(BadSample { place: item.place.clone(), cause }),
            }
        }
        (samples, bad)
    }

    /// What is to be answered of each.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Where one of them was found.
    pub fn place(&self, at: usize) -> &Location {
        &self.places[at]
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

    /// The number of those that are kept in memory.
    pub fn in_memory(&self) -> usize {
        self.held.iter().filter(|h| matches!(h, Slot::Memory(_))).count()
    }

    /// Those that are kept in memory, at most `limit`, from evenly among them.
    pub fn in_memory_subset(&self, limit: usize) -> Vec<Tensor> {
        let step = self.in_memory().div_ceil(limit.max(1)).max(1);
        let tensors = self.held.iter().filter_map(|held| match held {
            Slot::Memory(Shared(tensor)) => Some(tensor.shallow_clone()),
            Slot::Item(_) => None,
        });
        tensors.step_by(step).collect()
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
            Slot::Item(item) => reading.of(modality, &item.input).map_err(|cause| {
                Error::BadSamples(vec![BadSample { place: item.place.clone(), cause }])
            }),
        }
    }

    /// The size of one sample, as far as it is known without reading it again.
    pub(crate) fn length(&self, at: usize) -> usize {
        match &self.held[at] {
            Slot::Memory(Shared(tensor)) => tensor.numel(),
            Slot::Item(_) => 0,
        }
    }
}

/// Those samples that could not be read, where they are to be skipped and others are left; else an
/// error that names them all.
///
/// # Errors
/// [`Error::BadSamples`].
pub fn refuse_bad(
    bad: Vec<BadSample>,
    skip_bad: bool,
    others_left: bool,
) -> Result<Vec<BadSample>> {
    match bad.is_empty() || (skip_bad && others_left) {
        true => Ok(bad),
        false => Err(Error::BadSamples(bad)),
    }
}

/// The samples of a data set, prepared by settings that fit its training split.
#[derive(Debug)]
pub struct Splits {
    /// What to learn from.
    pub train: Samples,
    /// What to choose by.
    pub validation: Samples,
    /// What to report.
    pub test: Samples,
}

impl Splits {
    /// Lets the settings look at the training inputs, reads all splits, and measures the training
    /// samples: all that has to happen before a model is built. Returns what could not be read
    /// beside what could. At most `memory` bytes of samples are kept (see [`DEFAULT_MEMORY`]).
    /// `done` is told of each item, from any thread.
    ///
    /// # Errors
    /// If a class, a label or a value has no training sample that can be read.
    pub fn read<M: Modality>(
        modality: &mut M,
        data: &Dataset,
        mut memory: usize,
        done: impl Fn() + Sync,
    ) -> Result<(Self, Vec<BadSample>)> {
        modality.survey(&data.train.iter().map(|i| &i.input).collect::<Vec<_>>());
        let mut read = |items, reading| Samples::read(modality, items, reading, &mut memory, &done);
        let (train, mut bad) = read(&data.train, ReadMode::Training);
        let (validation, bad_validation) = read(&data.validation, ReadMode::Inference);
        let (test, bad_test) = read(&data.test, ReadMode::Inference);
        bad.extend(bad_validation.into_iter().chain(bad_test));
        let empty = (0..data.labels.len()).find(|&c| !train.targets().iter().any(|t| t.has(c)));
        if let Some(class) = empty {
            // The reasons say more than the class does.
            return Err(match bad.is_empty() {
                false => Error::BadSamples(bad),
                true => Error::Data {
                    path: data.path.clone(),
                    problem: format!(
                        "the {} {:?} has no training samples left; lower --validation",
                        data.task.answer(),
                        data.labels[class]
                    ),
                },
            });
        }
        modality.fit_normalization(&train.in_memory_subset(usize::MAX));
        Ok((Self { train, validation, test }, bad))
    }
}
