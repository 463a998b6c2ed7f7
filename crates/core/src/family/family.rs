//! What a family is, and what is known of one of its models.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::Config;
use super::defaults;
use crate::error::Result;
use crate::nn::{
    Activation, AttentionKind, Bias, EmbedderConfig, HeadConfig, LayerScale, NormPlacement, Pool,
    TransformerConfig, TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, KeyRule, same};

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
    /// The models that it reads and, in brackets, whose files of them: `BERT, MiniLM (transformers)`.
    pub(super) reads: &'static str,
    pub(super) key_map: KeyMap,
    /// Whether a `config.json` is of this family.
    pub(super) matches_config: fn(&Config) -> bool,
    /// Reads a `config.json`; the tensors tell what it leaves out.
    pub(super) from_config: fn(&Config, &Checkpoint) -> Result<PretrainedConfig>,
    /// Tells the model from its tensors alone, or what they do not tell.
    pub(super) from_tensors: fn(&Checkpoint) -> Result<PretrainedConfig, &'static str>,
    /// How transformers saves such models; `None`: it has no class for them.
    pub(super) hugging_face: Option<&'static HuggingFace>,
}

/// The way back: how transformers saves the models of a family.
pub(super) struct HuggingFace {
    /// Its classes. They differ in their pools.
    pub(super) classes: &'static [Class],
    /// Its names.
    pub(super) key_map: KeyMap,
    /// The modules that transformers 5 renames in memory, while it saves the old names.
    pub(super) in_memory: &'static [KeyRule],
    /// The fields of `config.json`; `None`: none of its models is built so.
    pub(super) to_config: fn(Built<'_>) -> Option<Value>,
}

impl HuggingFace {
    /// The class that transcribes.
    pub(super) fn ctc(&self) -> Option<&Class> {
        self.classes.iter().find(|class| class.name.ends_with("ForCTC"))
    }
}

/// One class of transformers that our parts make up.
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) pool: Pool,
    pub(super) head: HeadKind,
    /// The names of its head, where they are others than the family's.
    pub(super) head_names: Option<&'static [KeyRule]>,
}

impl Class {
    /// A class that transcribes: a linear layer at every position.
    pub(super) const fn ctc(name: &'static str) -> Self {
        const NAMES: &[KeyRule] = &[same("head", "lm_head")];
        Self { name, pool: Pool::Positions, head: HeadKind::Linear, head_names: Some(NAMES) }
    }

    /// A class whose head has the family's names.
    pub(super) const fn new(name: &'static str, pool: Pool, head: HeadKind) -> Self {
        Self { name, pool, head, head_names: None }
    }

    /// A class that answers at every position by one layer, of the family's names or of these.
    pub(super) const fn of_positions(
        name: &'static str,
        head_names: Option<&'static [KeyRule]>,
    ) -> Self {
        Self { name, pool: Pool::Positions, head: HeadKind::Linear, head_names }
    }
}

/// What a class has between its pool and its last layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadKind {
    Linear,
    Unbiased,
    Normed,
    Dense(Activation),
    /// With a norm behind the hidden layer.
    DenseNormed(Activation),
}

impl HeadKind {
    /// `None`: no class has such a head.
    pub(super) fn of(head: &HeadConfig) -> Option<Self> {
        match (head.norm, head.dense, head.bias, head.dense_norm) {
            (None, None, Bias::With, None) => Some(Self::Linear),
            (None, None, Bias::Without, None) => Some(Self::Unbiased),
            (Some(_), None, Bias::With, None) => Some(Self::Normed),
            (None, Some(dense), Bias::With, None) if head.dense_bias == Bias::With => {
                Some(Self::Dense(dense.activation))
            }
            (None, Some(dense), Bias::With, Some(_)) => Some(Self::DenseNormed(dense.activation)),
            _ => None,
        }
    }

    /// The layers of such a head; those of `family`'s usual head where they have widths.
    pub(super) fn config(self, family: HeadConfig) -> HeadConfig {
        match self {
            Self::Linear => HeadConfig::default(),
            Self::Unbiased => HeadConfig { bias: Bias::Without, ..HeadConfig::default() },
            Self::Normed | Self::Dense(_) | Self::DenseNormed(_) => family,
        }
    }
}

/// A model that is to be saved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Built<'b> {
    pub(super) trunk: &'b TrunkConfig,
    pub(super) embedder: &'b EmbedderConfig,
    pub(super) pool: Pool,
    pub(super) head: &'b HeadConfig,
}

impl<'b> Built<'b> {
    /// The trunk, if it is a transformer that normalises and attends so; without layer scale.
    pub(super) fn transformer(
        self,
        norm_placement: NormPlacement,
        attention: AttentionKind,
    ) -> Option<&'b TransformerConfig> {
        self.scaled(norm_placement, attention, LayerScale::Without)
    }

    /// The same with or without layer scale.
    pub(super) fn scaled(
        self,
        norm_placement: NormPlacement,
        attention: AttentionKind,
        layer_scale: LayerScale,
    ) -> Option<&'b TransformerConfig> {
        let TrunkConfig::Transformer(t) = self.trunk else { return None };
        let built = (t.norm_placement, t.attention, t.layer_scale);
        (built == (norm_placement, attention, layer_scale)).then_some(t)
    }

    /// Whether the head sums all hidden states by weights.
    pub(super) fn sums_layers(self) -> bool {
        matches!(self.pool, Pool::WeightedLayers | Pool::WeightedBlocks)
    }

    /// The width of the hidden layer of a head for sound; the usual where a head at every position has
    /// none.
    pub(super) fn projected(self) -> Option<i64> {
        let usual = (self.pool == Pool::Positions).then(defaults::projected);
        self.head.dense.map(|dense| dense.width).or(usual)
    }
}

/// transformers' name of an activation.
pub(super) fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::Identity => "linear",
        Activation::Relu => "relu",
        Activation::Tanh => "tanh",
        Activation::Gelu => "gelu",
        Activation::GeluTanh => "gelu_new",
        Activation::QuickGelu => "quick_gelu",
        Activation::Silu => "silu",
        Activation::Relu6 => "relu6",
        Activation::HardSwish => "hardswish",
        Activation::Sigmoid => "sigmoid",
        Activation::HardSigmoid => "hardsigmoid",
    }
}

/// What tensors alone do not tell of most transformers.
pub(super) const UNCOUNTED_HEADS: &str = "the number of attention heads cannot be told";

/// [`Family::from_tensors`] where a `config.json` is needed for that.
pub(super) fn uncounted_heads(_: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    Err(UNCOUNTED_HEADS)
}

/// The shape of a tensor of the body, below whatever stands before such names in the checkpoint.
pub(super) fn shape<'c>(
    checkpoint: &'c Checkpoint,
    key_map: &KeyMap,
    name: &str,
) -> Option<&'c [i64]> {
    let prefix = key_map.prefix(checkpoint.entries().map(|(name, _)| name)).ok()??;
    let entry = checkpoint.entry(&format!("{}{}{name}", prefix.wrapper, prefix.body))?;
    Some(&entry.shape)
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
