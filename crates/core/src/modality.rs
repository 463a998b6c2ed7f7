//! What an adapter crate (image, audio, text) implements once, to be served by everything here.

use std::fmt::Debug;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::Tensor;

pub use crate::data::Places;
use crate::data::{Coverage, Extent, Input, InputKind, Layout};
use crate::error::{BoxError, Error, Result};
use crate::family::Pretrained;
use crate::files;
use crate::nn::{Batch, Embedder, EmbedderConfig, FeatureShape, HeadConfig, Pool};
use crate::random::Rng;
use crate::spec::{FORMAT, Spec};
use crate::task::{Task, WordStart};
use crate::units::Units;
use crate::weights::{Origin, VarBuilder};

/// The settings of one modality: how a raw input becomes a sample, and samples a batch. It has no
/// parameters of its own; it is saved with a tuned model, so that prediction prepares inputs
/// exactly as training did.
///
/// In the order of use: [`adopt`](Self::adopt) once per source, [`survey`](Self::survey) once per
/// training set, [`read_for_training`](Self::read_for_training) once per training sample and
/// [`read`](Self::read) once per other one (in parallel), [`moments`](Self::moments) once per
/// training sample, [`fit_normalization`](Self::fit_normalization) once, [`embedder`](Self::embedder) once per
/// model, [`augment`](Self::augment) once per training sample and epoch, [`batch`](Self::batch) at
/// every step.
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
    /// PEFT's task of a classifier for such inputs, `SEQ_CLS`; `None`: it has none.
    const PEFT_TASK: Option<&'static str> = None;
    /// What [`size`](Self::size) measures, with units: `width, pixels`.
    const SIZE: &'static [&'static str] = &[];
    /// The unit of [`extent`](Self::extent), in the plural: `seconds`, `tokens`.
    const EXTENT: &'static str = "";

    /// Takes over what a pretrained source publishes about inputs of this modality (a tokenizer,
    /// say), and tells where the embedder's parameters come from: [`Origin::Pretrained`] if the
    /// source was trained on this modality and its embedder fits, else [`Origin::Fresh`].
    fn adopt(&mut self, source: &Pretrained) -> Result<Origin>;

    /// Settles what was left open by looking at the training inputs, before they are read (a
    /// sample rate, a length). Inputs that cannot be read are passed over: `read` reports them.
    /// Without any, for a published model that is asked as it is: as much is taken of each input as
    /// the model has room for.
    fn survey(&mut self, train: &[&Input]) {
        let _ = train;
    }

    /// Reads one input into a sample: a CPU tensor in a compact form of the modality's choosing.
    ///
    /// # Errors
    /// What is wrong with the input, in one line without its path, which the caller adds.
    fn read(&self, input: &Input) -> Result<Tensor, BoxError>;

    /// Reads one input to train on, with all that [`augment`](Self::augment) draws from: a picture
    /// before it is cropped, a recording before it is cut.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_for_training(&self, input: &Input) -> Result<Tensor, BoxError> {
        self.read(input)
    }

    /// A sample, as [`read`](Self::read) would make it, of what
    /// [`read_for_training`](Self::read_for_training) returned, augmented at random by `rng` alone:
    /// augmentation. May run on any thread.
    fn augment(&self, kept: &Tensor, rng: &mut Rng) -> Tensor {
        let _ = rng;
        kept.shallow_clone()
    }

    /// Whether [`augment`](Self::augment) makes anything but the same sample.
    fn augments(&self) -> bool {
        false
    }

    /// The parts of a sample that a model is asked about one by one. Their probabilities are averaged,
    /// or, where the answer is a sequence, their answers are joined. More than one where samples may be
    /// longer than what the model takes. At least one.
    fn windows(&self, sample: &Tensor) -> Vec<Window> {
        vec![Window { words: self.words(sample), ..Window::from(sample.shallow_clone()) }]
    }

    /// Which words an input of a model has, as [`read`](Self::read) or [`augment`](Self::augment) made
    /// it, and where each begins; none where there are no words.
    fn words(&self, sample: &Tensor) -> Vec<WordStart> {
        let _ = sample;
        vec![]
    }

    /// Where the places of an answer are in an input: of `positions` positions that a model answered at,
    /// or of words.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn places(&self, input: &Input, positions: usize) -> Result<Places, BoxError> {
        let _ = (input, positions);
        Ok(Places::default())
    }

    /// Prepares the settings for a task, behind [`adopt`](Self::adopt) and before anything is read.
    ///
    /// # Errors
    /// If inputs of this modality have no such answers.
    fn set_task(&mut self, task: Task) -> Result<()> {
        match task {
            Task::Tagging => {
                let problem = format!("{} have no words to label", Self::SAMPLES);
                Err(Error::setting("--task", problem))
            }
            _ => Ok(()),
        }
    }

    /// Whether an input can be read at all, even before a model is adopted.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn verify(&self, input: &Input) -> Result<(), BoxError> {
        self.read(input).map(drop)
    }

    /// The size of an input, a number for each of [`SIZE`](Self::SIZE), with as little reading as
    /// that takes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn size(&self, input: &Input) -> Result<Vec<f64>, BoxError> {
        let _ = input;
        Ok(vec![])
    }

    /// What is odd about an input that can be read, and may be worth a look: silence, say.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn oddity(&self, input: &Input) -> Result<Option<String>, BoxError> {
        let _ = input;
        Ok(None)
    }

    /// How long an input is, and how much of it a model takes by these settings, in the unit
    /// [`EXTENT`](Self::EXTENT); `None`: inputs have no length, or it is not known before a model is
    /// adopted.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn extent(&self, input: &Input) -> Result<Option<Extent>, BoxError> {
        let _ = input;
        Ok(None)
    }

    /// Which option of a training takes more of inputs that are cut, for messages, `--long windows
    /// takes all`; `None`: the model has no room for more.
    fn take_more(&self, coverage: &Coverage) -> Option<String> {
        let _ = coverage;
        None
    }

    /// Which option saves computing where inputs are padded to a multiple of their length, for
    /// messages; `None`: none has to.
    fn take_less(&self, coverage: &Coverage) -> Option<String> {
        let _ = coverage;
        None
    }

    /// What a person is shown of an input, to see whether it is what it should be.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn preview(&self, input: &Input) -> Result<Preview, BoxError> {
        Ok(match &*input.loaded()? {
            Input::Stored(_) => Preview::Text(String::new()),
            Input::File(path) => Preview::Text(path.display().to_string()),
            Input::Bytes { name, .. } => Preview::Text(name.clone()),
            Input::Text(text) => Preview::Text(text.clone()),
            Input::Pair([first, second]) => Preview::Text(format!("{first}\t{second}")),
            Input::Words(words) => Preview::Text(words.join(" ")),
        })
    }

    /// What a person hears of an input: a WAV file of its first seconds; `None`: nothing.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn preview_audio(&self, input: &Input) -> Result<Option<Vec<u8>>, BoxError> {
        let _ = input;
        Ok(None)
    }

    /// What of an input explains an answer; `None`: nothing is known of it.
    fn units(&self) -> Option<&dyn Units> {
        None
    }

    /// What [`fit_normalization`](Self::fit_normalization) has to know of one training sample, as
    /// [`read_for_training`](Self::read_for_training) returned it; `None`: nothing, as the
    /// normalisation is given. May run on any thread.
    fn moments(&self, sample: &Tensor) -> Option<Moments> {
        let _ = sample;
        None
    }

    /// Takes over the moments of all training samples, so that `batch` can bring every sample to a
    /// common scale.
    fn fit_normalization(&mut self, train: &Moments) {
        let _ = train;
    }

    /// Puts samples together, padded to a common length where they differ.
    fn batch(&self, samples: &[&Tensor]) -> Batch;

    /// A batch of one sample as [`batch`](Self::batch) makes it, of the greatest length and with a mask
    /// where batches may have one, to trace a model with.
    fn example(&self) -> Batch;

    /// Builds the embedder at `vb` that turns batches into features of `form`.
    ///
    /// # Errors
    /// If no embedder of this modality emits `form`, or if the source of `vb` lacks a tensor.
    fn embedder(&self, vb: VarBuilder<'_>, form: FeatureShape) -> Result<Box<dyn Embedder>>;

    /// The embedder that the adopted source was trained with, fitted to these settings; `None`: the
    /// embedder is new.
    fn pretrained_embedder(&self) -> Option<EmbedderConfig> {
        None
    }

    /// How the embedder for a trunk that takes `form` is built, be it pretrained or new, as far as
    /// that can be told to a model for another modality.
    fn embedder_config(&self, form: FeatureShape) -> Option<EmbedderConfig> {
        let _ = form;
        self.pretrained_embedder()
    }

    /// Writes what transformers keeps beside a model's weights (a tokenizer, a
    /// `preprocessor_config.json`) into a folder, and gives the fields of `config.json` that only the
    /// modality knows.
    fn save_pretrained(&self, folder: &Path) -> Result<serde_json::Map<String, serde_json::Value>> {
        let _ = folder;
        Ok(serde_json::Map::new())
    }

    /// Whether a file that starts with these bytes, or consists of them if there are fewer, holds an
    /// input, whatever its name.
    fn recognises(start: &[u8]) -> bool {
        let _ = start;
        false
    }

    /// Whether a model is asked about pairs of texts.
    fn takes_pairs(&self) -> bool {
        false
    }

    /// How a data set of this modality is read, everything left to be found out.
    fn layout() -> Layout {
        let recognises = Self::recognises;
        Layout { recognises, ..Layout::new(Self::INPUTS, Self::SAMPLES, Self::EXTENSIONS) }
    }

    /// A classifier for inputs of this modality on the trunk of `source`, mean-pooled. `embedder` is
    /// what [`adopt`](Self::adopt) returned: a trunk that is new to a modality has enough to cope with,
    /// so below a new embedder there is no dropout.
    fn spec(source: &Pretrained, embedder: Origin, labels: Vec<String>) -> Spec {
        let trunk = source.config().trunk.clone();
        Spec {
            format: FORMAT,
            modality: Self::NAME.into(),
            family: source.config().name.clone(),
            embedder,
            embedder_config: EmbedderConfig::FromModality,
            trunk: match embedder {
                Origin::Pretrained => trunk,
                Origin::Fresh => trunk.with_dropout(0.),
            },
            pool: Pool::Mean,
            head: HeadConfig::default(),
            task: Task::default(),
            lora: None,
            labels,
            scales: vec![],
            vocabulary: None,
            calibration: None,
        }
    }

    /// Takes what is large and the same in the settings of another run from those, to have it in memory
    /// once: a tokenizer.
    fn share(&mut self, _other: &Self) {}

    /// Saves the settings into a run folder.
    fn save(&self, folder: &Path) -> Result<()> {
        files::write_json(&folder.join(PREPROCESSING), self)
    }

    /// Reads the settings back from a run folder.
    fn open(folder: &Path) -> Result<Self> {
        files::read_json(&folder.join(PREPROCESSING))
    }
}

/// What the means and standard deviations of many samples' channels are computed from, so that no
/// sample has to be kept for them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// Values in each channel.
    pub count: u64,
    /// The sum of each channel.
    pub sums: Vec<f64>,
    /// The sum of each channel's squares.
    pub squares: Vec<f64>,
}

impl Moments {
    /// Adds those of more samples, of as many channels. The last digit depends on the order.
    pub fn add(&mut self, more: &Self) {
        let add = |to: &mut Vec<f64>, more: &[f64]| {
            to.resize(more.len(), 0.);
            to.iter_mut().zip(more).for_each(|(to, more)| *to += more);
        };
        self.count += more.count;
        add(&mut self.sums, &more.sums);
        add(&mut self.squares, &more.squares);
    }

    /// The mean and the standard deviation of each channel; `None`: there are no values.
    pub fn mean_and_std(&self) -> Option<Vec<(f64, f64)>> {
        let count = self.count as f64;
        let channel = |(sum, squares): (&f64, &f64)| {
            let mean = sum / count;
            (mean, (squares / count - mean.powi(2)).max(0.).sqrt())
        };
        (self.count > 0).then(|| self.sums.iter().zip(&self.squares).map(channel).collect())
    }
}

/// Of samples one after the other.
impl FromIterator<Moments> for Moments {
    fn from_iter<I: IntoIterator<Item = Self>>(samples: I) -> Self {
        samples.into_iter().fold(Self::default(), |mut all, one| {
            all.add(&one);
            all
        })
    }
}

/// A part of a sample that a model is asked about by itself.
#[derive(Debug)]
pub struct Window {
    /// As [`Modality::batch`] takes it.
    pub x: Tensor,
    /// Where the answer is a sequence: which share of it, at its beginning and at its end, another
    /// window answers for.
    pub cut: [f64; 2],
    /// The words that it answers for, and where each begins.
    pub words: Vec<WordStart>,
}

/// All of a sample.
impl From<Tensor> for Window {
    fn from(x: Tensor) -> Self {
        Self { x, cut: [0.; 2], words: vec![] }
    }
}

/// An input for the eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preview {
    /// A picture, or a recording's spectrogram: rows of pixels from the top, three bytes each (red,
    /// green, blue).
    Picture {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// `3 * width * height` bytes.
        rgb: Vec<u8>,
    },
    /// A text.
    Text(String),
}

/// The file in a run folder that holds the modality's settings.
pub const PREPROCESSING: &str = "preprocessing.json";
