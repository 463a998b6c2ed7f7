//! A model's specification: all that its architecture depends on, as `spec.json` holds it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::{is_there, read_json, read_json_within};
use crate::nn::{EmbedderConfig, HeadConfig, Pool, TrunkConfig};
use crate::task::{Calibration, Target, TargetScale, Task, TaskConfig, Vocabulary};
use crate::weights::{Lora, Origin};

/// All that a model's architecture depends on, besides the modality's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The version of this file's format.
    pub format: u32,
    /// The modality of the inputs: `image`, `audio`, `text`.
    pub modality: String,
    /// The family that the trunk came from: `bert`.
    pub family: String,
    /// Whether the embedder is pretrained with the trunk or new.
    pub embedder: Origin,
    /// The embedder's configuration, as far as a model for another modality can use it.
    #[serde(default = "from_modality", skip_serializing_if = "is_from_modality")]
    pub embedder_config: EmbedderConfig,
    /// The trunk.
    pub trunk: TrunkConfig,
    /// How the trunk's output is pooled to one vector.
    pub pool: Pool,
    /// The layers between that vector and the logits.
    #[serde(default)]
    pub head: HeadConfig,
    /// The adapters on pretrained linear layers, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// The task.
    #[serde(default)]
    pub task: Task,
    /// The classes, the labels, the names of the values or the symbols, in the order of the logits.
    pub labels: Vec<String>,
    /// The scale of each value, where the logits are in standard deviations from its mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<TargetScale>,
    /// What the symbols of a transcription mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vocabulary>,
    /// What was fitted on the validation split. It stands in a file of its own, `calibration.json`.
    #[serde(skip)]
    pub calibration: Option<Calibration>,
}

impl Spec {
    /// The same for another task, with the scales of the values in the training samples.
    ///
    /// # Errors
    /// If a value is the same in all of them.
    pub fn for_task(self, task: Task, train: &[Target]) -> Result<Self> {
        let scales = match task {
            Task::Regression => TargetScale::of(train, &self.labels)?,
            _ => vec![],
        };
        let pool = if task.is_sequence() { self.pool.at_positions() } else { self.pool };
        Ok(Self { task, scales, pool, ..self })
    }

    /// The same with what the symbols of a transcription mean.
    pub fn with_vocabulary(self, vocabulary: Option<Vocabulary>) -> Self {
        Self { vocabulary, ..self }
    }

    /// The same with another pool and another head: those that a source came with
    /// ([`PretrainedHead`](crate::family::PretrainedHead)), for
    /// [`LoadParts::BodyAndHead`](crate::model::LoadParts::BodyAndHead).
    pub fn with_head(self, pool: Pool, head: HeadConfig) -> Self {
        Self { pool, head, ..self }
    }

    /// The part of it that the task depends on.
    pub fn task_config(&self) -> TaskConfig<'_> {
        TaskConfig {
            task: self.task,
            labels: &self.labels,
            scales: &self.scales,
            vocabulary: self.vocabulary.as_ref(),
            calibration: self.calibration.as_ref(),
        }
    }

    /// Whether a folder is a run folder: whether it has a `spec.json`.
    pub fn is_at(folder: &Path) -> bool {
        is_there(&folder.join(SPEC))
    }

    /// Reads the specification of a run folder, and what stands beside it: the list of its labels, and
    /// its calibration, if it has one.
    ///
    /// # Errors
    /// If it is not a run folder, or one of a later format; if a field is missing, unknown or cannot
    /// be; if the two lists of labels differ; or if the calibration is none of this model.
    pub fn read(folder: &Path) -> Result<Self> {
        if !Self::is_at(folder) {
            return Err(Error::Path {
                path: folder.to_path_buf(),
                problem: format!(
                    "not a run folder (no {SPEC} in it); name the --out of a training"
                ),
            });
        }
        let path = folder.join(SPEC);
        let refused = |problem: String| Error::Malformed { path: path.clone(), problem };
        // The format first: a later one may differ in anything else.
        let json: Value = read_json_within(&path, MOST_SPEC)?;
        match json["format"].as_u64() {
            Some(format) if format > FORMAT.into() => {
                return Err(refused(format!(
                    "written by a newer version of crosstune (format {format}, this one reads 1 to \
                     {FORMAT}); update crosstune"
                )));
            }
            Some(1..) => {}
            _ => return Err(refused(format!("format {}: expected 1 to {FORMAT}", json["format"]))),
        }
        let spec = Self::deserialize(json).map_err(|e| refused(e.to_string()))?;
        spec.validate().map_err(|e| refused(e.to_string()))?;
        let beside = folder.join(LABELS);
        let labels: Vec<String> = read_json_within(&beside, MOST_SPEC)?;
        if labels != spec.labels {
            let differ = labels.iter().zip(&spec.labels).position(|(a, b)| a != b);
            let at = differ.unwrap_or(labels.len().min(spec.labels.len()));
            let problem = format!(
                "not the labels of {SPEC}: {} and {} of them, of which number {} is {} and {}; one \
                 of the two files was changed",
                labels.len(),
                spec.labels.len(),
                at + 1,
                labels.get(at).map_or("missing".into(), |label| format!("{label:?}")),
                spec.labels.get(at).map_or("missing".into(), |label| format!("{label:?}")),
            );
            return Err(Error::Malformed { path: beside, problem });
        }
        let beside = folder.join(CALIBRATION);
        let refused = |e: Error| Error::Malformed { path: beside.clone(), problem: e.to_string() };
        let calibration = is_there(&beside).then(|| read_json(&beside)).transpose()?;
        let check = |fitted: &Calibration| fitted.validate(spec.task, labels.len());
        calibration.as_ref().map_or(Ok(()), check).map_err(refused)?;
        Ok(Self { format: FORMAT, calibration, ..spec })
    }

    /// Checks all numbers and labels.
    ///
    /// # Errors
    /// Names the first that cannot be.
    fn validate(&self) -> Result<()> {
        self.trunk.validate()?;
        self.embedder_config.validate()?;
        self.head.validate()?;
        self.lora.iter().try_for_each(Lora::check)?;
        let mut names: Vec<_> = self.labels.iter().collect();
        names.sort();
        if names.is_empty() {
            return Err(Error::setting("labels", "there are none"));
        }
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::setting("labels", format!("{:?} is there twice", pair[0])));
        }
        match (&self.vocabulary, self.task) {
            (Some(vocabulary), Task::Transcription) => vocabulary.validate(names.len())?,
            (None, Task::Transcription) => {
                return Err(Error::setting("vocabulary", "a transcription needs one"));
            }
            (Some(_), task) => {
                return Err(Error::setting("vocabulary", format!("{task} needs none")));
            }
            (None, _) => {}
        }
        if self.task.is_sequence() != self.pool.leaves_positions() {
            let problem = format!("{} does not go with {}", self.pool, self.task);
            return Err(Error::setting("pool", problem));
        }
        let wanted = if self.task == Task::Regression { names.len() } else { 0 };
        if self.scales.len() != wanted {
            let problem = format!("{}, but {wanted} are needed", self.scales.len());
            return Err(Error::setting("scales", problem));
        }
        let fits = |s: &TargetScale| s.mean.is_finite() && s.std.is_finite() && s.std > 0.;
        match self.scales.iter().find(|scale| !fits(scale)) {
            Some(TargetScale { mean, std }) => {
                let problem = format!("mean {mean} and std {std}: the std must be above 0");
                Err(Error::setting("scales", problem))
            }
            None => Ok(()),
        }
    }
}

fn from_modality() -> EmbedderConfig {
    EmbedderConfig::FromModality
}

fn is_from_modality(config: &EmbedderConfig) -> bool {
    *config == EmbedderConfig::FromModality
}

/// The file in a run folder that holds a specification.
pub const SPEC: &str = "spec.json";

/// The most bytes of such a file: labels can be texts.
const MOST_SPEC: u64 = 256 << 20;

/// The file in a run folder that lists the labels, for other programs.
pub(crate) const LABELS: &str = "labels.json";

/// The file in a run folder that holds a calibration. One without it is not calibrated; programs that
/// do not know it read the rest.
pub(crate) const CALIBRATION: &str = "calibration.json";

/// The version that [`Spec::format`] has now. Format 1 has other names for some fields and choices;
/// it is read as well.
pub const FORMAT: u32 = 2;
