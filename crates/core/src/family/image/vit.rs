//! Vision transformers as transformers saves them: ViT (Dosovitskiy et al. 2021), DeiT (Touvron et al.
//! 2021), and the encoders of MAE (He et al. 2022) and of MSN (Assran et al. 2022).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::nn::{
    Activation, AttentionBiases, Bias, ClassTokens, EmbedderConfig, HeadConfig,
    PatchEmbedderConfig, Pool, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, TensorTransform, absent, same, transformed};

pub(in crate::family) const VIT: Family = Family {
    name: "vit",
    reads: "ViT (transformers)",
    key_map: VIT_NAMES,
    matches_config: |config| config.model_type() == Some("vit"),
    from_config: |config, _| Ok(VitConfig::read(config)?.family("vit", Pool::First)),
    from_tensors: uncounted_heads,
    hugging_face: Some(&VIT_HUGGING_FACE),
};

const VIT_NAMES: KeyMap = KeyMap {
    name: "vit",
    prefixes: &["vit.", ""],
    body: BODY,
    head: &[same("head", "classifier")],
};

pub(super) const VIT_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("ViTForImageClassification", Pool::First, HeadKind::Linear)],
    key_map: VIT_NAMES,
    in_memory: IN_MEMORY,
    to_config: |built| plain_fields("vit", built, ClassTokens::Class),
};

pub(in crate::family) const VIT_MAE: Family = Family {
    name: "vit-mae",
    reads: "ViT-MAE's encoder (transformers)",
    key_map: KeyMap { name: "vit-mae", ..VIT_NAMES },
    matches_config: |config| config.model_type() == Some("vit_mae"),
    from_config: |config, _| Ok(VitConfig::read(config)?.family("vit-mae", Pool::First)),
    from_tensors: uncounted_heads,
    // As a ViT, which its encoder is.
    hugging_face: Some(&VIT_HUGGING_FACE),
};

pub(in crate::family) const VIT_MSN: Family = Family {
    name: "vit-msn",
    reads: "ViT-MSN (transformers)",
    key_map: VIT_MSN_NAMES,
    matches_config: |config| config.model_type() == Some("vit_msn"),
    from_config: |config, _| Ok(VitConfig::read(config)?.family("vit-msn", Pool::First)),
    from_tensors: uncounted_heads,
    hugging_face: Some(&VIT_MSN_HUGGING_FACE),
};

const VIT_MSN_NAMES: KeyMap = KeyMap {
    name: "vit-msn",
    prefixes: &["vit.", ""],
    body: BODY,
    head: &[
        same("head", "classifier"),
        // transformers 5 leaves the prefix out before blocks alone.
        same("embed.project", "vit.embeddings.patch_embeddings.projection"),
        same("embed.position", "vit.embeddings.position_embeddings"),
        same("embed.class", "vit.embeddings.cls_token"),
        same("trunk.norm", "vit.layernorm"),
    ],
};

const VIT_MSN_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("ViTMSNForImageClassification", Pool::First, HeadKind::Linear)],
    key_map: VIT_MSN_NAMES,
    in_memory: IN_MEMORY,
    to_config: |built| plain_fields("vit_msn", built, ClassTokens::Class),
};

pub(in crate::family) const DEIT: Family = Family {
    name: "deit",
    reads: "DeiT, with or without a teacher (transformers)",
    key_map: DEIT_NAMES,
    matches_config: |config| config.model_type() == Some("deit"),
    from_config: |config, _| {
        // With a teacher, each of the two tokens has a head of its own.
        let distilled = config.saved_by("DeiTForImageClassificationWithTeacher");
        let pool = if distilled { Pool::FirstTwo } else { Pool::First };
        let mut family = VitConfig::read(config)?.family("deit", pool);
        if let EmbedderConfig::Patches(embedder) = &mut family.embedder {
            embedder.tokens = ClassTokens::ClassAndDistillation;
        }
        Ok(family)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&DEIT_HUGGING_FACE),
};

const DEIT_NAMES: KeyMap = KeyMap {
    name: "deit",
    prefixes: &["deit."],
    body: BODY,
    head: &[same("head", "classifier"), TEACHERS],
};

const DEIT_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new("DeiTForImageClassification", Pool::First, HeadKind::Linear),
        Class {
            name: "DeiTForImageClassificationWithTeacher",
            pool: Pool::FirstTwo,
            head: HeadKind::Linear,
            head_names: Some(&[TEACHERS]),
        },
    ],
    key_map: DEIT_NAMES,
    in_memory: IN_MEMORY,
    to_config: |built| plain_fields("deit", built, ClassTokens::ClassAndDistillation),
};

/// The heads of a DeiT with a teacher.
pub(in crate::family) const TEACHERS: KeyRule = transformed(
    "head",
    "cls_classifier",
    TensorTransform::MeanOfHeads { second: "distillation_classifier" },
);

/// The names of ViT, DeiT and AST.
pub(in crate::family) const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.attention.query"),
    same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.attention.key"),
    same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.attention.value"),
    same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
    same("trunk.blocks.{}.norm1", "encoder.layer.{}.layernorm_before"),
    same("trunk.blocks.{}.norm2", "encoder.layer.{}.layernorm_after"),
    same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
    same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
    same("trunk.norm", "layernorm"),
    same("embed.project", "embeddings.patch_embeddings.projection"),
    same("embed.position", "embeddings.position_embeddings"),
    same("embed.class", "embeddings.cls_token"),
    same("embed.distillation", "embeddings.distillation_token"),
    // Where `qkv_bias` is off.
    absent("trunk.blocks.{}.attn.q.bias", TensorTransform::Zeros),
    absent("trunk.blocks.{}.attn.k.bias", TensorTransform::Zeros),
    absent("trunk.blocks.{}.attn.v.bias", TensorTransform::Zeros),
];

/// The linear layers of [`BODY`] as transformers 5 has them in memory.
pub(in crate::family) const IN_MEMORY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "layers.{}.attention.q_proj"),
    same("trunk.blocks.{}.attn.k", "layers.{}.attention.k_proj"),
    same("trunk.blocks.{}.attn.v", "layers.{}.attention.v_proj"),
    same("trunk.blocks.{}.attn.out", "layers.{}.attention.o_proj"),
    same("trunk.blocks.{}.mlp.up", "layers.{}.mlp.fc1"),
    same("trunk.blocks.{}.mlp.down", "layers.{}.mlp.fc2"),
];

/// `ViTConfig`, `DeiTConfig`, `Dinov2Config` and their like.
#[derive(Deserialize)]
pub(super) struct VitConfig {
    pub(super) hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: Option<i64>,
    mlp_ratio: Option<f64>,
    image_size: i64,
    patch_size: i64,
    #[serde(default = "defaults::three")]
    num_channels: i64,
    #[serde(default = "defaults::tiny_eps")]
    pub(super) layer_norm_eps: f64,
    #[serde(default)]
    hidden_dropout_prob: f64,
    #[serde(default)]
    drop_path_rate: f64,
    #[serde(skip, default = "defaults::exact")]
    activation: Activation,
    #[serde(skip)]
    labels: Option<Vec<String>>,
}

impl VitConfig {
    pub(super) fn read(config: &Config) -> Result<Self> {
        let (activation, labels) = (config.activation("hidden_act")?, config.labels()?);
        let read = Self { activation, labels, ..config.parse()? };
        fits(config, read.image_size, read.patch_size)?;
        Ok(read)
    }

    /// The width of the MLP's hidden layer.
    pub(super) fn mlp(&self) -> i64 {
        match (self.intermediate_size, self.mlp_ratio) {
            (Some(mlp), None) => mlp,
            // Of a number that is too large, the largest.
            (_, ratio) => (self.hidden_size as f64 * ratio.unwrap_or(4.)) as i64,
        }
    }

    /// A ViT of this configuration.
    pub(super) fn family(self, name: &str, pool: Pool) -> PretrainedConfig {
        PretrainedConfig {
            name: name.into(),
            modality: "image".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: self.num_attention_heads,
                mlp: self.mlp(),
                activation: self.activation,
                eps: self.layer_norm_eps,
                dropout: self.hidden_dropout_prob,
                drop_path: self.drop_path_rate,
                ..TransformerConfig::of(self.hidden_size, self.num_hidden_layers)
            }),
            embedder: EmbedderConfig::Patches(PatchEmbedderConfig {
                dropout: self.hidden_dropout_prob,
                ..PatchEmbedderConfig::of(self.num_channels, self.image_size, self.patch_size)
            }),
            head: PretrainedHead { pool, config: HeadConfig::default(), labels: self.labels },
        }
    }
}

/// Refuses patches that do not fit a picture.
pub(super) fn fits(config: &Config, size: i64, patch: i64) -> Result<()> {
    if patch < 1 || size < patch {
        let problem = format!("patches of {patch} pixels do not fit a picture of {size}");
        return Err(config.refuse(problem));
    }
    Ok(())
}

/// The trunk, if it is as in ViT but for numbers, for its activation and for `switches`.
pub(super) fn trunk<'b>(
    built: Built<'b>,
    switches: impl FnOnce(TransformerConfig) -> TransformerConfig,
) -> Option<&'b TransformerConfig> {
    let TrunkConfig::Transformer(t) = built.trunk else { return None };
    let usual = TransformerConfig {
        heads: t.heads,
        mlp: t.mlp,
        activation: t.activation,
        eps: t.eps,
        dropout: t.dropout,
        drop_path: t.drop_path,
        ..TransformerConfig::of(t.width, t.depth)
    };
    (*t == switches(usual)).then_some(t)
}

/// The embedder, if it is as in ViT but for numbers and for `switches`.
pub(super) fn embedder<'b>(
    built: Built<'b>,
    switches: impl FnOnce(PatchEmbedderConfig) -> PatchEmbedderConfig,
) -> Option<&'b PatchEmbedderConfig> {
    let EmbedderConfig::Patches(e) = built.embedder else { return None };
    let usual = PatchEmbedderConfig {
        resampling: e.resampling,
        dropout: e.dropout,
        ..PatchEmbedderConfig::of(e.channels, e.size[0], e.patch[0])
    };
    (*e == switches(usual)).then_some(e)
}

/// The fields of `ViTConfig` and `DeiTConfig`.
fn plain_fields(model_type: &str, built: Built<'_>, tokens: ClassTokens) -> Option<Value> {
    let TrunkConfig::Transformer(t) = built.trunk else { return None };
    let biased = t.biases == AttentionBiases::default();
    let biases = match biased {
        true => t.biases,
        false => AttentionBiases::of(Bias::Without, Bias::With),
    };
    let t = trunk(built, |usual| TransformerConfig { biases, ..usual })?;
    let e = embedder(built, |usual| PatchEmbedderConfig { tokens, ..usual })?;
    let mut fields = fields(model_type, t, e);
    fields["intermediate_size"] = json!(t.mlp);
    fields["qkv_bias"] = json!(biased);
    Some(fields)
}

/// What the configurations have in common.
pub(super) fn fields(model_type: &str, t: &TransformerConfig, e: &PatchEmbedderConfig) -> Value {
    json!({
        "model_type": model_type, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "hidden_act": activation(t.activation),
        "layer_norm_eps": t.eps, "hidden_dropout_prob": t.dropout,
        "attention_probs_dropout_prob": t.dropout, "image_size": e.size[0],
        "patch_size": e.patch[0], "num_channels": e.channels, "qkv_bias": true,
    })
}
