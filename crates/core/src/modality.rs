//! What an adapter crate (image, audio, text) implements once, to be served by everything here.

use std::{fmt::Debug, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use tch::Tensor;

use crate::{
    Batch, Embedder, Form, Input, InputKind, Item, Origin, Pretrained, PretrainedEmbedder, Result,
    Scope, error::Cause,
};

/// The settings of one modality: how a raw input becomes a sample, and samples a batch. It has no
/// parameters of its own; it is saved with a tuned model, so that prediction prepares inputs
/// exactly as training did.
///
/// In the order of use: [`adopt`](Self::adopt) once per source, [`survey`](Self::survey) once per
/// training set, [`read`](Self::read) once per sample (in parallel), [`standardise`](Self::standardise)
/// once, [`embedder`](Self::embedder) once per model, [`batch`](Self::batch) at every step.
pub trait Modality:
    Debug + Clone + Default + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The name in messages and run folders: `image`, `audio`, `text`.
    const NAME: &'static str;
    /// What one sample is called, in the plural: `pictures`, `recordings`, `sentences`.
    const SAMPLES: &'static str;
    /// What the raw inputs are.
    const INPUTS: InputKind = InputKind::Files;
    /// Endings of the files that are samples, in lower case, without the dot.
    const EXTENSIONS: &'static [&'static str];

    /// Takes over what a pretrained source publishes about inputs of this modality (a tokenizer,
    /// say), and tells where the embedder's parameters come from: [`Origin::Pretrained`] if the
    /// source was trained on this modality and its embedder fits, else [`Origin::Fresh`].
    fn adopt(&mut self, source: &Pretrained) -> Result<Origin>;

    /// Settles what was left open by looking at the training inputs, before they are read (a
    /// sample rate, a length). Inputs that cannot be read are passed over: `read` reports them.
    fn survey(&mut self, train: &[&Input]) {
        let _ = train;
    }

    /// Reads one input into a sample: a CPU tensor in a compact form of the modality's choosing.
    ///
    /// # Errors
    /// What is wrong with the input, in one line without its path, which the caller adds.
    fn read(&self, input: &Input) -> Result<Tensor, Cause>;

    /// Measures the training samples, so that `batch` can bring every sample to a common scale.
    fn standardise(&mut self, train: &[Tensor]) {
        let _ = train;
    }

    /// Puts samples together, padded to a common length where they differ.
    fn batch(&self, samples: &[&Tensor]) -> Batch;

    /// A batch of one sample as [`batch`](Self::batch) makes it, of the greatest length and with a mask
    /// where batches may have one, to trace a model with.
    fn example(&self) -> Batch;

    /// Builds the embedder at `at` that turns batches into features of `form`.
    ///
    /// # Errors
    /// If no embedder of this modality emits `form`, or if the source of `at` lacks a tensor.
    fn embedder(&self, at: Scope<'_>, form: Form) -> Result<Box<dyn Embedder>>;

    /// The embedder that the adopted source was trained with, fitted to these settings; `None`: the
    /// embedder is fresh.
    fn pretrained_embedder(&self) -> Option<PretrainedEmbedder> {
        None
    }

    /// Writes what transformers keeps beside a model's weights (a tokenizer, a
    /// `preprocessor_config.json`) into a folder, and gives the fields of `config.json` that only the
    /// modality knows.
    fn publish(&self, folder: &Path) -> Result<serde_json::Map<String, serde_json::Value>> {
        let _ = folder;
        Ok(serde_json::Map::new())
    }

    /// The items that one file of a `predict` call stands for: itself, unless the modality keeps
    /// many inputs in a file.
    fn items(&self, path: &Path) -> Result<Vec<Item>> {
        Ok(vec![Item::file(path)])
    }

    /// Saves the settings into a run folder.
    fn save(&self, folder: &Path) -> Result<()> {
        crate::run::write_json(&folder.join(PREPROCESSING), self)
    }

    /// Reads the settings back from a run folder.
    fn open(folder: &Path) -> Result<Self> {
        crate::run::read_json(&folder.join(PREPROCESSING))
    }
}

/// The file in a run folder that holds the modality's settings.
pub const PREPROCESSING: &str = "preprocessing.json";
