//! WavLM (Chen et al. 2022) as transformers saves it: wav2vec 2.0 with gated relative position biases.

use serde::Deserialize;
use serde_json::json;

use super::wav2vec2::{BODY, HEAD, classes, fields, read, untold};
use crate::family::family::{Family, HuggingFace};
use crate::nn::{BucketConfig, PositionConfig, TrunkConfig};
use crate::weights::{KeyMap, KeyRule, joined, same};

pub(in crate::family) const WAVLM: Family = Family {
    name: "wavlm",
    reads: "WavLM (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("wavlm"),
    from_config: |config, _| {
        let mut model = read(config, "wavlm")?;
        let c: WavLmConfig = config.parse()?;
        if let TrunkConfig::Transformer(trunk) = &mut model.trunk {
            let (buckets, max_distance) = (c.num_buckets, c.max_bucket_distance);
            trunk.positions = PositionConfig::GatedBuckets(BucketConfig { buckets, max_distance });
        }
        Ok(model)
    },
    from_tensors: untold,
    hugging_face: Some(&HuggingFace {
        classes: &classes("WavLMForSequenceClassification", "WavLMForCTC"),
        key_map: KEY_MAP,
        in_memory: &[],
        to_config: |built| {
            let TrunkConfig::Transformer(trunk) = built.trunk else { return None };
            let PositionConfig::GatedBuckets(bias) = trunk.positions else { return None };
            let mut fields = fields("wavlm", built)?;
            fields["num_buckets"] = json!(bias.buckets);
            fields["max_bucket_distance"] = json!(bias.max_distance);
            Some(fields)
        },
    }),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "wavlm",
    prefixes: &["wavlm.", ""],
    body: &joined::<{ OWN.len() + BODY.len() }>(OWN, BODY),
    head: HEAD,
};

const OWN: &[KeyRule] = &[
    // All layers compute with the first one's.
    same("trunk.shared.relative", "encoder.layers.0.attention.rel_attn_embed"),
    same("trunk.blocks.{}.attn.gate", "encoder.layers.{}.attention.gru_rel_pos_linear"),
    same("trunk.blocks.{}.attn.gate_reset", "encoder.layers.{}.attention.gru_rel_pos_const"),
];

/// `WavLMConfig`, as far as it differs from wav2vec2's.
#[derive(Deserialize)]
struct WavLmConfig {
    #[serde(default = "buckets")]
    num_buckets: i64,
    #[serde(default = "farthest")]
    max_bucket_distance: i64,
}

fn buckets() -> i64 {
    320
}

fn farthest() -> i64 {
    800
}
