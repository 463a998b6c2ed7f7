//! Samples and pretrained models, read to be looked at rather than trained: for `rank` and `embed`.

use std::path::PathBuf;

use anyhow::Result;
use crosstune_core::{
    BadSample, DEFAULT_MEMORY, Dataset, Device, Error, Input, LoadParts, Modality, Model, Origin,
    Pretrained, ReadMode, Samples, Task,
};

use super::weights;
use crate::{
    args::{SampleArgs, setting},
    output::progress,
};

/// A pretrained model with the settings that its inputs are prepared by.
#[derive(Debug)]
pub(crate) struct Candidate<M> {
    /// As a person named it.
    pub(crate) path: PathBuf,
    pub(crate) source: Pretrained,
    pub(crate) modality: M,
    pub(crate) embedder: Origin,
}

impl<M: Modality> Candidate<M> {
    /// Opens it, and lets the settings adopt it and look at the training inputs.
    pub(crate) fn open(
        path: PathBuf,
        family: Option<&str>,
        mut modality: M,
        data: &Dataset,
    ) -> Result<Self> {
        let source = Pretrained::open_as(weights::local(&path)?, family)?;
        let embedder = modality.adopt(&source)?;
        modality.survey(&data.train.iter().map(|item| &item.input).collect::<Vec<&Input>>());
        Ok(Self { path, source, modality, embedder })
    }

    /// The model, for inputs as `modality` prepares them, with a fresh head.
    pub(crate) fn model(&self, modality: &M, labels: &[String], device: Device) -> Result<Model> {
        let spec = M::spec(&self.source, self.embedder, labels.to_vec());
        let source = self.source.source()?;
        Ok(Model::new(spec, modality, Some((&source, LoadParts::Body)), device)?)
    }
}

/// Training samples, read for one or several models that prepare their inputs alike.
#[derive(Debug)]
pub(crate) struct ReadSamples<M> {
    /// The settings, with the scale of the samples.
    pub(crate) modality: M,
    /// What training would vary: a fresh embedder is settled on it.
    pub(crate) kept: Samples,
    /// What a model is asked about.
    pub(crate) plain: Samples,
    /// The place of each plain sample among the training items.
    pub(crate) places: Vec<usize>,
    /// How many could not be read.
    pub(crate) skipped: usize,
}

/// The data set whose training split is looked at.
pub(crate) fn dataset<M: Modality>(args: &SampleArgs) -> Result<Dataset> {
    let mut data = Dataset::open(&args.data, &args.layout.layout::<M>()?)?;
    if let Some(limit) = args.limit_per_class {
        data.limit_per_class(limit.get(), args.seed)?;
    }
    if data.task != Task::SingleLabel {
        return Err(setting("--task", "sources are looked at with one class for each sample"));
    }
    Ok(data)
}

/// Reads the training samples, as `modality` prepares them.
pub(crate) fn look<M: Modality>(
    mut modality: M,
    data: &Dataset,
    skip_bad: bool,
) -> Result<ReadSamples<M>> {
    let mut memory = DEFAULT_MEMORY;
    let bar = progress::reading(2 * data.train.len(), M::SAMPLES);
    let mut read = |modality: &M, reading| {
        Samples::read(modality, &data.train, reading, &mut memory, || bar.inc(1))
    };
    let (kept, bad) = read(&modality, ReadMode::Training);
    refuse(bad, &kept, skip_bad)?;
    let (plain, bad) = read(&modality, ReadMode::Inference);
    bar.finish_and_clear();
    modality.fit_normalization(&kept.in_memory_subset(usize::MAX));
    let readable = |&at: &usize| bad.iter().all(|b| b.place != data.train[at].place);
    let places = (0..data.train.len()).filter(readable).collect();
    let skipped = refuse(bad, &plain, skip_bad)?;
    Ok(ReadSamples { modality, kept, plain, places, skipped })
}

fn refuse(bad: Vec<BadSample>, read: &Samples, skip_bad: bool) -> Result<usize> {
    match bad.is_empty() || (skip_bad && !read.is_empty()) {
        true => Ok(bad.len()),
        false => Err(Error::BadSamples(bad).into()),
    }
}
