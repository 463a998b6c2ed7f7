//! Mistral 7B and its like (Jiang et al. 2023): Llama whose blocks may all have a sliding window.

use serde_json::Value;

use super::decoder::{DecoderConfig, class, fields, key_map, rotary, tokens_class};
use crate::family::family::{Family, HuggingFace, uncounted_heads};
use crate::nn::{AttentionBiases, AttentionKind, Bias, NormPlacement, TransformerConfig};

pub(in crate::family) const MISTRAL: Family = Family {
    name: "mistral",
    reads: "Mistral (transformers)",
    key_map: key_map("mistral"),
    matches_config: |config| config.model_type() == Some("mistral"),
    from_config: |config, _| {
        let c = DecoderConfig::read(config)?;
        let window = !config.field("sliding_window").is_null();
        let trunk = TransformerConfig {
            biases: AttentionBiases::of(Bias::Without, Bias::Without),
            mlp_bias: Bias::Without,
            local: c.local(config, |_| window)?,
            ..c.trunk(config, rotary(config, 10_000.)?)?
        };
        c.model("mistral", config, trunk, None)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        class("MistralForSequenceClassification"),
        tokens_class("MistralForTokenClassification"),
    ],
    key_map: key_map("mistral"),
    in_memory: &[],
    to_config: |built| {
        let (mut fields, _, _) =
            fields("mistral", built, AttentionKind::Causal, NormPlacement::Pre)?;
        // All blocks have it or none; unsaid, it is 4096.
        fields.remove("layer_types");
        fields.entry("sliding_window").or_insert(Value::Null);
        Some(Value::Object(fields))
    },
};
