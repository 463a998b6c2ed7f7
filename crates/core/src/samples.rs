//! Reading the samples of a data set, in parallel and ahead of training.

use std::fmt;

use rayon::prelude::*;
use tch::Tensor;

use crate::{
    Dataset, Error, Item, Modality, Place, Result,
    error::{Cause, one_line},
};

/// Samples in memory with their targets.
#[derive(Debug, Default)]
pub struct Samples {
    /// What [`Modality::read`] returned for each.
    pub inputs: Vec<Tensor>,
    /// The class of each, an index into the data set's labels.
    pub targets: Vec<i64>,
}

/// A sample that could not be read.
#[derive(Debug)]
pub struct BadSample {
    /// Where it was found.
    pub place: Place,
    /// What is wrong with it.
    pub cause: Cause,
}

impl fmt::Display for BadSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, one_line(self.cause.as_ref()))
    }
}

impl Samples {
    /// Reads all items on all cores, in the order of the items, and returns those that cannot be
    /// read apart. `done` is told of each item, from any thread.
    pub fn read<M: Modality>(
        modality: &M,
        items: &[Item],
        done: impl Fn() + Sync,
    ) -> (Self, Vec<BadSample>) {
        let tensors: Vec<Result<Tensor, Cause>> = items
            .par_iter()
            .map(|item| {
                let tensor = modality.read(&item.input);
                done();
                tensor
            })
            .collect();
        let (mut samples, mut bad) = (Self::default(), vec![]);
        for (item, tensor) in items.iter().zip(tensors) {
            match tensor {
                Ok(tensor) => {
                    samples.inputs.push(tensor);
                    samples.targets.push(item.label as i64);
                }
                Err(cause) => bad.push(BadSample { place: item.place.clone(), cause }),
            }
        }
        (samples, bad)
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
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
    /// beside what could. `done` is told of each item, from any thread.
    ///
    /// # Errors
    /// If a class has no training sample that can be read.
    pub fn read<M: Modality>(
        modality: &mut M,
        data: &Dataset,
        done: impl Fn() + Sync,
    ) -> Result<(Self, Vec<BadSample>)> {
        modality.survey(&data.train.iter().map(|i| &i.input).collect::<Vec<_>>());
        let (train, mut bad) = Samples::read(modality, &data.train, &done);
        let (validation, bad_validation) = Samples::read(modality, &data.validation, &done);
        let (test, bad_test) = Samples::read(modality, &data.test, &done);
        bad.extend(bad_validation.into_iter().chain(bad_test));
        let empty = (0..data.labels.len()).find(|&c| !train.targets.contains(&(c as i64)));
        if let Some(class) = empty {
            // The reasons say more than the class does.
            return Err(match bad.is_empty() {
                false => Error::BadSamples(bad),
                true => Error::Data {
                    path: data.path.clone(),
                    problem: format!(
                        "the class {:?} has no training samples left; lower --validation",
                        data.labels[class]
                    ),
                },
            });
        }
        modality.standardise(&train.inputs);
        Ok((Self { train, validation, test }, bad))
    }
}
