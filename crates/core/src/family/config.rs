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

/// The most classes of a `config.json` that are looked at.
const MOST_CLASSES: usize = 4;

/// The longest name of such a class, in bytes.
const LONGEST_CLASS: usize = 100;

/// Words of a class behind its model's name.
const BEHIND: [&str; 4] = ["For", "Model", "LMHead", "DoubleHeads"];

/// How transformers may spell the `model_type` of a class: in small letters, with the same sign, or
/// none, before each capital one but the first.
fn model_types(class: &str) -> Vec<String> {
    /// The most capital letters of a class's name that are told apart.
    const MOST: usize = 10;
    let cut = BEHIND.iter().filter_map(|word| class.find(word)).filter(|at| *at > 0).min();
    let mut names = vec![];
    for stem in [class, &class[..cut.unwrap_or(class.len())]] {
        let capital = |at: &usize| stem.as_bytes()[*at].is_ascii_uppercase();
        let capitals: Vec<usize> = (1..stem.len()).filter(capital).take(MOST).collect();
        for sign in ["-", "_"] {
            for chosen in 0_u32..1 << capitals.len() {
                let mut name = stem.to_ascii_lowercase();
                for (i, at) in capitals.iter().enumerate().rev() {
                    if chosen >> i & 1 == 1 {
                        name.insert_str(*at, sign);
                    }
                }
                names.push(name);
            }
        }
    }
    names
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

    /// The configuration of a part of the model below a field; where there is none, the whole.
    pub(super) fn part(&self, field: &str) -> Self {
        let json = if self.json[field].is_object() { &self.json[field] } else { &self.json };
        Self { path: self.path.clone(), json: json.clone() }
    }

    /// transformers' name of the family.
    pub(super) fn model_type(&self) -> Option<&str> {
        self.json["model_type"].as_str()
    }

    /// The same with the `model_type` that its `architectures` tell of, where it says none:
    /// `XLMRobertaForMaskedLM` is of a `xlm-roberta`. `known` tells whether a family has such a file.
    pub(super) fn with_model_type(mut self, known: impl Fn(&Self) -> bool) -> Self {
        if self.names_a_kind() || !self.json.is_object() {
            return self;
        }
        let classes = self.json["architectures"].as_array().cloned().unwrap_or_default();
        let named = classes.iter().filter_map(Value::as_str);
        let named = named.filter(|class| class.len() <= LONGEST_CLASS).take(MOST_CLASSES);
        for name in named.flat_map(model_types) {
            self.json["model_type"] = name.into();
            if known(&self) {
                return self;
            }
        }
        self.json["model_type"] = Value::Null;
        self
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
            Value::Null => Ok(self.sequences()),
            known => {
                let task = Task::deserialize(known);
                task.map(Some).map_err(|e| self.refuse(format!("problem_type: {e}")))
            }
        }
    }

    /// The task of the class that saved the model, where that answers at every position.
    fn sequences(&self) -> Option<Task> {
        let classes = self.json["architectures"].as_array()?;
        classes.iter().filter_map(Value::as_str).find_map(|class| match class {
            class if class.ends_with("ForTokenClassification") => Some(Task::Tagging),
            class if class.ends_with("ForCTC") => Some(Task::Transcription),
            _ => None,
        })
    }

    /// The id of the token that pads; 1 where none is given, as RoBERTa has it.
    pub(super) fn pad_token(&self) -> Result<i64> {
        match &self.json["pad_token_id"] {
            Value::Null => Ok(1),
            id => id.as_i64().ok_or_else(|| self.refuse("pad_token_id is not a number".into())),
        }
    }

    /// The activation that `field` names; GELU where it names none.
    pub(super) fn activation(&self, field: &str) -> Result<Activation> {
        self.named_activation(field, self.json[field].as_str().unwrap_or("gelu"))
    }

    /// The activation of this name, which `field` gave.
    pub(super) fn named_activation(&self, field: &str, name: &str) -> Result<Activation> {
        match name {
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
            "quick_gelu" => Ok(Activation::QuickGelu),
            "relu" => Ok(Activation::Relu),
            "silu" | "swish" => Ok(Activation::Silu),
            other => Err(self.refuse(format!(
                "{field} is {other:?}, expected gelu, gelu_new, quick_gelu, relu or silu"
            ))),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_class_tells_the_model_type() {
        for (class, model_type) in [
            ("BertForSequenceClassification", "bert"),
            ("XLMRobertaForMaskedLM", "xlm-roberta"),
            ("DistilBertModel", "distilbert"),
            ("GPT2LMHeadModel", "gpt2"),
            ("Wav2Vec2BertModel", "wav2vec2-bert"),
            ("UniSpeechSatForXVector", "unispeech-sat"),
            ("Dinov2WithRegistersForImageClassification", "dinov2_with_registers"),
            ("SiglipVisionModel", "siglip_vision_model"),
            ("MobileNetV2ForImageClassification", "mobilenet_v2"),
            ("ViTMAEModel", "vit_mae"),
            ("DINOv3ViTModel", "dinov3_vit"),
        ] {
            let config = Config { path: "x".into(), json: json!({"architectures": [class]}) };
            let known = |config: &Config| config.model_type() == Some(model_type);
            let told = config.with_model_type(known);
            assert_eq!(told.model_type(), Some(model_type), "{class}");
        }
        // A number of capital letters that no class has, and what is no class.
        for class in ["A".repeat(1 << 20), String::new(), "é".into()] {
            let config = Config { path: "x".into(), json: json!({"architectures": [class]}) };
            assert!(!config.with_model_type(|_| false).names_a_kind());
        }
    }
}
