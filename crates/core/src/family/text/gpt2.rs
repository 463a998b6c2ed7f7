//! GPT-2 as transformers saves it (Radford et al. 2019): every position attends to itself and those
//! before it; weights are stored transposed, and query, key and value in one.

use serde::Deserialize;
use serde_json::json;

use crate::family::defaults;
use crate::family::family::{
    Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::nn::{
    AttentionKind, Bias, EmbedderConfig, HeadConfig, NormPlacement, Pool, TokenEmbedderConfig,
    TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, TensorTransform, same, transformed};

pub(in crate::family) const GPT2: Family = Family {
    name: "gpt2",
    reads: "GPT-2 (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("gpt2"),
    from_config: |config, _| {
        let c: Gpt2Config = config.parse()?;
        if !c.scale_attn_weights || c.scale_attn_by_inverse_layer_idx {
            return Err(config.refuse("attention is scaled in an unusual way".into()));
        }
        Ok(PretrainedConfig {
            name: "gpt2".into(),
            modality: "text".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: c.n_head,
                mlp: c.n_inner.unwrap_or(c.n_embd.saturating_mul(4)),
                norm_placement: NormPlacement::Pre,
                activation: config.activation("activation_function")?,
                attention: AttentionKind::Causal,
                eps: c.layer_norm_epsilon,
                dropout: c.resid_pdrop,
                ..TransformerConfig::of(c.n_embd, c.n_layer)
            }),
            embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
                segments: 0,
                eps: None,
                dropout: c.embd_pdrop,
                ..TokenEmbedderConfig::of(c.vocab_size, c.n_positions)
            }),
            head: PretrainedHead {
                pool: Pool::Last,
                config: HeadConfig { bias: Bias::Without, ..HeadConfig::default() },
                labels: config.labels()?,
            },
        })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "gpt2",
    prefixes: &["transformer.", ""],
    body: &[
        transformed(
            "trunk.blocks.{}.attn.q",
            "h.{}.attn.c_attn",
            TensorTransform::TransposedSlice(0, 3),
        ),
        transformed(
            "trunk.blocks.{}.attn.k",
            "h.{}.attn.c_attn",
            TensorTransform::TransposedSlice(1, 3),
        ),
        transformed(
            "trunk.blocks.{}.attn.v",
            "h.{}.attn.c_attn",
            TensorTransform::TransposedSlice(2, 3),
        ),
        transformed("trunk.blocks.{}.attn.out", "h.{}.attn.c_proj", TensorTransform::Transposed),
        same("trunk.blocks.{}.norm1", "h.{}.ln_1"),
        transformed("trunk.blocks.{}.mlp.up", "h.{}.mlp.c_fc", TensorTransform::Transposed),
        transformed("trunk.blocks.{}.mlp.down", "h.{}.mlp.c_proj", TensorTransform::Transposed),
        same("trunk.blocks.{}.norm2", "h.{}.ln_2"),
        same("trunk.norm", "ln_f"),
        same("embed.token", "wte"),
        same("embed.position", "wpe"),
    ],
    head: &[same("head", "score")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new("GPT2ForSequenceClassification", Pool::Last, HeadKind::Unbiased),
        Class::of_positions("GPT2ForTokenClassification", Some(&[same("head", "classifier")])),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let t = built.transformer(NormPlacement::Pre, AttentionKind::Causal)?;
        let EmbedderConfig::Tokens(e) = built.embedder else { return None };
        Some(json!({
            "model_type": "gpt2", "n_embd": t.width, "n_layer": t.depth, "n_head": t.heads,
            "n_inner": t.mlp, "activation_function": activation(t.activation),
            "layer_norm_epsilon": t.eps, "resid_pdrop": t.dropout, "attn_pdrop": t.dropout,
            "embd_pdrop": e.dropout, "vocab_size": e.vocabulary, "n_positions": e.positions,
        }))
    },
};

#[derive(Deserialize)]
struct Gpt2Config {
    n_embd: i64,
    n_layer: usize,
    n_head: i64,
    n_inner: Option<i64>,
    vocab_size: i64,
    #[serde(alias = "n_ctx")]
    n_positions: i64,
    #[serde(default = "defaults::usual_eps")]
    layer_norm_epsilon: f64,
    #[serde(default = "defaults::tenth")]
    resid_pdrop: f64,
    #[serde(default = "defaults::tenth")]
    embd_pdrop: f64,
    #[serde(default = "defaults::yes")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
}
