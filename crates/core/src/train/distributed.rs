//! The part of one process in a training of several (PyTorch's `DistributedDataParallel`): it computes a
//! share of each batch, and does all else as the others do, with sums over all of them. Alone, it computes
//! whole batches, and nothing here does anything.
//!
//! Every step, the losses are weighed before gradients are computed: each process's is a part of the mean
//! over the whole batch, and gradients are sums of the parts', also those that come through batch norms'
//! statistics. Each process's dropout draws by itself, from what the seed, the rank and the number of the
//! batch decide, and not from what was drawn before.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::Rng;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::frozen::digest;
use super::options::FitOptions;
use super::record::StepOutput;
use super::resume::{Parts, Turn};
use crate::distributed::{Sum, World, kind_name, kind_of, several, world};
use crate::error::{Error, Result};
use crate::libtorch::c10d::SUM_FAILED;
use crate::loader::{Samples, share};
use crate::model::Model;
use crate::random;

/// The batches of an epoch, as this process has them.
pub(super) struct Shares {
    lists: Vec<Vec<usize>>,
    /// Of each, whether nothing of it is this process's.
    absent: Vec<bool>,
}

impl Shares {
    /// Its shares of the batches of all. Where one is empty, the process computes a sample that does not
    /// count: so all take part in all that is summed.
    pub(super) fn of(lists: Vec<Vec<usize>>, samples: &Samples) -> Self {
        match world() {
            None => Self { absent: vec![], lists },
            Some(world) => {
                Self::dealt(&lists, |at| samples.length(at), [world.rank(), world.size()])
            }
        }
    }

    fn dealt(lists: &[Vec<usize>], length: impl Fn(usize) -> usize, place: [usize; 2]) -> Self {
        let of = |list: &Vec<usize>| match share(list, &length, place) {
            none if none.is_empty() => (list[..1].to_vec(), true),
            some => (some, false),
        };
        let (lists, absent) = lists.iter().map(of).unzip();
        Self { lists, absent }
    }

    pub(super) fn lists(&self) -> &[Vec<usize>] {
        &self.lists
    }

    /// Begins with a batch of an epoch.
    pub(super) fn enter(&self, seed: u64, epoch: usize, number: usize) {
        if let Some(world) = several() {
            world.set_absent(self.absent[number]);
            // Apart from the streams that augment samples.
            let stream = seed ^ (world.rank() as u64 + 1).rotate_left(48);
            random::seed(random::rng(stream, epoch, number).next_u64());
        }
    }
}

/// Begins a training: all have the same samples and options, and the first one's parameters.
pub(super) fn begin(model: &Model, samples: [usize; 2], options: &FitOptions) -> Result<()> {
    let size = world().map_or(1, World::size);
    if options.processes != size {
        let problem = format!("{} are set, but {size} train together", options.processes);
        return Err(Error::setting("--processes", problem));
    }
    let Some(world) = world() else { return Ok(()) };
    let [train, validation] = samples;
    let said = format!("{train} training and {validation} validation samples");
    world.check_same(&said, "the processes do not see the same data")?;
    let options = serde_json::to_string(options).unwrap_or_default();
    world.check_same(&options, "the processes do not have the same options")?;
    let mut all: BTreeMap<String, Tensor> = model.store().variables().into_iter().collect();
    world.broadcast(&mut all.values_mut().collect::<Vec<_>>())
}

/// A batch of which each process computes a part. What the parts weigh is summed while they are computed,
/// and their losses while gradients are: nobody waits for a sum before the gradients' own.
pub(super) struct Part {
    weight: f64,
    samples: i64,
    /// The weight of the whole batch, and its samples.
    whole: Option<Sum<'static>>,
}

impl Part {
    /// Before it is computed: its samples, and what they weigh.
    pub(super) fn begin(samples: i64, weight: impl FnOnce() -> f64) -> Result<Self> {
        let Some(world) = world() else { return Ok(Self { weight: 1., samples, whole: None }) };
        let (weight, samples) = if world.is_absent() { (0., 0) } else { (weight(), samples) };
        let whole = Some(world.begin_sum(&[weight, samples as f64])?);
        Ok(Self { weight, samples, whole })
    }

    /// Once its mean loss is known: what is part of the mean over the whole batch, and what will come of
    /// the latter.
    pub(super) fn weigh(self, loss: Tensor, correct: Option<i64>) -> Result<(Outcome, Tensor)> {
        let step = StepOutput { loss: loss.double_value(&[]), correct, samples: self.samples };
        let Some((world, whole)) = world().zip(self.whole) else {
            return Ok((Outcome { step, sums: None }, loss));
        };
        let whole = whole.wait()?;
        // A batch of sentences without a word that counts has no weight.
        let factor = self.weight / whole[0].max(f64::MIN_POSITIVE);
        let own = if world.is_absent() { 0 } else { correct.unwrap_or(0) };
        let sums = Some(world.begin_sum(&[factor * step.loss, own as f64])?);
        let step = StepOutput { samples: whole[1] as i64, ..step };
        Ok((Outcome { step, sums }, loss * factor))
    }
}

/// What comes of a batch.
pub(super) struct Outcome {
    step: StepOutput,
    /// The loss, and the correct predictions.
    sums: Option<Sum<'static>>,
}

impl Outcome {
    /// Waits for all processes.
    pub(super) fn wait(self) -> Result<StepOutput> {
        let Some(sums) = self.sums.map(Sum::wait).transpose()? else { return Ok(self.step) };
        let correct = self.step.correct.map(|_| sums[1] as i64);
        Ok(StepOutput { loss: sums[0], correct, ..self.step })
    }
}

/// Replaces the gradients by their sums over all processes.
pub(super) fn sum_gradients(gradients: &mut [Tensor]) -> Result<()> {
    let Some(world) = world() else { return Ok(()) };
    // Which parameters a loss depends on, the model decides: it is the same for all.
    for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
        let alike = gradients.iter_mut().filter(|g| g.defined() && g.kind() == kind);
        world.sum_all(&mut alike.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// An error of the computation of gradients, which may come of a process that has gone.
pub(super) fn explained(error: Error) -> Error {
    let said = error.to_string();
    match several() {
        Some(world) if said.contains(SUM_FAILED) => world.explain(&said),
        _ => error,
    }
}

/// Checks that all processes have the same parameters and statistics, to the last bit.
///
/// # Errors
/// If they have not: the sums of one have gone another way.
pub(super) fn check_parameters(model: &Model) -> Result<()> {
    let Some(world) = several() else { return Ok(()) };
    let mut names: Vec<String> = model.store().variables().into_keys().collect();
    names.sort();
    let problem = "the parameters of the processes have come apart: do all machines have the same \
                   processors and libtorch?";
    world.check_same(&digest(model, &names)?, problem)
}

/// Waits for all, where the first may be writing what the others do not.
pub(super) fn together() -> Result<()> {
    several().map_or(Ok(()), |world| world.sum(&[1.]).map(drop))
}

/// Whether this process writes.
pub(super) fn writes() -> bool {
    world().is_none_or(World::is_first)
}

/// What all do after a step: what the first would, and if one is asked to end, they end.
pub(super) fn agree_turn(turn: Turn) -> Result<Turn> {
    let Some(world) = several() else { return Ok(turn) };
    let is = |wanted| f64::from(u8::from(turn == wanted));
    let save = if world.is_first() { is(Turn::Save) } else { 0. };
    let sums = world.sum(&[is(Turn::Stop), save])?;
    Ok(match (sums[0] > 0., sums[1] > 0.) {
        (true, _) => Turn::Stop,
        (_, true) => Turn::Save,
        _ => Turn::GoOn,
    })
}

/// The checkpoint that the first process has found, in all of them: their machines need not share a disk.
pub(super) fn from_first(find: impl FnOnce() -> Result<Option<Parts>>) -> Result<Option<Parts>> {
    let Some(world) = several() else { return find() };
    let found = if world.is_first() { find()? } else { None };
    let contents = found.as_ref().map(|parts| {
        let tensors = parts.tensors.iter();
        let tensors = tensors.map(|(name, x)| (name.clone(), kind_name(x), x.size()));
        (parts.path.clone(), parts.values.clone(), tensors.collect::<Vec<_>>())
    });
    let unread = |e: serde_json::Error| Error::Distributed {
        problem: format!("the first process's checkpoint cannot be read: {e}"),
    };
    let said =
        if world.is_first() { serde_json::to_vec(&contents).map_err(unread)? } else { vec![] };
    let said = world.gather(&said)?;
    let Some((path, values, shapes)): Contents =
        serde_json::from_slice(&said[0]).map_err(unread)?
    else {
        return Ok(None);
    };
    let mut tensors = found.map(|parts| parts.tensors).unwrap_or_default();
    for (name, kind, shape) in shapes {
        let kind = kind_of(&kind);
        let new = || Tensor::zeros(&*shape, (kind, Device::Cpu));
        world.broadcast(&mut [tensors.entry(name).or_insert_with(new)])?;
    }
    Ok(Some(Parts { path, values, tensors }))
}

/// A checkpoint's path, values and tensors, the latter by name, kind and shape.
type Contents = Option<(PathBuf, BTreeMap<String, Value>, Vec<(String, String, Vec<i64>)>)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_something_to_compute() {
        let lists = vec![vec![4, 1, 3, 0], vec![2]];
        let shares = [0, 1].map(|rank| Shares::dealt(&lists, |_| 1, [rank, 2]));
        assert_eq!(shares[0].lists(), [vec![4, 0], vec![2]]);
        assert_eq!(shares[1].lists(), [vec![1, 3], vec![2]]);
        assert_eq!(shares.map(|shares| shares.absent), [[false, false], [false, true]]);
    }
}
