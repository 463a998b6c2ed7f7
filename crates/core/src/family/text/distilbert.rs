//! DistilBERT as transformers saves it (Sanh et al. 2019): BERT's blocks under other names, without
//! segments.

use serde::Deserialize;
use serde_json::json;

use crate::family::defaults;
use crate::family::family::{
    Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::nn::{
    Activation, AttentionKind, Dense, EmbedderConfig, HeadConfig, NormPlacement, Pool,
    TokenEmbedderConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const DISTILBERT: Family = Family {
    name: "distilbert",
    reads: "DistilBERT (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("distilbert"),
    from_config: |config, _| {
        let c: DistilBertConfig = config.parse()?;
        let dense = Some(Dense { width: c.dim, activation: Activation::Relu });
        Ok(PretrainedConfig {
            name: "distilbert".into(),
            modality: "text".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: c.n_heads,
                mlp: c.hidden_dim,
                norm_placement: NormPlacement::Post,
                activation: config.activation("activation")?,
                attention: AttentionKind::Bidirectional,
                eps: EPS,
                dropout: c.dropout,
                ..TransformerConfig::of(c.dim, c.n_layers)
            }),
            embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
                segments: 0,
                eps: Some(EPS),
                dropout: c.dropout,
                ..TokenEmbedderConfig::of(c.vocab_size, c.max_position_embeddings)
            }),
            head: PretrainedHead {
                pool: Pool::First,
                config: HeadConfig { dense, ..HeadConfig::default() },
                labels: config.labels()?,
            },
        })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "distilbert",
    prefixes: &["distilbert.", ""],
    body: &[
        same("trunk.blocks.{}.attn.q", "transformer.layer.{}.attention.q_lin"),
        same("trunk.blocks.{}.attn.k", "transformer.layer.{}.attention.k_lin"),
        same("trunk.blocks.{}.attn.v", "transformer.layer.{}.attention.v_lin"),
        same("trunk.blocks.{}.attn.out", "transformer.layer.{}.attention.out_lin"),
        same("trunk.blocks.{}.norm1", "transformer.layer.{}.sa_layer_norm"),
        same("trunk.blocks.{}.mlp.up", "transformer.layer.{}.ffn.lin1"),
        same("trunk.blocks.{}.mlp.down", "transformer.layer.{}.ffn.lin2"),
        same("trunk.blocks.{}.norm2", "transformer.layer.{}.output_layer_norm"),
        same("embed.token", "embeddings.word_embeddings"),
        same("embed.position", "embeddings.position_embeddings"),
        same("embed.norm", "embeddings.LayerNorm"),
    ],
    head: &[same("head.dense", "pre_classifier"), same("head", "classifier")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(
            "DistilBertForSequenceClassification",
            Pool::First,
            HeadKind::Dense(Activation::Relu),
        ),
        Class::of_positions("DistilBertForTokenClassification", None),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let t = built.transformer(NormPlacement::Post, AttentionKind::Bidirectional)?;
        let EmbedderConfig::Tokens(e) = built.embedder else { return None };
        Some(json!({
            "model_type": "distilbert", "dim": t.width, "n_layers": t.depth, "n_heads": t.heads,
            "hidden_dim": t.mlp, "activation": activation(t.activation), "dropout": t.dropout,
            "attention_dropout": t.dropout, "vocab_size": e.vocabulary,
            "max_position_embeddings": e.positions,
        }))
    },
};

/// It is not in the file.
const EPS: f64 = 1e-12;

#[derive(Deserialize)]
struct DistilBertConfig {
    dim: i64,
    n_layers: usize,
    n_heads: i64,
    hidden_dim: i64,
    vocab_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "defaults::tenth")]
    dropout: f64,
}
