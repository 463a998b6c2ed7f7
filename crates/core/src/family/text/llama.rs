//! Llama, all versions, and SmolLM 2, which is one (Touvron et al. 2023; Grattafiori et al. 2024): `LlamaModel`
//! as transformers saves it, bare or inside a class.

use serde_json::{Value, json};

use super::decoder::{DecoderConfig, class, fields, key_map, rotary, tokens_class};
use crate::family::family::{Family, HuggingFace, uncounted_heads};
use crate::nn::{AttentionBiases, AttentionKind, Bias, NormPlacement, TransformerConfig};

pub(in crate::family) const LLAMA: Family = Family {
    name: "llama",
    reads: "Llama, SmolLM 2 (transformers)",
    key_map: key_map("llama"),
    matches_config: |config| config.model_type() == Some("llama"),
    from_config: |config, _| {
        let c = DecoderConfig::read(config)?;
        let bias = c.attention_bias();
        let trunk = TransformerConfig {
            biases: AttentionBiases::of(bias, bias),
            mlp_bias: c.mlp_bias(),
            ..c.trunk(config, rotary(config, 10_000.)?)?
        };
        c.model("llama", config, trunk, None)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        class("LlamaForSequenceClassification"),
        tokens_class("LlamaForTokenClassification"),
    ],
    key_map: key_map("llama"),
    in_memory: &[],
    to_config: |built| {
        let (mut fields, t, _) = fields("llama", built, AttentionKind::Causal, NormPlacement::Pre)?;
        if t.local.is_some() {
            return None;
        }
        fields.insert("attention_bias".into(), json!(t.biases.q == Bias::With));
        fields.insert("mlp_bias".into(), json!(t.mlp_bias == Bias::With));
        Some(Value::Object(fields))
    },
};
