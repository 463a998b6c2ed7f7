//! What decoders of Llama's kind share (Touvron et al. 2023), as transformers saves them: RMS norms ahead of
//! attention and a gated MLP, rotary positions, grouped queries. A classifier's head is on the last
//! token.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{Built, Class, HeadKind, PretrainedConfig, PretrainedHead, activation};
use crate::nn::{
    Activation, AttentionKind, Bias, EmbedderConfig, HeadConfig, LocalAttention, MlpKind, NormKind,
    NormPlacement, Pool, PositionConfig, PositionTable, RotaryConfig, RotaryPairing, RotaryScaling,
    TokenEmbedderConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, same};

/// The names of a family of this kind.
pub(super) const fn key_map(name: &'static str) -> KeyMap {
    KeyMap { name, prefixes: &["model.", ""], body: BODY, head: HEAD }
}

const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "layers.{}.self_attn.q_proj"),
    same("trunk.blocks.{}.attn.k", "layers.{}.self_attn.k_proj"),
    same("trunk.blocks.{}.attn.v", "layers.{}.self_attn.v_proj"),
    same("trunk.blocks.{}.attn.out", "layers.{}.self_attn.o_proj"),
    same("trunk.blocks.{}.attn.norm_q", "layers.{}.self_attn.q_norm"),
    same("trunk.blocks.{}.attn.norm_k", "layers.{}.self_attn.k_norm"),
    same("trunk.blocks.{}.norm1", "layers.{}.input_layernorm"),
    same("trunk.blocks.{}.mlp.gate", "layers.{}.mlp.gate_proj"),
    same("trunk.blocks.{}.mlp.up", "layers.{}.mlp.up_proj"),
    same("trunk.blocks.{}.mlp.down", "layers.{}.mlp.down_proj"),
    same("trunk.blocks.{}.norm2", "layers.{}.post_attention_layernorm"),
    same("trunk.norm", "norm"),
    same("embed.token", "embed_tokens"),
];

pub(super) const HEAD: &[KeyRule] = &[same("head", "score")];

/// The class for sequences of this name.
pub(super) const fn class(name: &'static str) -> Class {
    Class::new(name, Pool::Last, HeadKind::Unbiased)
}

/// The class for tokens of this name: its head has a bias.
pub(super) const fn tokens_class(name: &'static str) -> Class {
    Class::of_positions(name, None)
}

/// The fields that the families share.
#[derive(Deserialize)]
pub(super) struct DecoderConfig {
    hidden_size: i64,
    intermediate_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    num_key_value_heads: Option<i64>,
    head_dim: Option<i64>,
    vocab_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "eps")]
    rms_norm_eps: f64,
    #[serde(default)]
    attention_dropout: f64,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    sliding_window: Option<i64>,
    layer_types: Option<Vec<String>>,
}

fn eps() -> f64 {
    1e-6
}

/// Whether a layer has a bias, in words of ours.
fn bias(with: bool) -> Bias {
    if with { Bias::With } else { Bias::Without }
}

impl DecoderConfig {
    pub(super) fn read(config: &Config) -> Result<Self> {
        config.parse()
    }

    /// The bias that `attention_bias` tells.
    pub(super) fn attention_bias(&self) -> Bias {
        bias(self.attention_bias)
    }

    /// The bias that `mlp_bias` tells.
    pub(super) fn mlp_bias(&self) -> Bias {
        bias(self.mlp_bias)
    }

    /// Llama's trunk; what other families have otherwise is theirs to replace. Layers have biases
    /// unless replaced.
    pub(super) fn trunk(&self, config: &Config, rotary: RotaryConfig) -> Result<TransformerConfig> {
        Ok(TransformerConfig {
            heads: self.num_attention_heads,
            kv_heads: self.num_key_value_heads.filter(|&n| n != self.num_attention_heads),
            head_width: self.head_dim,
            mlp: self.intermediate_size,
            mlp_kind: MlpKind::Gated,
            norm_placement: NormPlacement::Pre,
            norm_kind: NormKind::RmsNorm,
            activation: match config.field("hidden_act") {
                Value::Null => Activation::Silu,
                _ => config.activation("hidden_act")?,
            },
            attention: AttentionKind::Causal,
            positions: PositionConfig::Rotary(rotary),
            eps: self.rms_norm_eps,
            dropout: self.attention_dropout,
            ..TransformerConfig::of(self.hidden_size, self.num_hidden_layers)
        })
    }

    /// The blocks with a sliding window, as `layer_types` tells them or, without, `usual`.
    pub(super) fn local(
        &self,
        config: &Config,
        usual: impl Fn(usize) -> bool,
    ) -> Result<Option<LocalAttention>> {
        // The transformer refuses what is beyond it.
        let all = 0..self.num_hidden_layers.min(TransformerConfig::DEEPEST);
        let blocks: Vec<usize> = match &self.layer_types {
            None => all.filter(|&i| usual(i)).collect(),
            Some(kinds) => {
                let known = ["full_attention", "sliding_attention"];
                if let Some(kind) = kinds.iter().find(|kind| !known.contains(&&***kind)) {
                    let problem =
                        format!("layer_types has {kind:?}, expected {}", known.join(" or "));
                    return Err(config.refuse(problem));
                }
                all.zip(kinds).filter(|(_, kind)| **kind == known[1]).map(|(i, _)| i).collect()
            }
        };
        match (blocks.is_empty(), self.sliding_window) {
            (true, _) => Ok(None),
            // A position sees so many, itself included.
            (false, Some(window)) => {
                Ok(Some(LocalAttention { reach: window.saturating_sub(1), blocks, base: None }))
            }
            (false, None) => Err(config.refuse("sliding_window is missing".into())),
        }
    }

    /// The model with this trunk; `scale` is what tokens' vectors are multiplied with.
    pub(super) fn model(
        &self,
        name: &str,
        config: &Config,
        trunk: TransformerConfig,
        scale: Option<f64>,
    ) -> Result<PretrainedConfig> {
        Ok(PretrainedConfig {
            name: name.into(),
            modality: "text".into(),
            embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
                segments: 0,
                eps: None,
                position_table: PositionTable::Without,
                scale,
                ..TokenEmbedderConfig::of(self.vocab_size, self.max_position_embeddings)
            }),
            trunk: TrunkConfig::Transformer(trunk),
            head: PretrainedHead {
                pool: Pool::Last,
                config: HeadConfig { bias: Bias::Without, ..HeadConfig::default() },
                labels: config.labels()?,
            },
        })
    }
}

/// How positions are rotated, in `rope_parameters` or, before transformers 5, `rope_scaling`.
#[derive(Default, Deserialize)]
struct Rope {
    rope_type: Option<String>,
    #[serde(rename = "type")]
    old_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    partial_rotary_factor: Option<f64>,
}

/// The rotation that a `config.json` tells, in both ways of writing it; `base` where it tells none.
pub(super) fn rotary(config: &Config, base: f64) -> Result<RotaryConfig> {
    let told = match config.field("rope_parameters") {
        Value::Null => config.field("rope_scaling"),
        parameters => parameters,
    };
    rotary_of(config, told, config.field("rope_theta").as_f64().unwrap_or(base))
}

/// The rotation that one such field tells, with this base unless it tells that, too.
pub(super) fn rotary_of(config: &Config, told: &Value, base: f64) -> Result<RotaryConfig> {
    let rope: Option<Rope> = Deserialize::deserialize(told)
        .map_err(|e| config.refuse(format!("the rotary positions: {e}")))?;
    let rope = rope.unwrap_or_default();
    let lacking = |name: &str| config.refuse(format!("the rotary positions lack {name}"));
    let number = |value: Option<f64>, name| value.ok_or_else(|| lacking(name));
    if rope.partial_rotary_factor.is_some_and(|part| part != 1.) {
        return Err(config.refuse("partial_rotary_factor is not 1, which is not built".into()));
    }
    let scaling = match rope.rope_type.as_deref().or(rope.old_type.as_deref()) {
        None | Some("default") => RotaryScaling::None,
        Some("linear") => RotaryScaling::Linear { factor: number(rope.factor, "factor")? },
        Some("llama3") => RotaryScaling::Llama3 {
            factor: number(rope.factor, "factor")?,
            low: number(rope.low_freq_factor, "low_freq_factor")?,
            high: number(rope.high_freq_factor, "high_freq_factor")?,
            original: number(
                rope.original_max_position_embeddings
                    .or_else(|| config.field("max_position_embeddings").as_f64()),
                "original_max_position_embeddings",
            )?,
        },
        Some(other) => {
            return Err(config
                .refuse(format!("rope_type is {other:?}, expected default, linear or llama3")));
        }
    };
    Ok(RotaryConfig { scaling, ..RotaryConfig::of(rope.rope_theta.unwrap_or(base)) })
}

/// The fields that the families share, with the trunk and the embedder that they tell of; `None`: no
/// such model is built so.
pub(super) fn fields<'b>(
    model_type: &str,
    built: Built<'b>,
    attention: AttentionKind,
    placement: NormPlacement,
) -> Option<(Map<String, Value>, &'b TransformerConfig, &'b TokenEmbedderConfig)> {
    let t = built.transformer(placement, attention)?;
    let EmbedderConfig::Tokens(e) = built.embedder else { return None };
    let PositionConfig::Rotary(rotary) = t.positions else { return None };
    let whole = rotary.width.is_none() && rotary.pairing == RotaryPairing::Halves;
    if !whole || t.mlp_kind != MlpKind::Gated || e.position_table != PositionTable::Without {
        return None;
    }
    let scaling = match rotary.scaling {
        RotaryScaling::None => Value::Null,
        RotaryScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
        RotaryScaling::Llama3 { factor, low, high, original } => json!({
            "rope_type": "llama3", "factor": factor, "low_freq_factor": low,
            "high_freq_factor": high, "original_max_position_embeddings": original as i64,
        }),
    };
    let fields = json!({
        "model_type": model_type, "hidden_size": t.width, "intermediate_size": t.mlp,
        "num_hidden_layers": t.depth, "num_attention_heads": t.heads,
        "num_key_value_heads": t.kv_heads.unwrap_or(t.heads), "head_dim": t.head_width(),
        "hidden_act": activation(t.activation), "rms_norm_eps": t.eps,
        "attention_dropout": t.dropout, "vocab_size": e.vocabulary,
        "max_position_embeddings": e.positions, "rope_theta": rotary.base, "rope_scaling": scaling,
        "use_cache": false,
    });
    let Value::Object(mut fields) = fields else { return None };
    if let Some(local) = &t.local {
        let kind =
            |i| if local.blocks.contains(&i) { "sliding_attention" } else { "full_attention" };
        fields.insert("sliding_window".into(), json!(local.reach + 1));
        fields.insert("layer_types".into(), (0..t.depth).map(kind).collect());
    }
    Some((fields, t, e))
}
