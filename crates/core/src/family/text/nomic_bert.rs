//! NomicBERT (Nussbaum et al. 2024): BERT without biases and without learned positions, with rotary
//! ones and SwiGLU. Its publisher's code and transformers 5 save the same names, but another
//! `config.json`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::nn::{
    Activation, AttentionBiases, AttentionKind, Bias, Dense, EmbedderConfig, HeadConfig, MlpKind,
    NormPlacement, Pool, PositionConfig, PositionTable, RotaryConfig, TokenEmbedderConfig,
    TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, TensorTransform, same, transformed};

pub(in crate::family) const NOMIC_BERT: Family = Family {
    name: "nomic-bert",
    reads: "NomicBERT (nomic-ai's own)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("nomic_bert"),
    from_config: |config, _| read(config),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "nomic-bert",
    prefixes: &["nomic_bert.", "bert.", ""],
    body: &[
        transformed("trunk.blocks.{}.attn.q", FUSED, TensorTransform::Slice(0, 3)),
        transformed("trunk.blocks.{}.attn.k", FUSED, TensorTransform::Slice(1, 3)),
        transformed("trunk.blocks.{}.attn.v", FUSED, TensorTransform::Slice(2, 3)),
        same("trunk.blocks.{}.attn.out", "encoder.layers.{}.attn.out_proj"),
        same("trunk.blocks.{}.norm1", "encoder.layers.{}.norm1"),
        same("trunk.blocks.{}.mlp.up", "encoder.layers.{}.mlp.fc11"),
        same("trunk.blocks.{}.mlp.gate", "encoder.layers.{}.mlp.fc12"),
        same("trunk.blocks.{}.mlp.down", "encoder.layers.{}.mlp.fc2"),
        same("trunk.blocks.{}.norm2", "encoder.layers.{}.norm2"),
        same("embed.token", "embeddings.word_embeddings"),
        same("embed.segment", "embeddings.token_type_embeddings"),
        same("embed.norm", "emb_ln"),
    ],
    head: &[
        same("head.dense", "nomic_bert.pooler.dense"),
        same("head.dense", "bert.pooler.dense"),
        same("head.dense", "pooler.dense"),
        same("head", "classifier"),
    ],
};

const FUSED: &str = "encoder.layers.{}.attn.Wqkv";

const IN_MEMORY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "layers.{}.self_attn.q_proj"),
    same("trunk.blocks.{}.attn.k", "layers.{}.self_attn.k_proj"),
    same("trunk.blocks.{}.attn.v", "layers.{}.self_attn.v_proj"),
    same("trunk.blocks.{}.attn.out", "layers.{}.self_attn.o_proj"),
    same("trunk.blocks.{}.mlp.up", "layers.{}.mlp.up_proj"),
    same("trunk.blocks.{}.mlp.gate", "layers.{}.mlp.gate_proj"),
    same("trunk.blocks.{}.mlp.down", "layers.{}.mlp.down_proj"),
];

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(
            "NomicBertForSequenceClassification",
            Pool::First,
            HeadKind::Dense(Activation::Tanh),
        ),
        Class::of_positions("NomicBertForTokenClassification", None),
    ],
    key_map: KEY_MAP,
    in_memory: IN_MEMORY,
    to_config: |built| {
        let t = built.transformer(NormPlacement::Post, AttentionKind::Bidirectional)?;
        let EmbedderConfig::Tokens(e) = built.embedder else { return None };
        let PositionConfig::Rotary(rotary) = t.positions else { return None };
        if (t.biases, t.mlp_bias) != (BIASES, Bias::Without) || rotary.width.is_some() {
            return None;
        }
        Some(json!({
            "model_type": "nomic_bert", "hidden_size": t.width, "num_hidden_layers": t.depth,
            "num_attention_heads": t.heads, "intermediate_size": t.mlp,
            "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
            "hidden_dropout_prob": t.dropout, "attention_probs_dropout_prob": t.dropout,
            "vocab_size": e.vocabulary, "max_position_embeddings": e.positions,
            "type_vocab_size": e.segments,
            "rope_parameters": {"rope_type": "default", "rope_theta": rotary.base},
        }))
    },
};

const BIASES: AttentionBiases =
    AttentionBiases { q: Bias::Without, k: Bias::Without, v: Bias::Without, out: Bias::Without };

/// What both write alike, and what one of them leaves out.
#[derive(Deserialize)]
struct NomicBertConfig {
    vocab_size: i64,
    /// The publisher's code makes the vocabulary a multiple of it.
    #[serde(default = "one")]
    pad_vocab_size_multiple: i64,
    #[serde(default = "two")]
    type_vocab_size: i64,
    rope_parameters: Option<Rotary>,
    rotary_emb_base: Option<f64>,
    rotary_scaling_factor: Option<f64>,
    max_trained_positions: Option<i64>,
}

/// As transformers writes it.
#[derive(Deserialize)]
struct Size {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    head_dim: Option<i64>,
    intermediate_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    hidden_dropout_prob: f64,
}

/// As the publisher's code writes it.
#[derive(Deserialize)]
struct PublishersSize {
    n_embd: i64,
    n_layer: usize,
    n_head: i64,
    n_inner: Option<i64>,
    n_positions: i64,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_epsilon: f64,
    #[serde(default)]
    resid_pdrop: f64,
}

impl From<PublishersSize> for Size {
    fn from(c: PublishersSize) -> Self {
        Self {
            hidden_size: c.n_embd,
            num_hidden_layers: c.n_layer,
            num_attention_heads: c.n_head,
            head_dim: None,
            intermediate_size: c.n_inner.unwrap_or(c.n_embd.saturating_mul(4)),
            max_position_embeddings: c.n_positions,
            layer_norm_eps: c.layer_norm_epsilon,
            hidden_dropout_prob: c.resid_pdrop,
        }
    }
}

#[derive(Deserialize)]
struct Rotary {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
}

fn one() -> i64 {
    1
}

fn two() -> i64 {
    2
}

/// What the publisher's code can do beside, and none of its published encoders of text does.
const EXPECTED: [(&str, Value); 12] = [
    ("prenorm", Value::Bool(false)),
    ("causal", Value::Bool(false)),
    ("parallel_block", Value::Bool(false)),
    ("use_rms_norm", Value::Bool(false)),
    ("qkv_proj_bias", Value::Bool(false)),
    ("mlp_fc1_bias", Value::Bool(false)),
    ("mlp_fc2_bias", Value::Bool(false)),
    ("rotary_emb_interleaved", Value::Bool(false)),
    ("rotary_emb_scale_base", Value::Null),
    ("scale_attn_by_inverse_layer_idx", Value::Bool(false)),
    ("moe_every_n_layers", Value::Null),
    ("num_experts", Value::Null),
];

fn read(config: &Config) -> Result<PretrainedConfig> {
    let c: NomicBertConfig = config.parse()?;
    let size: Size = match config.field("n_embd") {
        Value::Null => config.parse()?,
        _ => config.parse::<PublishersSize>()?.into(),
    };
    for (name, expected) in EXPECTED {
        let found = config.field(name);
        if !found.is_null() && *found != expected && *found != json!(0) {
            return Err(config.refuse(format!("{name} is {found}, expected {expected}")));
        }
    }
    if config.field("rotary_emb_fraction").as_f64().is_some_and(|fraction| fraction != 1.) {
        let found = config.field("rotary_emb_fraction");
        return Err(config.refuse(format!("rotary_emb_fraction is {found}, expected 1.0")));
    }
    let rotary = c.rope_parameters.as_ref();
    let kind = rotary.and_then(|rotary| rotary.rope_type.as_deref()).unwrap_or("default");
    if kind != "default" {
        return Err(config.refuse(format!("rope_type is {kind:?}, expected default")));
    }
    let base = rotary.and_then(|rotary| rotary.rope_theta).or(c.rotary_emb_base).unwrap_or(1000.);
    let activation = match config.field("activation_function").as_str() {
        None if config.field("hidden_act").is_null() => Activation::Silu,
        None => config.activation("hidden_act")?,
        Some("swiglu") => Activation::Silu,
        Some(other) => {
            let problem = format!("activation_function is {other:?}, expected swiglu");
            return Err(config.refuse(problem));
        }
    };
    // Beyond what it was trained on, the publisher's code changes the frequencies by the length.
    let trained = c.max_trained_positions.filter(|_| c.rotary_scaling_factor.is_some());
    let longest =
        trained.map_or(size.max_position_embeddings, |n| n.min(size.max_position_embeddings));
    let padded = c.pad_vocab_size_multiple.max(1);
    let vocabulary = c.vocab_size.saturating_add(padded - 1) / padded * padded;
    let dense = Some(Dense { width: size.hidden_size, activation: Activation::Tanh });
    Ok(PretrainedConfig {
        name: "nomic-bert".into(),
        modality: "text".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            heads: size.num_attention_heads,
            head_width: size.head_dim,
            mlp: size.intermediate_size,
            norm_placement: NormPlacement::Post,
            activation,
            mlp_kind: MlpKind::Gated,
            mlp_bias: Bias::Without,
            attention: AttentionKind::Bidirectional,
            biases: BIASES,
            eps: size.layer_norm_eps,
            dropout: size.hidden_dropout_prob,
            positions: PositionConfig::Rotary(RotaryConfig::of(base)),
            ..TransformerConfig::of(size.hidden_size, size.num_hidden_layers)
        }),
        embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
            segments: c.type_vocab_size,
            eps: Some(size.layer_norm_eps),
            dropout: size.hidden_dropout_prob,
            position_table: PositionTable::Without,
            ..TokenEmbedderConfig::of(vocabulary, longest)
        }),
        head: PretrainedHead {
            pool: Pool::First,
            config: HeadConfig { dense, ..HeadConfig::default() },
            labels: config.labels()?,
        },
    })
}
