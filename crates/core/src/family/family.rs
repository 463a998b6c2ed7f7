//! What a family is, and what is known of one of its models.

use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::error::Result;
use crate::nn::{EmbedderConfig, HeadConfig, Pool, TrunkConfig};
use crate::weights::{Checkpoint, KeyMap};

/// What is known of one model of a family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainedConfig {
    /// The name of the family: `bert`.
    pub name: String,
    /// The modality that the model was trained on: `text`.
    pub modality: String,
    /// The trunk.
    pub trunk: TrunkConfig,
    /// The embedder that belongs to the trunk.
    pub embedder: EmbedderConfig,
    /// The head that belongs to the trunk; whether the checkpoint has one, its tensors tell.
    pub head: PretrainedHead,
}

/// The head that a pretrained model came with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainedHead {
    /// How the trunk's output becomes one vector.
    pub pool: Pool,
    /// What stands between that vector and the logits.
    pub config: HeadConfig,
    /// The names of the classes, where they are published.
    pub labels: Option<Vec<String>>,
}

/// One family: how its checkpoints are recognised and read.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) key_map: KeyMap,
    /// Whether a `config.json` is of this family.
    pub(super) matches_config: fn(&Config) -> bool,
    /// Reads a `config.json`; the tensors tell what it leaves out.
    pub(super) from_config: fn(&Config, &Checkpoint) -> Result<PretrainedConfig>,
    /// Tells the model from its tensors alone, or what they do not tell.
    pub(super) from_tensors: fn(&Checkpoint) -> Result<PretrainedConfig, &'static str>,
}

/// What tensors alone do not tell of most transformers.
pub(super) const UNCOUNTED_HEADS: &str = "the number of attention heads cannot be told";

/// [`Family::from_tensors`] where a `config.json` is needed for that.
pub(super) fn uncounted_heads(_: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    Err(UNCOUNTED_HEADS)
}

/// The shape of a tensor below whatever prefix of the key map the checkpoint has.
pub(super) fn shape<'c>(
    checkpoint: &'c Checkpoint,
    key_map: &KeyMap,
    name: &str,
) -> Option<&'c [i64]> {
    key_map
        .prefixes
        .iter()
        .find_map(|prefix| checkpoint.entry(&format!("{prefix}{name}")))
        .map(|entry| entry.shape.as_slice())
}

/// How many there are of `pattern`, in which `{}` counts from `first`.
pub(super) fn count(
    checkpoint: &Checkpoint,
    key_map: &KeyMap,
    pattern: &str,
    first: usize,
) -> usize {
    (first..)
        .take_while(|i| {
            shape(checkpoint, key_map, &pattern.replace("{}", &i.to_string())).is_some()
        })
        .count()
}
