//! The vision tower of CLIP (Radford et al. 2021) as transformers saves it, alone or beside its text
//! tower.

use serde_json::{Value, json};

use super::tower::TowerConfig;
use super::vit::{embedder, fields, trunk};
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, uncounted_heads,
};
use crate::nn::{
    Activation, Bias, EmbedderConfig, FinalNorm, HeadConfig, PatchEmbedderConfig, Pool,
    TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, TensorTransform, same, transformed};

pub(in crate::family) const CLIP: Family = Family {
    name: "clip",
    reads: "CLIP's vision tower (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| matches!(config.model_type(), Some("clip" | "clip_vision_model")),
    from_config: |config, _| {
        let usual = TowerConfig {
            patch_size: 32,
            layer_norm_eps: 1e-5,
            activation: Activation::QuickGelu,
            ..TowerConfig::default()
        };
        let tower = usual.read(config)?;
        // Its class for tasks averages what leaves the last block, without the norm behind it.
        let classifies = config.saved_by("CLIPForImageClassification");
        let (pool, final_norm) = match classifies {
            true => (Pool::MeanOfPatches, FinalNorm::Without),
            false => (Pool::First, FinalNorm::Usual),
        };
        Ok(PretrainedConfig {
            name: "clip".into(),
            modality: "image".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig { final_norm, ..tower.trunk() }),
            embedder: EmbedderConfig::Patches(PatchEmbedderConfig {
                bias: Bias::Without,
                norm: Some(tower.layer_norm_eps),
                ..tower.embedder()
            }),
            head: PretrainedHead { pool, config: HeadConfig::default(), labels: config.labels()? },
        })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "clip",
    prefixes: &["vision_model.", ""],
    body: &[
        same("trunk.blocks.{}.attn.q", "encoder.layers.{}.self_attn.q_proj"),
        same("trunk.blocks.{}.attn.k", "encoder.layers.{}.self_attn.k_proj"),
        same("trunk.blocks.{}.attn.v", "encoder.layers.{}.self_attn.v_proj"),
        same("trunk.blocks.{}.attn.out", "encoder.layers.{}.self_attn.out_proj"),
        same("trunk.blocks.{}.norm1", "encoder.layers.{}.layer_norm1"),
        same("trunk.blocks.{}.norm2", "encoder.layers.{}.layer_norm2"),
        same("trunk.blocks.{}.mlp.up", "encoder.layers.{}.mlp.fc1"),
        same("trunk.blocks.{}.mlp.down", "encoder.layers.{}.mlp.fc2"),
        same("trunk.norm", "post_layernorm"),
        same("embed.project", "embeddings.patch_embedding"),
        transformed(
            "embed.position",
            "embeddings.position_embedding.weight",
            TensorTransform::Unsqueezed(1),
        ),
        transformed("embed.class", "embeddings.class_embedding", TensorTransform::Unsqueezed(2)),
        same("embed.norm", "pre_layrnorm"),
    ],
    head: &[same("head", "classifier")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("CLIPForImageClassification", Pool::MeanOfPatches, HeadKind::Linear)],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config,
};

fn to_config(built: Built<'_>) -> Option<Value> {
    let final_norm = FinalNorm::Without;
    let t = trunk(built, |usual| TransformerConfig { final_norm, ..usual })?;
    let (bias, norm) = (Bias::Without, Some(t.eps));
    let e = embedder(built, |usual| PatchEmbedderConfig { bias, norm, ..usual })?;
    let mut tower = fields("clip_vision_model", t, e);
    tower["intermediate_size"] = json!(t.mlp);
    Some(json!({ "model_type": "clip", "vision_config": tower }))
}
