//! The measurements of a transfer and its controls; nothing here is derived.

use serde::{Deserialize, Serialize};

use crate::{
    blob::Blob, confusion::Confusion, explanation::Drawing, metric::Metric,
    reliability::Calibration, sentence::Sentence,
};

/// One source on one target: the transfer and its controls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Comparison {
    /// The pretrained weights.
    pub source: Source,
    /// The task that was learnt with them.
    pub target: Target,
    /// What `Run::value` and all other values are.
    #[serde(default)]
    pub metric: Metric,
    /// The classes, in the order of the confusion matrices; or the symbols of texts, or the labels of
    /// words.
    pub labels: Vec<String>,
    /// The number of samples that `Run::value`, `second`, `loss` and `confusion` are of.
    pub test_samples: usize,
    /// How many samples of the data set could not be used, and are in none of its parts.
    #[serde(default)]
    pub left_out: usize,
    /// The recipe of the transfer: `fine-tune`, `lora`, …
    pub recipe: String,
    /// What was frozen, in the language of `--freeze`; `nothing` if nothing was.
    pub freeze: String,
    /// The sizes of training set, growing, each with its epochs.
    pub budgets: Vec<Budget>,
    /// The value that "examples to reach" and "time to reach" are about, as a fraction. If it is not
    /// given, what the arm `scratch` reaches on the largest size.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// The version of Crosstune that measured.
    pub version: String,
    /// The day of measuring, `2026-11-24`.
    pub made: String,
    /// The machine that `seconds` are of: `2 cores, Xeon …`.
    pub machine: String,
    /// The transfer and its controls, one of each kind at most.
    pub arms: Vec<Arm>,
    /// The transfer's worst errors, the most confident first.
    #[serde(default, alias = "exhibits")]
    pub error_examples: Vec<ErrorExample>,
}

/// Pretrained weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    /// What a person calls them: `resnet56-cifar10`.
    pub name: String,
    /// What they were trained on: `image`, `audio`, `text`.
    pub modality: String,
    /// The family of models: `resnet`.
    pub family: String,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// The data set: `fsdd`.
    pub name: String,
    /// What its samples are: `image`, `audio`, `text`.
    pub modality: String,
    /// What a person calls its samples: `recordings`.
    pub samples: String,
}

/// The budget of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Budget {
    /// The number of training samples.
    pub size: usize,
    /// The epochs, the times that each sample is seen.
    pub epochs: usize,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmKind {
    /// The pretrained trunk under the recipe's freezing.
    Transfer,
    /// The same network with random weights, all of it trained.
    Scratch,
    /// The same freezing on a random trunk.
    RandomFrozen,
    /// The pretrained values, shuffled within each tensor, under the same freezing.
    Shuffled,
}

impl ArmKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Transfer, Self::Scratch, Self::RandomFrozen, Self::Shuffled];

    /// The controls.
    pub const CONTROLS: [Self; 3] = [Self::Scratch, Self::RandomFrozen, Self::Shuffled];

    /// The arm's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Scratch => "scratch",
            Self::RandomFrozen => "random-frozen",
            Self::Shuffled => "shuffled",
        }
    }
}

impl std::fmt::Display for ArmKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The transfer or a control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Arm {
    /// Which.
    pub kind: ArmKind,
    /// The learning rates that were tried on held-out training data.
    #[serde(default)]
    pub trials: Vec<Trial>,
    /// The trainings with the best rates.
    pub runs: Vec<Run>,
}

/// A learning rate that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trial {
    /// The number of training samples, the held-out ones among them.
    pub size: usize,
    /// The learning rate of the new parameters.
    pub lr: f64,
    /// The learning rate of the pretrained parameters, or of those in their place.
    pub pretrained_lr: f64,
    /// The metric on the held-out samples.
    #[serde(alias = "held-out-accuracy")]
    pub held_out: f64,
    /// The temperature that fits its logits on those samples, where they are of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// One training and its test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// The number of training samples: one of `Comparison::budgets`.
    pub size: usize,
    /// The random seed. Runs of two arms with the same size and seed are a pair: they saw the
    /// same samples.
    pub seed: u64,
    /// The learning rate of the new parameters.
    pub lr: f64,
    /// The learning rate of the pretrained parameters, or of those in their place.
    pub pretrained_lr: f64,
    /// The metric on the test set, as a fraction.
    #[serde(alias = "accuracy")]
    pub value: f64,
    /// The metric of [`Metric::second`].
    #[serde(alias = "macro-f1")]
    pub second: f64,
    /// The mean loss on the test set, in nats.
    pub loss: f64,
    /// The samples of the test set by true and predicted class, where each has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// How far its probabilities can be trusted, where they are of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Of each sample of the test set what it adds above and below the line, where the metric is the
    /// quotient of two sums: wrong words and words, say. From these come the intervals of one seed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<[u32; 2]>,
    /// The learning curve.
    #[serde(default)]
    pub curve: Vec<Point>,
    /// The duration of the training.
    pub seconds: f64,
    /// The number of trained parameters.
    pub trained: usize,
    /// The number of frozen parameters.
    pub frozen: usize,
}

/// A point of a run's learning curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Point {
    /// The epochs done: 0 is before training.
    pub epoch: usize,
    /// The seconds of training done.
    pub seconds: f64,
    /// The metric on the test set. For the curve only: nothing may be chosen by it.
    #[serde(alias = "accuracy")]
    pub value: f64,
}

/// A sample of the test set that a model got wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ErrorExample {
    /// The arm that got it wrong.
    pub arm: ArmKind,
    /// The size of its training set.
    pub size: usize,
    /// Its seed.
    pub seed: u64,
    /// The location of the sample in the data set.
    pub place: String,
    /// Its class, a number into `Comparison::labels`, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<usize>,
    /// The most probable classes, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// What is right beside what was answered, word by word, where the answer is a sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<Sentence>,
    /// The sample itself.
    pub media: Media,
    /// What its first answer is due to; of a sequence, what is `asked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Drawing>,
    /// What of a sequence is explained, and in which unit: `why O for word 3 “York”, in log-odds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// A class and how sure the model was of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer {
    /// A number into `Comparison::labels`.
    pub class: usize,
    /// Its probability, 0 to 1.
    pub probability: f32,
}

/// A sample, in a form that a browser shows or plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Media {
    /// A picture.
    Picture {
        /// A PNG file.
        png: Blob,
    },
    /// A recording.
    Sound {
        /// A WAV file.
        wav: Blob,
        /// Its spectrogram, time to the right and low frequencies below: a PNG file.
        spectrogram_png: Blob,
    },
    /// A text; two sentences have a tab between them.
    Text(String),
}

impl Comparison {
    /// The arm of a kind.
    pub fn arm(&self, kind: ArmKind) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.kind == kind)
    }

    /// What a person calls the comparison: `resnet56-cifar10 → fsdd`.
    pub fn name(&self) -> String {
        format!("{} → {}", self.source.name, self.target.name)
    }
}

impl Arm {
    /// The runs on a size of training set, in the order of their seeds.
    pub fn of_size(&self, size: usize) -> Vec<&Run> {
        let mut runs: Vec<_> = self.runs.iter().filter(|run| run.size == size).collect();
        runs.sort_by_key(|run| run.seed);
        runs
    }
}
