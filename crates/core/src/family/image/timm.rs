//! Vision transformers as timm saves them: its `VisionTransformer` (ViT, DeiT, CLIP, SigLIP, DINOv2),
//! `Eva` (EVA-02, DINOv3, and timm's own with rotary positions) and `Beit`; and DINOv2 and DINOv3 as
//! their authors do, with nearly the same names.

use serde_json::Value;

use super::timm_tensors::{Rotary, Told, model};
use super::vit::VIT_HUGGING_FACE;
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::Activation;
use crate::weights::{Checkpoint, KeyMap, KeyRule, TensorTransform, same, transformed};

pub(in crate::family) const TIMM_VIT: Family = Family {
    name: "timm-vit",
    reads: "ViT, DeiT, CLIP, SigLIP, DINOv2 and 3, EVA-02, BEiT (timm)",
    key_map: KEY_MAP,
    matches_config: |config| {
        let starts = ["vit_", "deit_", "deit3_", "flexivit_", "eva_", "eva02_", "beit_", "beitv2_"];
        config.architecture().is_some_and(|name| starts.iter().any(|start| name.starts_with(start)))
    },
    from_config,
    from_tensors: |checkpoint| model(checkpoint, &KEY_MAP, &Told::nothing()),
    hugging_face: Some(&VIT_HUGGING_FACE),
};

const fn slice(ours: &'static str, theirs: &'static str, at: u8, of: u8) -> KeyRule {
    transformed(ours, theirs, TensorTransform::Slice(at, of))
}

const KEY_MAP: KeyMap = KeyMap {
    name: "timm-vit",
    prefixes: &[""],
    body: &[
        same("trunk.blocks.{}.attn.out", "blocks.{}.attn.proj"),
        slice("trunk.blocks.{}.attn.q", "blocks.{}.attn.qkv", 0, 3),
        slice("trunk.blocks.{}.attn.k", "blocks.{}.attn.qkv", 1, 3),
        slice("trunk.blocks.{}.attn.v", "blocks.{}.attn.qkv", 2, 3),
        same("trunk.blocks.{}.attn.q.bias", "blocks.{}.attn.q_bias"),
        same("trunk.blocks.{}.attn.v.bias", "blocks.{}.attn.v_bias"),
        same("trunk.blocks.{}.attn.q", "blocks.{}.attn.q_proj"),
        same("trunk.blocks.{}.attn.k", "blocks.{}.attn.k_proj"),
        same("trunk.blocks.{}.attn.v", "blocks.{}.attn.v_proj"),
        same("trunk.blocks.{}.attn.norm_q", "blocks.{}.attn.q_norm"),
        same("trunk.blocks.{}.attn.norm_k", "blocks.{}.attn.k_norm"),
        same("trunk.blocks.{}.attn.norm", "blocks.{}.attn.norm"),
        same("trunk.blocks.{}.attn.relative.weight", "blocks.{}.attn.relative_position_bias_table"),
        same("trunk.shared.relative.weight", "rel_pos_bias.relative_position_bias_table"),
        same("trunk.blocks.{}.norm1", "blocks.{}.norm1"),
        same("trunk.blocks.{}.norm2", "blocks.{}.norm2"),
        same("trunk.blocks.{}.mlp.norm", "blocks.{}.mlp.norm"),
        // A gate stands before the input in the same layer, or is a layer of its own.
        slice("trunk.blocks.{}.mlp.gate", "blocks.{}.mlp.fc1", 0, 2),
        transformed("trunk.blocks.{}.mlp.up", "blocks.{}.mlp.fc1", TensorTransform::Rest),
        same("trunk.blocks.{}.mlp.gate", "blocks.{}.mlp.fc1_g"),
        same("trunk.blocks.{}.mlp.up", "blocks.{}.mlp.fc1_x"),
        same("trunk.blocks.{}.mlp.down", "blocks.{}.mlp.fc2"),
        slice("trunk.blocks.{}.mlp.gate", "blocks.{}.mlp.w12", 0, 2),
        slice("trunk.blocks.{}.mlp.up", "blocks.{}.mlp.w12", 1, 2),
        same("trunk.blocks.{}.mlp.gate", "blocks.{}.mlp.w1"),
        same("trunk.blocks.{}.mlp.up", "blocks.{}.mlp.w2"),
        same("trunk.blocks.{}.mlp.down", "blocks.{}.mlp.w3"),
        same("trunk.blocks.{}.scale1", "blocks.{}.ls1.gamma"),
        same("trunk.blocks.{}.scale2", "blocks.{}.ls2.gamma"),
        same("trunk.blocks.{}.scale1", "blocks.{}.gamma_1"),
        same("trunk.blocks.{}.scale2", "blocks.{}.gamma_2"),
        same("trunk.norm", "norm"),
        same("trunk.pool.query", "attn_pool.latent"),
        same("trunk.pool.attn.q", "attn_pool.q"),
        slice("trunk.pool.attn.k", "attn_pool.kv", 0, 2),
        slice("trunk.pool.attn.v", "attn_pool.kv", 1, 2),
        same("trunk.pool.attn.out", "attn_pool.proj"),
        same("trunk.pool.norm", "attn_pool.norm"),
        same("trunk.pool.mlp.up", "attn_pool.mlp.fc1"),
        same("trunk.pool.mlp.down", "attn_pool.mlp.fc2"),
        same("embed.project", "patch_embed.proj"),
        same("embed.position", "pos_embed"),
        same("embed.class", "cls_token"),
        same("embed.distillation", "dist_token"),
        same("embed.registers", "reg_token"),
        same("embed.registers", "register_tokens"),
        same("embed.registers", "storage_tokens"),
        same("embed.norm", "norm_pre"),
    ],
    head: &[
        transformed("head", "head", TensorTransform::MeanOfHeads { second: "head_dist" }),
        same("head", "head"),
        same("head.norm", "fc_norm"),
    ],
};

fn from_config(config: &Config, checkpoint: &Checkpoint) -> Result<PretrainedConfig> {
    let told = told(config)?;
    let mut family = model(checkpoint, &KEY_MAP, &told).map_err(|e| config.refuse(e.into()))?;
    family.head.labels = config.labels()?;
    Ok(family)
}

/// What a `config.json` of timm tells that tensors do not.
fn told(config: &Config) -> Result<Told> {
    let name = config.architecture().unwrap_or_default();
    let args = config.field("model_args");
    let refuse = |field: &str, value: &Value, expected: &str| {
        Err(config.refuse(format!("its {field} is {value}, expected {expected}")))
    };
    // Norms behind the residual branches; positions rotated in another order; other blocks.
    let others = ["_rpn_", "eva02_enormous", "_pe_", "_sapiens2", "_radio_", "relpos_"];
    if others.iter().any(|part| name.contains(part)) {
        return Err(config.refuse(format!("its architecture {name} is not supported")));
    }
    let pool = match config.field("global_pool") {
        Value::Null => &args["global_pool"],
        pool => pool,
    };
    if !pool.is_null() && !["token", "avg", "map"].iter().any(|known| pool == known) {
        return refuse("global_pool", pool, "token, avg or map");
    }
    let tanh = ["base_patch32_siglip", "so400m_patch16_siglip", "giantopt_patch16_siglip"];
    let tanh = tanh.iter().any(|part| name.contains(part))
        || name.contains("large_patch16_siglip") && name.ends_with("_512");
    let activation = match &args["act_layer"] {
        Value::Null if name.contains("quickgelu") => Activation::QuickGelu,
        Value::Null if tanh => Activation::GeluTanh,
        Value::Null => Activation::Gelu,
        act if act == "gelu" => Activation::Gelu,
        act if act == "quick_gelu" => Activation::QuickGelu,
        act if act == "gelu_tanh" => Activation::GeluTanh,
        act if act == "silu" => Activation::Silu,
        act => return refuse("act_layer", act, "gelu, quick_gelu, gelu_tanh or silu"),
    };
    let norm = &args["norm_layer"];
    if !norm.is_null() && norm != "layernorm" && norm != "layer_norm" {
        return refuse("norm_layer", norm, "layernorm");
    }
    let eps = match name.contains("_clip_") && name.starts_with("vit_") || is_dinov3(name) {
        true => 1e-5,
        false => 1e-6,
    };
    Ok(Told {
        config: true,
        heads: args["num_heads"].as_i64().or(match name {
            // Not 64 wide, or not as many as in others of that width.
            name if name.starts_with("vit_base_patch16_gap_") => Some(16),
            name if name.contains("giantopt") => Some(16),
            name if name.contains("_huge_plus_") => Some(20),
            _ => None,
        }),
        pool: pool.as_str().map(str::to_owned),
        whole: args["pool_include_prefix"] == true,
        activation,
        eps: Some(eps),
        rotary: rotary(config, name)?,
        size: size(config),
        placed: args["no_embed_class"].as_bool(),
    })
}

fn is_dinov3(name: &str) -> bool {
    name.contains("_dinov3") || name.contains("_lingbot")
}

/// Rows and columns of the pictures, in pixels.
fn size(config: &Config) -> Option<[i64; 2]> {
    let pair = |value: &Value| match value {
        Value::Number(n) => n.as_i64().map(|n| [n, n]),
        Value::Array(sides) => match &sides[..] {
            [rows, columns] | [_, rows, columns] => Some([rows.as_i64()?, columns.as_i64()?]),
            _ => None,
        },
        _ => None,
    };
    let args = pair(&config.field("model_args")["img_size"]);
    let nested = || pair(&config.field("pretrained_cfg")["input_size"]);
    args.or_else(nested).or_else(|| pair(config.field("input_size")))
}

/// How queries and keys are rotated; `None`: they are not.
fn rotary(config: &Config, name: &str) -> Result<Option<Rotary>> {
    let args = config.field("model_args");
    let by_name = is_dinov3(name) || name.starts_with("eva02_") || name.contains("_rope_");
    if !args["use_rot_pos_emb"].as_bool().unwrap_or(by_name) {
        return Ok(None);
    }
    let own = |field: &str, usual: &str| args[field].as_str().unwrap_or(usual).to_owned();
    let reference = name.contains("_rope_reg") || name.starts_with("eva02_");
    let kind = own("rope_type", if is_dinov3(name) { "dinov3" } else { "cat" });
    let indexing =
        own("rope_grid_indexing", if is_dinov3(name) || reference { "ij" } else { "xy" });
    let offset = args["rope_grid_offset"].as_f64().unwrap_or(0.);
    if !matches!(kind.as_str(), "cat" | "dinov3") || indexing != "ij" || offset != 0. {
        return Err(config.refuse(format!(
            "its rotary positions have a rope_type {kind:?}, a rope_grid_indexing {indexing:?} and a \
             rope_grid_offset {offset}, expected \"cat\" or \"dinov3\", \"ij\" and 0"
        )));
    }
    let centred = kind == "dinov3";
    let base = args["rope_temperature"].as_f64().unwrap_or(if centred { 100. } else { 10_000. });
    let halves = args["rope_rotate_half"].as_bool().unwrap_or(centred);
    let usual = reference.then_some([16, 16]);
    let reference = match &args["ref_feat_shape"] {
        Value::Null => usual,
        Value::Number(n) => n.as_i64().map(|n| [n, n]),
        sides => Some([0, 1].map(|i| sides[i].as_i64().unwrap_or_default())),
    };
    Ok(Some(Rotary { base, halves, centred, reference }))
}
