//! The vision tower of CLIP (Radford et al. 2021) as transformers saves it, alone or beside its text
//! tower.

use serde_json::{Value, json};

use super::tower::{BODY, TowerConfig};
use super::vit::{embedder, fields, trunk};
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, uncounted_heads,
};
use crate::nn::{
    Activation, Bias, EmbedderConfig, FinalNorm, HeadConfig, PatchEmbedderConfig, Pool,
    TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, TensorTransform, joined, same, transformed};

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
    body: &joined::<{ BODY.len() + OWN.len() }>(BODY, OWN),
    head: &[same("head", "classifier")],
};

const OWN: &[KeyRule] = &[
    transformed("embed.class", "embeddings.class_embedding", TensorTransform::Unsqueezed(2)),
    same("embed.norm", "pre_layrnorm"),
];

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
