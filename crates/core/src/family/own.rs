//! Sources of our own: the model of a run folder, and an architecture without weights.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::config::Config;
use super::family::{PretrainedConfig, PretrainedHead};
use crate::error::{Error, Result};
use crate::files::is_there;
use crate::nn::{EmbedderConfig, HeadConfig, Pool, TransformerConfig, TrunkConfig};
use crate::spec::Spec;
use crate::weights::{CONFIG, Checkpoint, WEIGHTS};

/// What a [`Pretrained`](crate::family::Pretrained) is, beside its family.
#[derive(Debug)]
pub(super) enum Kind {
    /// A publisher's checkpoint.
    Published,
    /// The model of a run folder.
    Run(Box<Spec>),
    /// No weights, but how a model is built.
    Architecture,
}

/// The name of a family that a person designed.
const OWN: &str = "own";

/// The file that a path means, if it has an architecture and no weights: a JSON file, or the
/// `config.json` of a folder without a checkpoint.
pub(super) fn architecture(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let config = path.join(CONFIG);
        let alone = is_there(&config) && Checkpoint::lacks(path);
        return alone.then_some(config);
    }
    let name = path.file_name()?.to_str()?;
    // What is called so lists the shards of a checkpoint.
    let json = name.ends_with(".json") && !name.ends_with(".index.json");
    (json && path.is_file()).then(|| path.to_path_buf())
}

/// The specification of the run folder that a checkpoint is the model of.
pub(super) fn run_of(checkpoint: &Checkpoint) -> Result<Option<Spec>> {
    let named = checkpoint.path().file_name().is_some_and(|name| name == WEIGHTS);
    let folder = checkpoint.folder();
    (named && Spec::is_at(folder)).then(|| Spec::read(folder)).transpose()
}

impl PretrainedConfig {
    /// What a run folder's model is.
    pub(super) fn of_run(spec: &Spec) -> Self {
        Self {
            name: spec.family.clone(),
            modality: spec.modality.clone(),
            trunk: spec.trunk.clone(),
            embedder: spec.embedder_config.clone(),
            head: PretrainedHead {
                pool: spec.pool,
                config: spec.head,
                labels: Some(spec.labels.clone()),
            },
        }
    }

    /// What a person designed: `{"trunk": {"transformer": {"width": 128, "depth": 4}}}`, or a `resnet`
    /// of `in_channels` and `stages`, or a `swin` of `width` and `stages`; the fields are those of
    /// [`TransformerConfig`], [`ConvNetConfig`](crate::nn::ConvNetConfig) and
    /// [`SwinConfig`](crate::nn::SwinConfig). `None`: the file has no `trunk`.
    ///
    /// # Errors
    /// If a field is missing, unknown or of another type.
    pub(super) fn designed(config: &Config) -> Result<Option<Self>> {
        let design = match config.field("trunk") {
            Value::Null => return Ok(None),
            design => design,
        };
        let only = design.as_object().filter(|kinds| kinds.len() == 1);
        let trunk = match only.and_then(|kinds| kinds.iter().next()) {
            Some((kind, given)) if kind == "transformer" => {
                let size = |field: &str| {
                    let missing = || config.refuse(format!("the transformer needs a {field}"));
                    given[field].as_u64().ok_or_else(missing)
                };
                let (width, depth) = (size("width")?, size("depth")?);
                let usual = TransformerConfig::of(
                    i64::try_from(width).unwrap_or(i64::MAX),
                    usize::try_from(depth).unwrap_or(usize::MAX),
                );
                TrunkConfig::Transformer(completed(config, given, json!(usual))?)
            }
            Some((kind, given)) if kind == "resnet" => {
                let usual = json!({
                    "in_channels": null, "stages": null, "block": "basic", "shortcut": "projected",
                    "norm": "batch", "norm_placement": "post", "standardise": null, "squeeze": null,
                    "activation": "relu", "padding": "half", "end": "without", "drop_path": 0.,
                });
                TrunkConfig::ConvNet(completed(config, given, usual)?)
            }
            Some((kind, given)) if kind == "swin" => {
                let usual = json!({
                    "width": null, "stages": null, "version": "v1", "mlp_ratio": 4.,
                    "activation": "gelu", "qkv_bias": "with", "padding": "before-shift",
                    "eps": 1e-5, "dropout": 0., "drop_path": 0.,
                });
                TrunkConfig::Swin(completed(config, given, usual)?)
            }
            _ => {
                let problem = "trunk: expected one of {\"transformer\": …}, {\"resnet\": …} and \
                               {\"swin\": …}";
                return Err(config.refuse(problem.into()));
            }
        };
        let (pool, head) = (Pool::Mean, HeadConfig::default());
        Ok(Some(Self {
            name: OWN.into(),
            modality: "nothing".into(),
            trunk,
            embedder: EmbedderConfig::FromModality,
            head: PretrainedHead { pool, config: head, labels: None },
        }))
    }
}

/// Fields that have another name since format 2 of specifications.
const RENAMED: [(&str, &str); 4] = [
    ("norm", "norm_placement"),
    ("gelu", "activation"),
    ("attend", "attention"),
    ("planes", "in_channels"),
];

/// What is given, and the usual where nothing is.
fn completed<T: DeserializeOwned>(config: &Config, given: &Value, usual: Value) -> Result<T> {
    let mut fields = usual;
    for (name, value) in given.as_object().into_iter().flatten() {
        let renamed = |(old, new): &&(&str, &str)| {
            old == name && fields.get(old).is_none() && fields.get(new).is_some()
        };
        let new = RENAMED.iter().find(renamed);
        let name = new.map_or(name.as_str(), |(_, new)| new);
        fields[name] = value.clone();
    }
    T::deserialize(fields).map_err(|e| config.refuse(format!("trunk: {e}")))
}

/// The error that there are no weights to start from.
pub(super) fn no_weights(path: &Path) -> Error {
    Error::setting(
        "--weights",
        format!(
            "{} is an architecture without weights: --init random, or --recipe scratch, trains it \
             from the start",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests;
