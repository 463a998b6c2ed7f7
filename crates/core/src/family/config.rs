//! A publisher's `config.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::read_json;
use crate::nn::Activation;
use crate::task::Task;

/// A `config.json` as it was read.
#[derive(Debug)]
pub(super) struct Config {
    path: PathBuf,
    json: Value,
}

/// What transformers writes of the classes: names by number.
#[derive(Deserialize)]
struct Labels {
    id2label: Option<BTreeMap<String, String>>,
    /// timm's.
    label_names: Option<Vec<String>>,
}

impl Config {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.into(), json: read_json(path)? })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// One field, null where there is none.
    pub(super) fn field(&self, name: &str) -> &Value {
        &self.json[name]
    }

    /// transformers' name of the family.
    pub(super) fn model_type(&self) -> Option<&str> {
        self.json["model_type"].as_str()
    }

    /// timm's name of the model: `vit_base_patch16_224`.
    pub(super) fn architecture(&self) -> Option<&str> {
        self.json["architecture"].as_str()
    }

    /// Whether it names the kind of model that it is of.
    pub(super) fn names_a_kind(&self) -> bool {
        self.model_type().is_some() || self.architecture().is_some()
    }

    /// What it says about its family, for messages.
    pub(super) fn says(&self) -> String {
        match (self.model_type(), self.architecture()) {
            (Some(model_type), _) => format!("the model_type is {model_type:?}"),
            (None, Some(architecture)) => format!("the architecture is {architecture:?}"),
            (None, None) => "it names no model_type and no architecture".into(),
        }
    }

    /// The fields that a family needs.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.json).map_err(|e| self.refuse(e.to_string()))
    }

    /// The class that saved the model: `ViTForImageClassification`.
    pub(super) fn saved_by(&self, class: &str) -> bool {
        self.json["architectures"].as_array().is_some_and(|all| all.iter().any(|a| a == class))
    }

    /// The names of the classes, in their order.
    pub(super) fn labels(&self) -> Result<Option<Vec<String>>> {
        let Labels { id2label, label_names } = self.parse()?;
        let Some(names) = id2label else { return Ok(label_names) };
        let mut numbered = names
            .into_iter()
            .map(|(id, name)| id.parse::<usize>().map(|id| (id, name)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| self.refuse("id2label has a key that is not a number".into()))?;
        numbered.sort();
        if numbered.iter().zip(0..).any(|((id, _), i)| *id != i) {
            return Err(self.refuse("id2label skips a number".into()));
        }
        Ok(Some(numbered.into_iter().map(|(_, name)| name).collect()))
    }

    /// What the head is asked, where that is told.
    pub(super) fn task(&self) -> Result<Option<Task>> {
        match &self.json["problem_type"] {
            Value::Null => Ok(None),
            known => {
                let task = Task::deserialize(known);
                task.map(Some).map_err(|e| self.refuse(format!("problem_type: {e}")))
            }
        }
    }

    /// The id of the token that pads; 1 where none is given, as RoBERTa has it.
    pub(super) fn pad_token(&self) -> Result<i64> {
        match &self.json["pad_token_id"] {
            Value::Null => Ok(1),
            id => id.as_i64().ok_or_else(|| self.refuse("pad_token_id is not a number".into())),
        }
    }

    /// The GELU that `field` names.
    pub(super) fn gelu(&self, field: &str) -> Result<Activation> {
        match self.json[field].as_str() {
            None | Some("gelu") => Ok(Activation::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
            Some(other) => {
                Err(self.refuse(format!("{field} is {other:?}, expected gelu or gelu_new")))
            }
        }
    }

    /// Checks that timm's model averages the feature map and differs from the published one in sizes
    /// alone, which the tensors tell.
    ///
    /// # Errors
    /// Names the field that says otherwise.
    pub(super) fn check_timm(&self) -> Result<()> {
        const BUILD: [&str; 13] = [
            "act_layer",
            "aa_layer",
            "attn_layer",
            "avg_down",
            "block",
            "block_args",
            "conv_layer",
            "downsample",
            "linear_out",
            "norm_layer",
            "output_stride",
            "preact",
            "stem_type",
        ];
        if let Some(pool) = self.json["global_pool"].as_str().filter(|p| !["", "avg"].contains(p)) {
            return Err(self.refuse(format!("its global_pool is {pool:?}, expected avg")));
        }
        let args = &self.json["model_args"];
        match BUILD.iter().find(|name| !args[**name].is_null()) {
            Some(name) => {
                let problem = format!("model_args has {name} {}: not supported", args[*name]);
                Err(self.refuse(problem))
            }
            None => Ok(()),
        }
    }

    /// The error that the file holds what cannot be served.
    pub(super) fn refuse(&self, problem: String) -> Error {
        Error::Malformed { path: self.path.clone(), problem }
    }
}
