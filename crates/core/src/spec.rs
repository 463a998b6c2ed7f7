//! All that a model's architecture depends on, and the file that says so.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::read_json;
use crate::nn::{EmbedderConfig, HeadConfig, Pool, TrunkConfig};
use crate::task::{Target, TargetScale, Task, TaskConfig};
use crate::weights::{Lora, Origin};

/// All that a model's architecture depends on, beside the modality's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The version of this file's format.
    pub format: u32,
    /// The modality of the inputs: `image`, `audio`, `text`.
    pub modality: String,
    /// The family that the trunk came from: `bert`.
    pub family: String,
    /// Whether the embedder came with the trunk.
    pub embedder: Origin,
    /// How the embedder is built, as far as a model for another modality can make use of it.
    #[serde(default = "from_modality", skip_serializing_if = "is_from_modality")]
    pub embedder_config: EmbedderConfig,
    /// The trunk.
    pub trunk: TrunkConfig,
    /// How the trunk's output becomes one vector.
    pub pool: Pool,
    /// What stands between that vector and the logits.
    #[serde(default)]
    pub head: HeadConfig,
    /// The adapters beside linear layers of what is pretrained, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// What it is asked.
    #[serde(default)]
    pub task: Task,
    /// The classes, the labels or the names of the values, in the order of the logits.
    pub labels: Vec<String>,
    /// The scale of each value, where the logits are deviations from a mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<TargetScale>,
}

impl Spec {
    /// The same for another task, with the scales that the values of the training samples have.
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
    /// ([`PretrainedHead`](crate::family::PretrainedHead)), for [`LoadParts::BodyAndHead`].
    pub fn with_head(self, pool: Pool, head: HeadConfig) -> Self {
        Self { pool, head, ..self }
    }

    /// What of it the task depends on.
    pub fn task_config(&self) -> TaskConfig<'_> {
        TaskConfig { task: self.task, labels: &self.labels, scales: &self.scales }
    }

    /// Whether a folder is a run folder: whether it has such a file.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(SPEC).is_file()
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
        let spec: Self = read_json(&folder.join(SPEC))?;
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

/// The version that [`Spec::format`] has now. In 1, fields and choices had other names, which are
/// read as well.
pub const FORMAT: u32 = 2;
