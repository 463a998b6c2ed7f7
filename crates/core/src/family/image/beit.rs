//! BEiT (Bao et al. 2022), and data2vec for pictures (Baevski et al. 2022), which is built alike, as
//! transformers saves them: relative positions on the grid of patches.

use serde::Deserialize;
use serde_json::{Value, json};

use super::vit::{IN_MEMORY, VitConfig, embedder, fields, trunk};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, uncounted_heads,
};
use crate::nn::{
    AttentionBiases, Bias, EmbedderConfig, FinalNorm, GridBiasConfig, GridTables, HeadConfig,
    LayerScale, PatchEmbedderConfig, PatchPositions, Pool, PositionConfig, TransformerConfig,
    TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, same};

pub(in crate::family) const BEIT: Family = Family {
    name: "beit",
    reads: "BEiT (transformers)",
    key_map: BEIT_NAMES,
    matches_config: |config| config.model_type() == Some("beit"),
    from_config: |config, _| read(config, "beit"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: CLASSES,
        key_map: BEIT_NAMES,
        in_memory: IN_MEMORY,
        to_config: |built| to_config("beit", built),
    }),
};

const BEIT_NAMES: KeyMap = KeyMap {
    name: "beit",
    prefixes: &["beit.", ""],
    body: BODY,
    head: &[
        same("head.norm", "beit.pooler.layernorm"),
        same("head.norm", "pooler.layernorm"),
        same("head", "classifier"),
    ],
};

pub(in crate::family) const DATA2VEC_VISION: Family = Family {
    name: "data2vec-vision",
    reads: "data2vec-vision (transformers)",
    key_map: DATA2VEC_NAMES,
    matches_config: |config| config.model_type() == Some("data2vec-vision"),
    from_config: |config, _| read(config, "data2vec-vision"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: DATA2VEC_CLASSES,
        key_map: DATA2VEC_NAMES,
        in_memory: &[],
        to_config: |built| to_config("data2vec-vision", built),
    }),
};

const DATA2VEC_NAMES: KeyMap = KeyMap {
    name: "data2vec-vision",
    prefixes: &["data2vec_vision.", ""],
    body: BODY,
    head: &[
        same("head.norm", "data2vec_vision.pooler.layernorm"),
        same("head.norm", "pooler.layernorm"),
        same("head", "classifier"),
    ],
};

const CLASSES: &[Class] = &[
    Class::new("BeitForImageClassification", Pool::MeanOfPatches, HeadKind::Normed),
    Class::new("BeitForImageClassification", Pool::First, HeadKind::Linear),
];

const DATA2VEC_CLASSES: &[Class] = &[
    Class::new("Data2VecVisionForImageClassification", Pool::MeanOfPatches, HeadKind::Normed),
    Class::new("Data2VecVisionForImageClassification", Pool::First, HeadKind::Linear),
];

const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.attention.query"),
    same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.attention.key"),
    same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.attention.value"),
    same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
    same(
        "trunk.blocks.{}.attn.relative.weight",
        "encoder.layer.{}.attention.attention.relative_position_bias.relative_position_bias_table",
    ),
    same("trunk.blocks.{}.norm1", "encoder.layer.{}.layernorm_before"),
    same("trunk.blocks.{}.norm2", "encoder.layer.{}.layernorm_after"),
    same("trunk.blocks.{}.scale1", "encoder.layer.{}.lambda_1"),
    same("trunk.blocks.{}.scale2", "encoder.layer.{}.lambda_2"),
    same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
    same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
    same(
        "trunk.shared.relative.weight",
        "encoder.relative_position_bias.relative_position_bias_table",
    ),
    same("trunk.norm", "layernorm"),
    same("embed.project", "embeddings.patch_embeddings.projection"),
    same("embed.position", "embeddings.position_embeddings"),
    same("embed.class", "embeddings.cls_token"),
];

/// What `BeitConfig` has beyond that of a ViT.
#[derive(Deserialize)]
struct BeitConfig {
    #[serde(default = "defaults::yes")]
    use_mean_pooling: bool,
    #[serde(default)]
    use_absolute_position_embeddings: bool,
    #[serde(default)]
    use_relative_position_bias: bool,
    #[serde(default)]
    use_shared_relative_position_bias: bool,
    #[serde(default = "defaults::tenth")]
    layer_scale_init_value: f64,
}

/// Keys have no bias.
fn biases() -> AttentionBiases {
    AttentionBiases { k: Bias::Without, ..AttentionBiases::default() }
}

fn read(config: &Config, name: &str) -> Result<PretrainedConfig> {
    let c: BeitConfig = config.parse()?;
    let vit = VitConfig::read(config)?;
    let (pool, norm, final_norm) = match c.use_mean_pooling {
        true => (Pool::MeanOfPatches, Some(vit.layer_norm_eps), FinalNorm::Without),
        false => (Pool::First, None, FinalNorm::Usual),
    };
    let mut family = vit.family(name, pool);
    family.head.config = HeadConfig { norm, ..HeadConfig::default() };
    let EmbedderConfig::Patches(e) = &mut family.embedder else { return Ok(family) };
    if !c.use_absolute_position_embeddings {
        e.positions = PatchPositions::Without;
    }
    let [rows, columns] = e.grid();
    let tables = match (c.use_relative_position_bias, c.use_shared_relative_position_bias) {
        (false, false) => None,
        (true, false) => Some(GridTables::Blocks),
        (false, true) => Some(GridTables::Shared),
        (true, true) => Some(GridTables::BlocksAndShared),
    };
    let TrunkConfig::Transformer(t) = &mut family.trunk else { return Ok(family) };
    t.final_norm = final_norm;
    t.biases = biases();
    if c.layer_scale_init_value > 0. {
        t.layer_scale = LayerScale::Learned;
    }
    if let Some(tables) = tables {
        t.positions = PositionConfig::Grid(GridBiasConfig { rows, columns, tables });
    }
    Ok(family)
}

fn to_config(model_type: &str, built: Built<'_>) -> Option<Value> {
    let TrunkConfig::Transformer(t) = built.trunk else { return None };
    let &TransformerConfig { layer_scale, final_norm, positions, .. } = t;
    let EmbedderConfig::Patches(e) = built.embedder else { return None };
    let (placed, [rows, columns]) = (e.positions, e.grid());
    let tables = match positions {
        PositionConfig::None => None,
        // A table keeps the grid that it was trained on.
        PositionConfig::Grid(c) if [c.rows, c.columns] == [rows, columns] => Some(c.tables),
        _ => return None,
    };
    let mean = final_norm == FinalNorm::Without;
    if mean != built.head.norm.is_some() || placed == PatchPositions::Patches {
        return None;
    }
    let t = trunk(built, |usual| TransformerConfig {
        layer_scale,
        final_norm,
        positions,
        biases: biases(),
        ..usual
    })?;
    let e = embedder(built, |usual| PatchEmbedderConfig { positions: placed, ..usual })?;
    let mut fields = fields(model_type, t, e);
    let has =
        |one| tables.is_some_and(|tables| tables == one || tables == GridTables::BlocksAndShared);
    fields["intermediate_size"] = json!(t.mlp);
    fields["drop_path_rate"] = json!(t.drop_path);
    fields["use_mean_pooling"] = json!(mean);
    fields["use_absolute_position_embeddings"] = json!(placed == PatchPositions::All);
    fields["use_relative_position_bias"] = json!(has(GridTables::Blocks));
    fields["use_shared_relative_position_bias"] = json!(has(GridTables::Shared));
    let scaled = layer_scale == LayerScale::Learned;
    fields["layer_scale_init_value"] = json!(if scaled { 0.1 } else { 0. });
    Some(fields)
}
