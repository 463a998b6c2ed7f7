//! A model's specification: all that its architecture depends on, as `spec.json` holds it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{is_there, read_json_within};
use crate::nn::{EmbedderConfig, HeadConfig, Pool, TrunkConfig};
use crate::task::{Target, TargetScale, Task, TaskConfig};
use crate::weights::{Lora, Origin};

/// All that a model's architecture depends on, besides the modality's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// The classes, the labels or the names of the values, in the order of the logits.
    pub labels: Vec<String>,
    /// The scale of each value, where the logits are in standard deviations from its mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<TargetScale>,
}

impl Spec {
    /// The same for another task, with the scales of the values in the training samples.
    ///
    /// # Errors
    /// If a value is the same in all of them.
    pub fn for_task(self, task: Task, train: &[Target]) -> Result<Self> {
        let scales = match task {
            Task::Regression => TargetScale::of(train, &self.labels)?,
            Task::SingleLabel | Task::MultiLabel => vec![],
        };
        Ok(Self { task, scales, ..self })
    }

    /// The same with another pool and another head: those that a source came with
    /// ([`PretrainedHead`](crate::family::PretrainedHead)), for
    /// [`LoadParts::BodyAndHead`](crate::model::LoadParts::BodyAndHead).
    pub fn with_head(self, pool: Pool, head: HeadConfig) -> Self {
        Self { pool, head, ..self }
    }

    /// The part of it that the task depends on.
    pub fn task_config(&self) -> TaskConfig<'_> {
        TaskConfig { task: self.task, labels: &self.labels, scales: &self.scales }
    }

    /// Whether a folder is a run folder: whether it has a `spec.json`.
    pub fn is_at(folder: &Path) -> bool {
        is_there(&folder.join(SPEC))
    }

    /// Reads the specification of a run folder.
    ///
    /// # Errors
    /// If it is not a run folder, or one of a later format.
    pub fn read(folder: &Path) -> Result<Self> {
        if !Self::is_at(folder) {
            return Err(Error::Path {
                path: folder.to_path_buf(),
                problem: format!(
                    "not a run folder (no {SPEC} in it); name the --out of a training"
                ),
            });
        }
        let spec: Self = read_json_within(&folder.join(SPEC), MOST_SPEC)?;
        if !(1..=FORMAT).contains(&spec.format) {
            return Err(Error::Malformed {
                path: folder.join(SPEC),
                problem: format!("format {}, but this version reads 1 to {FORMAT}", spec.format),
            });
        }
        Ok(Self { format: FORMAT, ..spec })
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

/// The version that [`Spec::format`] has now. Format 1 has other names for some fields and choices;
/// it is read as well.
pub const FORMAT: u32 = 2;
