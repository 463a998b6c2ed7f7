//! Samples and pretrained models for `rank` and `embed`, which do not train.

use std::path::PathBuf;

use anyhow::Result;
use crosstune_core::loader::refuse_bad;
use crosstune_core::{
    Dataset, Input, Layout, LoadParts, MemoryBudget, Modality, Model, Origin, Pretrained, ReadMode,
    Samples, Task, data::ClassLimit,
};

use super::weights;
use crate::{
    args::{ComputeArgs, LayoutArgs, ReadArgs, SampleArgs, setting},
    output::{progress, say, skipped},
};

/// A pretrained model, with the settings that prepare its inputs.
#[derive(Debug)]
pub(crate) struct Candidate<M> {
    /// As given on the command line.
    pub(crate) path: PathBuf,
    pub(crate) source: Pretrained,
    pub(crate) modality: M,
    pub(crate) embedder: Origin,
}

impl<M: Modality> Candidate<M> {
    /// Opens it, lets the settings adopt it, and surveys the training inputs.
    pub(crate) fn open(
        path: PathBuf,
        read: &ReadArgs,
        mut modality: M,
        data: &Dataset,
    ) -> Result<Self> {
        let source = weights::open(&path, read)?;
        modality.set_task(data.task)?;
        let embedder = modality.adopt(&source)?;
        modality.survey(&data.train.iter().map(|item| &item.input).collect::<Vec<&Input>>());
        Ok(Self { path, source, modality, embedder })
    }

    /// The model, for inputs as `modality` prepares them, with a new head.
    pub(crate) fn model(
        &self,
        modality: &M,
        data: &Dataset,
        compute: &ComputeArgs,
    ) -> Result<Model> {
        let spec = M::spec(&self.source, self.embedder, data.labels.clone())
            .for_task(data.task, &[])?
            .with_vocabulary(data.vocabulary.clone());
        let source = self.source.source()?;
        let (from, (device, precision)) = (Some((&source, LoadParts::Body)), compute.place()?);
        Ok(Model::for_inference(spec, modality, from, device, precision)?)
    }
}

/// Training samples, read for one or several models that prepare their inputs alike.
#[derive(Debug)]
pub(crate) struct ReadSamples<M> {
    /// The settings, with the normalisation of the samples.
    pub(crate) modality: M,
    /// As for training, before augmentation: a new embedder is initialised from them.
    pub(crate) training: Samples,
    /// As for inference.
    pub(crate) inference: Samples,
    /// The index of each sample among the training items.
    pub(crate) indices: Vec<usize>,
    /// Those that could not be read, with the reasons.
    pub(crate) skipped: Vec<String>,
}

/// The tasks that a command has an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Classes,
    ClassesAndSequences,
}

/// The data set whose training split is used.
/// `takes` says which tasks a command has an answer to.
pub(crate) fn dataset<M: Modality>(
    args: &SampleArgs,
    layout: &LayoutArgs,
    takes: Takes,
) -> Result<Dataset> {
    let limit_per_class =
        args.limit_per_class.map(|limit| ClassLimit { samples: limit.get(), seed: args.seed });
    let skip_bad = args.skip_bad;
    let layout = Layout { limit_per_class, skip_bad, ..layout.layout::<M>()? };
    let data = Dataset::open(&args.data, &layout)?;
    let problem = match takes {
        Takes::Classes => "embed needs single-label data, whose classes are aligned; leave it out",
        Takes::ClassesAndSequences => "rank needs single-label data, texts or labelled words",
    };
    let sequences = takes == Takes::ClassesAndSequences && data.task.is_sequence();
    if data.task != Task::SingleLabel && !sequences {
        return Err(setting("--task", problem));
    }
    data.notes.iter().for_each(|note| say("note", note));
    Ok(data)
}

/// Reads the training samples, as `modality` prepares them.
pub(crate) fn read<M: Modality>(
    mut modality: M,
    data: &Dataset,
    skip_bad: bool,
) -> Result<ReadSamples<M>> {
    let mut memory = MemoryBudget::default();
    let bar = progress::reading(2 * data.train.len(), M::SAMPLES);
    let mut samples =
        |modality: &M, mode| Samples::read(modality, &data.train, mode, &mut memory, || bar.inc(1));
    let (training, bad) = samples(&modality, ReadMode::Training);
    refuse_bad(bad, skip_bad, !training.is_empty())?;
    let (inference, bad) = samples(&modality, ReadMode::Inference);
    bar.finish_and_clear();
    modality.fit_normalization(training.moments());
    let readable = |&at: &usize| bad.iter().all(|b| b.place != data.train[at].place);
    let indices = (0..data.train.len()).filter(readable).collect();
    let bad = refuse_bad(bad, skip_bad, !inference.is_empty())?;
    let skipped = skipped(&data.bad, &bad);
    Ok(ReadSamples { modality, training, inference, indices, skipped })
}
