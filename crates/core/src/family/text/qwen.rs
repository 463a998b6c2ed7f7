//! Qwen 2, 2.5 and 3 (Yang et al. 2024, 2025): Llama with biases of query, key and value, then with norms of
//! queries and keys instead. The last blocks may have a sliding window.

use serde_json::{Value, json};

use super::decoder::{DecoderConfig, class, fields, key_map, rotary, tokens_class};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{Built, Class, Family, HuggingFace, PretrainedConfig, uncounted_heads};
use crate::nn::{AttentionBiases, AttentionKind, Bias, NormPlacement, QkNorm, TransformerConfig};

pub(in crate::family) const QWEN2: Family = Family {
    name: "qwen2",
    reads: "Qwen 2 and 2.5 (transformers)",
    key_map: key_map("qwen2"),
    matches_config: |config| config.model_type() == Some("qwen2"),
    from_config: |config, _| {
        let biases = AttentionBiases::of(Bias::With, Bias::Without);
        read("qwen2", config, |_, trunk| TransformerConfig { biases, ..trunk })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE_2),
};

pub(in crate::family) const QWEN3: Family = Family {
    name: "qwen3",
    reads: "Qwen 3 (transformers)",
    key_map: key_map("qwen3"),
    matches_config: |config| config.model_type() == Some("qwen3"),
    from_config: |config, _| {
        read("qwen3", config, |c, trunk| TransformerConfig {
            biases: AttentionBiases::of(c.attention_bias(), c.attention_bias()),
            qk_norm: QkNorm::Heads,
            ..trunk
        })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE_3),
};

fn read(
    name: &str,
    config: &Config,
    own: impl Fn(&DecoderConfig, TransformerConfig) -> TransformerConfig,
) -> Result<PretrainedConfig> {
    let c = DecoderConfig::read(config)?;
    let windows = config.field("use_sliding_window").as_bool() == Some(true);
    let first = config.field("max_window_layers").as_u64().unwrap_or(28) as usize;
    let trunk = TransformerConfig {
        mlp_bias: Bias::Without,
        local: c.local(config, |i| windows && i >= first)?,
        ..c.trunk(config, rotary(config, 10_000.)?)?
    };
    c.model(name, config, own(&c, trunk), None)
}

const CLASSES_2: &[Class] =
    &[class("Qwen2ForSequenceClassification"), tokens_class("Qwen2ForTokenClassification")];
const CLASSES_3: &[Class] =
    &[class("Qwen3ForSequenceClassification"), tokens_class("Qwen3ForTokenClassification")];

const HUGGING_FACE_2: HuggingFace = HuggingFace {
    classes: CLASSES_2,
    key_map: key_map("qwen2"),
    in_memory: &[],
    to_config: |built| told("qwen2", built).map(|(fields, _)| fields),
};

const HUGGING_FACE_3: HuggingFace = HuggingFace {
    classes: CLASSES_3,
    key_map: key_map("qwen3"),
    in_memory: &[],
    to_config: |built| {
        let (mut fields, t) = told("qwen3", built)?;
        fields["attention_bias"] = json!(t.biases.q == Bias::With);
        Some(fields)
    },
};

fn told<'b>(model_type: &str, built: Built<'b>) -> Option<(Value, &'b TransformerConfig)> {
    let (mut fields, t, _) = fields(model_type, built, AttentionKind::Causal, NormPlacement::Pre)?;
    fields.insert("use_sliding_window".into(), json!(t.local.is_some()));
    Some((Value::Object(fields), t))
}
