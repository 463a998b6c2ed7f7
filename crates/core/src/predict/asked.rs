//! Inputs as they come, one by one, as a server is asked about them: each is read by itself, those that
//! wait are answered together, and many threads may do so.

use std::fmt;
use std::sync::Arc;

use tch::Tensor;

use super::answer::{Answer, AnswerLine, answers_with, located};
use super::score::score;
use crate::data::{Extent, Item};
use crate::error::{BadSample, Result};
use crate::loader::Samples;
use crate::modality::Modality;
use crate::model::Model;
use crate::spec::Spec;
use crate::task::ctc::Decoder;
use crate::task::{Scores, TaskConfig};
use crate::weights::SharedTensors;

/// An input that was read.
#[derive(Debug)]
pub struct Asked {
    item: Item,
    sample: Tensor,
    extent: Option<Extent>,
}

/// What a model says of one.
#[derive(Debug)]
pub struct Said {
    answer: Answer,
    /// At how many positions, or words; `None`: of the whole.
    positions: Option<usize>,
}

impl Asked {
    /// Reads an input.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read<M: Modality>(modality: &M, item: Item) -> Result<Self, BadSample> {
        match modality.read(&item.input) {
            Ok(sample) => {
                let extent = modality.extent(&item.input).ok().flatten();
                Ok(Self { item, sample, extent })
            }
            Err(cause) => Err(BadSample { place: item.place, cause }),
        }
    }

    /// What it is, and as it was read.
    pub(super) fn item(&self) -> (&Item, Tensor) {
        (&self.item, self.sample.shallow_clone())
    }

    /// The number of values in it. Those of about the same length are best answered together, as little
    /// is padded.
    pub fn length(&self) -> usize {
        self.sample.numel()
    }

    /// The answer with the input, as `predict --json` has it. `top` and `sigmoid` as in
    /// [`AnswerLine`].
    ///
    /// # Errors
    /// If the places of the answer cannot be found in the input.
    pub fn line<M: Modality>(
        &self,
        modality: &M,
        said: Said,
        config: TaskConfig<'_>,
        top: usize,
        sigmoid: bool,
    ) -> Result<serde_json::Value> {
        let Self { item, extent, .. } = self;
        let answer = &located(said.answer, said.positions, modality, item)?;
        let unit = M::EXTENT;
        Ok(AnswerLine { item, answer, config, sets: None, top, sigmoid, extent: *extent, unit }
            .json())
    }
}

/// A model that only answers, and does so for many threads at once.
pub struct AnsweringModel(Arc<Model>);

// SAFETY: nothing that can be reached from here changes it. Its parameters are read alone, under
// `no_grad`, and libtorch counts references to them atomically; its cells (the precision, what batch
// norms do in training) are read, and set by methods of `Model` only, which nobody has any more.
unsafe impl Sync for AnsweringModel {}

// SAFETY: what keeps a model from being sent is that its layers are shared, with the graph of a training
// step that computes them again. Their references are counted atomically, and whoever has one reads.
unsafe impl Send for AnsweringModel {}

impl AnsweringModel {
    /// From now on, it only answers.
    // This type is what the model is not.
    #[allow(clippy::arc_with_non_send_sync)]
    pub fn new(model: Model) -> Self {
        Self(Arc::new(model))
    }

    /// The model, for those that answer together with it.
    pub(super) fn model(&self) -> Arc<Model> {
        self.0.clone()
    }

    /// Lets others that are [opened](crate::run::open_shared) have its parameters.
    ///
    /// # Errors
    /// If libtorch cannot compare them.
    pub fn lend(&self, shared: &SharedTensors) -> Result<()> {
        let mut values = self.0.store().variables().into_values();
        values.try_for_each(|value| shared.shared(value).map(drop))
    }

    /// What it was built from.
    pub fn spec(&self) -> &Spec {
        self.0.spec()
    }

    /// What it says of each, with `at_once` rows in a batch. As everywhere, the answer for an input is the
    /// one that it has alone, to within what kernels for other sizes of batches round otherwise (some
    /// 1e-6).
    ///
    /// # Errors
    /// If the answer to one is no number, or libtorch refuses.
    pub fn answer<M: Modality>(
        &self,
        modality: &M,
        asked: &[&Asked],
        at_once: usize,
        decoder: &Decoder,
    ) -> Result<Vec<Said>> {
        let samples = Samples::of_read(asked.iter().map(|asked| asked.item()));
        let config = self.0.spec().task_config();
        let mut all = Vec::with_capacity(asked.len());
        score(&self.0, modality, &samples, at_once, |_, scores| {
            all.extend(said(config, scores, decoder)?);
            Ok(())
        })?;
        Ok(all)
    }
}

/// What a model says of samples, by its scores.
///
/// # Errors
/// If the scores are not those of the task.
pub(super) fn said(
    config: TaskConfig<'_>,
    scores: &Scores,
    decoder: &Decoder,
) -> Result<Vec<Said>> {
    let answers = answers_with(config, scores, decoder)?.into_iter().enumerate();
    let said = |(row, answer)| {
        let sequence = matches!(scores, Scores::Sequences(_));
        Said { answer, positions: sequence.then(|| scores.positions(row)) }
    };
    Ok(answers.map(said).collect())
}

impl fmt::Debug for AnsweringModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnsweringModel").field(self.spec()).finish()
    }
}
