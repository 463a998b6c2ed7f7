//! The vision tower of SigLIP (Zhai et al. 2023) and of SigLIP 2 with a fixed resolution (Tschannen et
//! al. 2025) as transformers saves them, alone or beside their text tower.

use serde_json::{Value, json};

use super::tower::{BODY, TowerConfig};
use super::vit::{embedder, fields, trunk};
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, uncounted_heads,
};
use crate::nn::{
    Activation, ClassTokens, EmbedderConfig, HeadConfig, PatchEmbedderConfig, Pool, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, TensorTransform, joined, same, transformed};

pub(in crate::family) const SIGLIP: Family = Family {
    name: "siglip",
    reads: "SigLIP's and SigLIP 2's vision tower (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| {
        let mine = ["siglip", "siglip_vision_model", "siglip2", "siglip2_vision_model"];
        config.model_type().is_some_and(|model_type| mine.contains(&model_type))
    },
    from_config: |config, _| {
        if config.model_type().is_some_and(|model_type| model_type.starts_with("siglip2")) {
            let problem = "its model_type is siglip2, whose patches come flattened, of any shape of \
                           picture (NaFlex), which is not supported; use one with a fixed resolution";
            return Err(config.refuse(problem.into()));
        }
        let usual = TowerConfig { activation: Activation::GeluTanh, ..TowerConfig::default() };
        let tower = usual.read(config)?;
        let pooled = config.part("vision_config").field("vision_use_head").as_bool();
        // Its class for tasks averages the patches and leaves the pool of the tower alone.
        let classifies = config.saved_by("SiglipForImageClassification");
        let pool = match classifies || pooled == Some(false) {
            true => Pool::Mean,
            false => Pool::Attention,
        };
        let tokens = ClassTokens::Without;
        Ok(PretrainedConfig {
            name: "siglip".into(),
            modality: "image".into(),
            trunk: TrunkConfig::Transformer(tower.trunk()),
            embedder: EmbedderConfig::Patches(PatchEmbedderConfig { tokens, ..tower.embedder() }),
            head: PretrainedHead { pool, config: HeadConfig::default(), labels: config.labels()? },
        })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "siglip",
    prefixes: &["vision_model.", ""],
    body: &joined::<{ BODY.len() + OWN.len() }>(BODY, OWN),
    head: &[same("head", "classifier")],
};

const OWN: &[KeyRule] = &[
    same("trunk.pool.query", "head.probe"),
    pool_weight("trunk.pool.attn.q.weight", 0),
    pool_weight("trunk.pool.attn.k.weight", 1),
    pool_weight("trunk.pool.attn.v.weight", 2),
    pool_bias("trunk.pool.attn.q.bias", 0),
    pool_bias("trunk.pool.attn.k.bias", 1),
    pool_bias("trunk.pool.attn.v.bias", 2),
    same("trunk.pool.attn.out", "head.attention.out_proj"),
    same("trunk.pool.norm", "head.layernorm"),
    same("trunk.pool.mlp.up", "head.mlp.fc1"),
    same("trunk.pool.mlp.down", "head.mlp.fc2"),
];

const fn pool_weight(ours: &'static str, at: u8) -> KeyRule {
    transformed(ours, "head.attention.in_proj_weight", TensorTransform::Slice(at, 3))
}

const fn pool_bias(ours: &'static str, at: u8) -> KeyRule {
    transformed(ours, "head.attention.in_proj_bias", TensorTransform::Slice(at, 3))
}

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("SiglipForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config,
};

fn to_config(built: Built<'_>) -> Option<Value> {
    let t = trunk(built, |usual| usual)?;
    let tokens = ClassTokens::Without;
    let e = embedder(built, |usual| PatchEmbedderConfig { tokens, ..usual })?;
    let mut tower = fields("siglip_vision_model", t, e);
    tower["intermediate_size"] = json!(t.mlp);
    tower["vision_use_head"] = json!(false);
    Some(json!({ "model_type": "siglip", "vision_config": tower }))
}
