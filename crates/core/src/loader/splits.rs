//! The samples of a data set, read.

use super::budget::MemoryBudget;
use super::samples::{Beforehand, ReadMode, Samples};
use crate::data::Dataset;
use crate::error::{BadSample, Error, Result};
use crate::modality::Modality;
use crate::task::Task;

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
    /// As [`Samples::skip_lost`], of all.
    pub fn skip_lost(&mut self) {
        let all = [&mut self.train, &mut self.validation, &mut self.test];
        all.into_iter().for_each(Samples::skip_lost);
    }

    /// As [`Samples::lost`], of all.
    pub fn lost(&self) -> Vec<String> {
        [&self.train, &self.validation, &self.test].map(Samples::lost).concat()
    }

    /// Lets the settings look at the training inputs, reads all splits, and measures the training
    /// samples: all that has to happen before a model is built. Returns what could not be read
    /// beside what could. `memory` bounds the bytes of samples in memory ([`MemoryBudget`]), and
    /// changes nothing else. `done` is told of each item, from any thread.
    ///
    /// # Errors
    /// If a class, a label or a value has no training sample that can be read.
    pub fn read<M: Modality>(
        modality: &mut M,
        data: &Dataset,
        memory: usize,
        done: impl Fn() + Sync,
    ) -> Result<(Self, Vec<BadSample>)> {
        Self::read_some(modality, data, Beforehand::All, memory, done)
    }

    /// The same with no more read than what is asked for [beforehand](Beforehand).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_some<M: Modality>(
        modality: &mut M,
        data: &Dataset,
        beforehand: Beforehand,
        memory: usize,
        done: impl Fn() + Sync,
    ) -> Result<(Self, Vec<BadSample>)> {
        let mut memory = MemoryBudget::new(memory);
        let inputs = data.train.iter().map(|item| &item.input);
        modality.survey(&beforehand.choose(inputs).collect::<Vec<_>>());
        let mut read = |items, reading| {
            Samples::read_some(modality, items, reading, beforehand, &mut memory, &done)
        };
        let (train, mut bad) = read(&data.train, ReadMode::Training);
        let (validation, bad_validation) = read(&data.validation, ReadMode::Inference);
        let (test, bad_test) = read(&data.test, ReadMode::Inference);
        bad.extend(bad_validation.into_iter().chain(bad_test));
        let asked = if data.task == Task::Transcription { 0 } else { data.labels.len() };
        let empty = (0..asked).find(|&c| !train.targets().iter().any(|t| t.has(c)));
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
        modality.fit_normalization(train.moments());
        Ok((Self { train, validation, test }, bad))
    }
}
