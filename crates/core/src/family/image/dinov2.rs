//! DINOv2 (Oquab et al. 2023), also with registers (Darcet et al. 2024), as transformers saves it. Its
//! largest models have a SwiGLU, whose names differ.

use serde_json::{Value, json};

use super::vit::{VitConfig, embedder, fields, trunk};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, uncounted_heads,
};
use crate::nn::{
    Activation, EmbedderConfig, LayerScale, MlpKind, PatchEmbedderConfig, PatchPositions, Pool,
    TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, Resampling, TensorTransform, same, transformed};

pub(in crate::family) const DINOV2: Family = Family {
    name: "dinov2",
    reads: "DINOv2 (transformers)",
    key_map: NAMES,
    matches_config: |config| is(config, "dinov2", false),
    from_config: |config, _| read(config, "dinov2"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &[class("Dinov2ForImageClassification")],
        key_map: NAMES,
        in_memory: IN_MEMORY,
        to_config: |built| to_config("dinov2", built, MlpKind::Plain),
    }),
};

pub(in crate::family) const DINOV2_SWIGLU: Family = Family {
    name: "dinov2-swiglu",
    reads: "DINOv2 with SwiGLU (transformers)",
    key_map: SWIGLU_NAMES,
    matches_config: |config| is(config, "dinov2", true),
    from_config: |config, _| read(config, "dinov2-swiglu"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &[class("Dinov2ForImageClassification")],
        key_map: SWIGLU_NAMES,
        in_memory: SWIGLU_IN_MEMORY,
        to_config: |built| to_config("dinov2", built, MlpKind::Gated),
    }),
};

pub(in crate::family) const DINOV2_REGISTERS: Family = Family {
    name: "dinov2-with-registers",
    reads: "DINOv2 with registers (transformers)",
    key_map: REGISTERS_NAMES,
    matches_config: |config| is(config, "dinov2_with_registers", false),
    from_config: |config, _| read(config, "dinov2-with-registers"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &[class("Dinov2WithRegistersForImageClassification")],
        key_map: REGISTERS_NAMES,
        in_memory: IN_MEMORY,
        to_config: |built| to_config("dinov2_with_registers", built, MlpKind::Plain),
    }),
};

pub(in crate::family) const DINOV2_REGISTERS_SWIGLU: Family = Family {
    name: "dinov2-with-registers-swiglu",
    reads: "DINOv2 with registers and SwiGLU (transformers)",
    key_map: REGISTERS_SWIGLU_NAMES,
    matches_config: |config| is(config, "dinov2_with_registers", true),
    from_config: |config, _| read(config, "dinov2-with-registers-swiglu"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &[class("Dinov2WithRegistersForImageClassification")],
        key_map: REGISTERS_SWIGLU_NAMES,
        in_memory: SWIGLU_IN_MEMORY,
        to_config: |built| to_config("dinov2_with_registers", built, MlpKind::Gated),
    }),
};

const NAMES: KeyMap = KeyMap {
    name: "dinov2",
    prefixes: &["dinov2.", ""],
    body: BODY,
    head: &[same("head", "classifier")],
};

const SWIGLU_NAMES: KeyMap = KeyMap { name: "dinov2-swiglu", body: SWIGLU_BODY, ..NAMES };

const REGISTERS_NAMES: KeyMap =
    KeyMap { name: "dinov2-with-registers", prefixes: &["dinov2_with_registers.", ""], ..NAMES };

const REGISTERS_SWIGLU_NAMES: KeyMap =
    KeyMap { name: "dinov2-with-registers-swiglu", body: SWIGLU_BODY, ..REGISTERS_NAMES };

/// The table of a model whose MLP has these names.
macro_rules! body {
    ($($mlp:expr),* $(,)?) => {
        &[
            $($mlp,)*
            same("trunk.blocks.{}.scale1", "encoder.layer.{}.layer_scale1.lambda1"),
            same("trunk.blocks.{}.scale2", "encoder.layer.{}.layer_scale2.lambda1"),
            same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.attention.query"),
            same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.attention.key"),
            same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.attention.value"),
            same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
            same("trunk.blocks.{}.norm1", "encoder.layer.{}.norm1"),
            same("trunk.blocks.{}.norm2", "encoder.layer.{}.norm2"),
            same("trunk.norm", "layernorm"),
            same("embed.project", "embeddings.patch_embeddings.projection"),
            same("embed.position", "embeddings.position_embeddings"),
            same("embed.class", "embeddings.cls_token"),
            same("embed.registers", "embeddings.register_tokens"),
        ]
    };
}

const BODY: &[KeyRule] = body![
    same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.mlp.fc1"),
    same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.mlp.fc2"),
];

const SWIGLU_BODY: &[KeyRule] = body![
    transformed(
        "trunk.blocks.{}.mlp.gate",
        "encoder.layer.{}.mlp.weights_in",
        TensorTransform::Slice(0, 2),
    ),
    transformed(
        "trunk.blocks.{}.mlp.up",
        "encoder.layer.{}.mlp.weights_in",
        TensorTransform::Slice(1, 2),
    ),
    same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.mlp.weights_out"),
];

/// Its linear layers as transformers 5 has them in memory; a plain MLP keeps its names.
const IN_MEMORY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.q_proj"),
    same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.k_proj"),
    same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.v_proj"),
    same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.o_proj"),
];

const SWIGLU_IN_MEMORY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.q_proj"),
    same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.k_proj"),
    same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.v_proj"),
    same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.o_proj"),
    same("trunk.blocks.{}.mlp.gate", "encoder.layer.{}.mlp.gate_proj"),
    same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.mlp.up_proj"),
    same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.mlp.down_proj"),
];

const fn class(name: &'static str) -> Class {
    Class::new(name, Pool::FirstAndMean, HeadKind::Linear)
}

fn is(config: &Config, model_type: &str, swiglu: bool) -> bool {
    let gated = config.field("use_swiglu_ffn").as_bool().unwrap_or(false);
    config.model_type() == Some(model_type) && gated == swiglu
}

fn read(config: &Config, name: &str) -> Result<PretrainedConfig> {
    let registers = match config.field("num_register_tokens") {
        Value::Null if config.model_type() == Some("dinov2_with_registers") => 4,
        count => count.as_i64().unwrap_or(0),
    };
    let mut family = VitConfig::read(config)?.family(name, Pool::FirstAndMean);
    if let TrunkConfig::Transformer(t) = &mut family.trunk {
        t.layer_scale = LayerScale::Learned;
        if is(config, config.model_type().unwrap_or_default(), true) {
            t.mlp_kind = MlpKind::Gated;
            t.activation = Activation::Silu;
            t.mlp = gated(t.mlp);
        }
    }
    if let EmbedderConfig::Patches(e) = &mut family.embedder {
        e.registers = registers;
        if registers > 0 {
            e.positions = PatchPositions::AllButRegisters;
            e.resampling = Resampling::Antialiased;
        }
    }
    Ok(family)
}

/// The width of a SwiGLU in place of an MLP of a width: two thirds, rounded up to a multiple of 8.
fn gated(mlp: i64) -> i64 {
    ((mlp as f64 * 2. / 3.) as i64).saturating_add(7) / 8 * 8
}

fn to_config(model_type: &str, built: Built<'_>, mlp_kind: MlpKind) -> Option<Value> {
    let layer_scale = LayerScale::Learned;
    let t = trunk(built, |usual| TransformerConfig { layer_scale, mlp_kind, ..usual })?;
    let EmbedderConfig::Patches(PatchEmbedderConfig { registers, positions, .. }) = *built.embedder
    else {
        return None;
    };
    let e = embedder(built, |usual| PatchEmbedderConfig { registers, positions, ..usual })?;
    let mut fields = fields(model_type, t, e);
    // A whole number, of which the width of a SwiGLU is two thirds.
    let ratio = match mlp_kind {
        MlpKind::Plain => t.mlp / t.width.max(1),
        MlpKind::Gated => (t.mlp * 3 / 2) / t.width.max(1),
    };
    let told = match mlp_kind {
        MlpKind::Plain => ratio * t.width,
        MlpKind::Gated => gated(ratio * t.width),
    };
    fields["mlp_ratio"] = json!(ratio);
    fields["use_swiglu_ffn"] = json!(mlp_kind == MlpKind::Gated);
    fields["num_register_tokens"] = json!(e.registers);
    fields["use_mask_token"] = json!(false);
    (told == t.mlp).then_some(fields)
}
