//! Gemma 3's text model (Gemma Team 2025), and EmbeddingGemma, which looks both ways: norms ahead of and behind
//! attention and MLP, norms of queries and keys, sliding windows with a rotary base of their own.

use serde::Deserialize;
use serde_json::{Value, json};

use super::decoder::{DecoderConfig, HEAD, class, fields, rotary_of};
use crate::family::family::{Family, HuggingFace, uncounted_heads};
use crate::nn::{
    Activation, AttentionBiases, AttentionKind, Bias, LocalAttention, NormKind, NormPlacement,
    PositionConfig, QkNorm, RotaryConfig, RotaryScaling, TransformerConfig,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const GEMMA3: Family = Family {
    name: "gemma3_text",
    reads: "Gemma 3's text model, EmbeddingGemma (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("gemma3_text"),
    from_config: |config, _| {
        let (c, own): (_, Gemma3Config) = (DecoderConfig::read(config)?, config.parse()?);
        if !config.field("attn_logit_softcapping").is_null() {
            return Err(config.refuse("attn_logit_softcapping is not built".into()));
        }
        let parameters = config.field("rope_parameters");
        let everywhere = match parameters["full_attention"] {
            Value::Null => config.field("rope_scaling"),
            ref told => told,
        };
        let near = rotary_of(config, &parameters["sliding_attention"], own.rope_local_base_freq)?;
        if near.scaling != RotaryScaling::None {
            return Err(config.refuse("the rope_type of sliding_attention is not built".into()));
        }
        let bias = c.attention_bias();
        let pattern = own.sliding_window_pattern.max(1);
        let local = c.local(config, |i| !(i + 1).is_multiple_of(pattern))?;
        let trunk = TransformerConfig {
            norm_placement: NormPlacement::Sandwich,
            norm_kind: NormKind::RmsNormPlusOne,
            activation: match config.field("hidden_activation") {
                Value::Null => Activation::GeluTanh,
                _ => config.activation("hidden_activation")?,
            },
            attention: own.attention(),
            biases: AttentionBiases::of(bias, bias),
            mlp_bias: Bias::Without,
            qk_norm: QkNorm::Heads,
            scale: Some(own.query_pre_attn_scalar.sqrt().recip()),
            local: local.map(|local| LocalAttention {
                // Both ways, half of the window is on either side.
                reach: match own.attention() {
                    AttentionKind::Causal => local.reach,
                    AttentionKind::Bidirectional => (local.reach + 1) / 2,
                },
                base: Some(near.base),
                ..local
            }),
            ..c.trunk(config, rotary_of(config, everywhere, own.rope_theta)?)?
        };
        let scale = (trunk.width as f64).sqrt();
        c.model("gemma3_text", config, trunk, Some(scale))
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "gemma3_text",
    prefixes: &["model.", ""],
    body: &[
        same("trunk.blocks.{}.attn.norm_q", "layers.{}.self_attn.q_norm"),
        same("trunk.blocks.{}.attn.norm_k", "layers.{}.self_attn.k_norm"),
        same("trunk.blocks.{}.attn.q", "layers.{}.self_attn.q_proj"),
        same("trunk.blocks.{}.attn.k", "layers.{}.self_attn.k_proj"),
        same("trunk.blocks.{}.attn.v", "layers.{}.self_attn.v_proj"),
        same("trunk.blocks.{}.attn.out", "layers.{}.self_attn.o_proj"),
        same("trunk.blocks.{}.norm1", "layers.{}.input_layernorm"),
        same("trunk.blocks.{}.norm1_out", "layers.{}.post_attention_layernorm"),
        same("trunk.blocks.{}.norm2", "layers.{}.pre_feedforward_layernorm"),
        same("trunk.blocks.{}.norm2_out", "layers.{}.post_feedforward_layernorm"),
        same("trunk.blocks.{}.mlp.gate", "layers.{}.mlp.gate_proj"),
        same("trunk.blocks.{}.mlp.up", "layers.{}.mlp.up_proj"),
        same("trunk.blocks.{}.mlp.down", "layers.{}.mlp.down_proj"),
        same("trunk.norm", "norm"),
        same("embed.token", "embed_tokens"),
    ],
    head: HEAD,
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[class("Gemma3TextForSequenceClassification")],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let kinds = [AttentionKind::Causal, AttentionKind::Bidirectional];
        let (mut fields, t, _) = kinds
            .into_iter()
            .find_map(|kind| fields("gemma3_text", built, kind, NormPlacement::Sandwich))?;
        let both_ways = t.attention == AttentionKind::Bidirectional;
        let scale = t.scale.unwrap_or((t.head_width() as f64).sqrt().recip());
        let act = fields.remove("hidden_act")?;
        fields.insert("hidden_activation".into(), act);
        fields.insert("attention_bias".into(), json!(t.biases.q == Bias::With));
        fields.insert("use_bidirectional_attention".into(), json!(both_ways));
        let scalar = scale.powi(2).recip().round() as i64;
        fields.insert("query_pre_attn_scalar".into(), json!(scalar));
        if let Some(local) = &t.local {
            let PositionConfig::Rotary(RotaryConfig { base, .. }) = t.positions else {
                return None;
            };
            fields.insert("rope_local_base_freq".into(), json!(local.base.unwrap_or(base)));
            if both_ways {
                fields.insert("sliding_window".into(), json!(2 * local.reach));
            }
        }
        Some(Value::Object(fields))
    },
};

/// What `Gemma3TextConfig` has beside the usual.
#[derive(Deserialize)]
struct Gemma3Config {
    #[serde(default = "width")]
    query_pre_attn_scalar: f64,
    #[serde(default = "far")]
    rope_theta: f64,
    #[serde(default = "near")]
    rope_local_base_freq: f64,
    #[serde(default = "pattern", alias = "_sliding_window_pattern")]
    sliding_window_pattern: usize,
    use_bidirectional_attention: Option<bool>,
}

impl Gemma3Config {
    fn attention(&self) -> AttentionKind {
        match self.use_bidirectional_attention {
            Some(true) => AttentionKind::Bidirectional,
            _ => AttentionKind::Causal,
        }
    }
}

fn width() -> f64 {
    256.
}

fn far() -> f64 {
    1_000_000.
}

fn near() -> f64 {
    10_000.
}

fn pattern() -> usize {
    6
}
