//! Several models that answer, of which those of one base are asked together.

use std::collections::BTreeMap;

use tch::Device;

use super::asked::{AnsweringModel, Asked, Said, said};
use super::score::scores_of;
use crate::error::{Error, Result};
use crate::loader::{Mode, PreparedBatch, RawInputs, Samples, load_batches};
use crate::modality::Modality;
use crate::model::{Passed, Tunings};
use crate::nn::Batch;
use crate::task::ctc::Decoder;

/// An input, and the model that is asked about it.
#[derive(Debug)]
pub struct Question<'a, M> {
    /// Which of the [models](AnsweringTunings::new).
    pub model: usize,
    /// As that model reads inputs.
    pub modality: &'a M,
    /// As its texts are made of its scores.
    pub decoder: &'a Decoder,
    /// The input.
    pub asked: &'a Asked,
}

/// Several models that only answer, of which those that share parameters do so together, for many threads
/// at once: see [`Tunings`].
#[derive(Debug)]
pub struct AnsweringTunings(Tunings);

// SAFETY: as of `AnsweringModel`. Whose rows a thread passes is known to that thread alone.
unsafe impl Send for AnsweringTunings {}
// SAFETY: as before.
unsafe impl Sync for AnsweringTunings {}

/// What one model is asked in a batch.
struct Part<'a, M> {
    model: usize,
    inputs: RawInputs<'a, M>,
    /// Of the samples, which are in the batch.
    chosen: Vec<usize>,
    prepared: PreparedBatch,
}

impl<'a, M: Modality> Part<'a, M> {
    /// All of these samples.
    fn new(model: usize, modality: &'a M, samples: &'a Samples, device: Device) -> Result<Self> {
        let inputs = RawInputs { modality, samples };
        let (all, mut part) = (vec![(0..samples.len()).collect()], None);
        load_batches(&inputs, &all, Mode::Eval, device, |chosen, prepared| {
            part = Some((chosen.to_vec(), prepared));
            Ok(())
        })?;
        // There is a sample at least, and none that is in memory gets lost.
        let (chosen, prepared) = part.ok_or_else(|| Error::setting("inputs", "there are none"))?;
        Ok(Self { model, inputs, chosen, prepared })
    }
}

impl AnsweringTunings {
    /// Finds out what models have in common, each told with how it reads inputs.
    ///
    /// # Errors
    /// As [`Tunings::new`].
    pub fn new<M: Modality>(models: &[(&AnsweringModel, &M)]) -> Result<Self> {
        let models: Vec<_> =
            models.iter().map(|(model, modality)| (model.model(), *modality)).collect();
        Tunings::new(&models).map(Self)
    }

    /// Whether two models have something in common that their inputs can pass together.
    pub fn go_together(&self, a: usize, b: usize) -> bool {
        self.0.shared().any(|(models, _)| models.contains(&a) && models.contains(&b))
    }

    /// What they have in common.
    pub fn tunings(&self) -> &Tunings {
        &self.0
    }

    /// What the models say of each, with `at_once` rows of each model in a batch. As everywhere, the answer
    /// for an input is the one that it has alone, to within what kernels for other sizes of batches round
    /// otherwise (some 1e-6).
    ///
    /// # Errors
    /// If the answer to one is no number, or libtorch refuses.
    pub fn answer<M: Modality>(
        &self,
        questions: &[Question<'_, M>],
        at_once: usize,
    ) -> Result<Vec<Said>> {
        let mut of_models: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, question) in questions.iter().enumerate() {
            of_models.entry(question.model).or_default().push(at);
        }
        let samples = |asked: &Vec<usize>| {
            Samples::of_read(asked.iter().map(|&at| questions[at].asked.item()))
        };
        let samples: Vec<Samples> = of_models.values().map(samples).collect();
        let of_models = of_models.iter().zip(&samples);
        let parts = of_models.clone().map(|((&model, asked), samples)| {
            Part::new(model, questions[asked[0]].modality, samples, self.device(model))
        });
        let parts: Vec<Part<'_, M>> = parts.collect::<Result<_>>()?;
        let mut all: Vec<Option<Said>> = questions.iter().map(|_| None).collect();
        for ((part, passed), ((_, asked), samples)) in
            parts.iter().zip(self.pass(&parts, at_once)).zip(of_models)
        {
            let config = self.0.models()[part.model].spec().task_config();
            let of = (part.chosen.as_slice(), &part.prepared);
            let scores = scores_of(config, samples, of, passed.into_iter())?;
            let decoder = questions[asked[0]].decoder;
            for (said, &at) in said(config, &scores, decoder)?.into_iter().zip(asked) {
                all[at] = Some(said);
            }
        }
        Ok(all.into_iter().flatten().collect())
    }

    fn device(&self, model: usize) -> Device {
        self.0.models()[model].classifier().device()
    }

    /// What the models make of the rows of their parts: of some of each at a time.
    fn pass<M: Modality>(&self, parts: &[Part<'_, M>], at_once: usize) -> Vec<Vec<Passed>> {
        let chunks = parts
            .iter()
            .map(|part| part.prepared.chunks(&part.inputs, at_once, self.device(part.model)));
        let mut chunks: Vec<_> = chunks.collect();
        let mut passed: Vec<Vec<Passed>> = parts.iter().map(|_| vec![]).collect();
        loop {
            let next = chunks.iter_mut().enumerate();
            let next = next.filter_map(|(at, chunks)| Some((at, chunks.next()?.0)));
            let next: Vec<(usize, Batch)> = next.collect();
            if next.is_empty() {
                return passed;
            }
            let asked: Vec<_> = next.iter().map(|(at, batch)| (parts[*at].model, batch)).collect();
            for ((at, _), one) in next.iter().zip(self.0.forward(&asked)) {
                passed[*at].push(one);
            }
        }
    }
}
