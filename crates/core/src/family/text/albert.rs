//! ALBERT as transformers saves it (Lan et al. 2020): narrower embeddings, and one block that is
//! repeated.

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
    Activation, AttentionKind, Dense, EmbedderConfig, HeadConfig, NormPlacement, Pool,
    TokenEmbedderConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const ALBERT: Family = Family {
    name: "albert",
    reads: "ALBERT (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("albert"),
    from_config: |config, _| read(config),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "albert",
    prefixes: &["albert.", ""],
    body: &[
        same(
            "trunk.blocks.{}.attn.q",
            "encoder.albert_layer_groups.{}.albert_layers.0.attention.query",
        ),
        same(
            "trunk.blocks.{}.attn.k",
            "encoder.albert_layer_groups.{}.albert_layers.0.attention.key",
        ),
        same(
            "trunk.blocks.{}.attn.v",
            "encoder.albert_layer_groups.{}.albert_layers.0.attention.value",
        ),
        same(
            "trunk.blocks.{}.attn.out",
            "encoder.albert_layer_groups.{}.albert_layers.0.attention.dense",
        ),
        same(
            "trunk.blocks.{}.norm1",
            "encoder.albert_layer_groups.{}.albert_layers.0.attention.LayerNorm",
        ),
        same("trunk.blocks.{}.mlp.up", "encoder.albert_layer_groups.{}.albert_layers.0.ffn"),
        same(
            "trunk.blocks.{}.mlp.down",
            "encoder.albert_layer_groups.{}.albert_layers.0.ffn_output",
        ),
        same(
            "trunk.blocks.{}.norm2",
            "encoder.albert_layer_groups.{}.albert_layers.0.full_layer_layer_norm",
        ),
        same("embed.token", "embeddings.word_embeddings"),
        same("embed.position", "embeddings.position_embeddings"),
        same("embed.segment", "embeddings.token_type_embeddings"),
        same("embed.norm", "embeddings.LayerNorm"),
        same("embed.project", "encoder.embedding_hidden_mapping_in"),
    ],
    head: &[
        same("head.dense", "albert.pooler"),
        same("head.dense", "pooler"),
        same("head", "classifier"),
    ],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(
            "AlbertForSequenceClassification",
            Pool::First,
            HeadKind::Dense(Activation::Tanh),
        ),
        Class::of_positions("AlbertForTokenClassification", None),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let t = built.transformer(NormPlacement::Post, AttentionKind::Bidirectional)?;
        let EmbedderConfig::Tokens(e) = built.embedder else { return None };
        Some(json!({
            "model_type": "albert", "hidden_size": t.width, "embedding_size": e.embedding_width?,
            "num_hidden_layers": t.depth, "num_hidden_groups": t.distinct(), "inner_group_num": 1,
            "num_attention_heads": t.heads, "intermediate_size": t.mlp,
            "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
            "hidden_dropout_prob": t.dropout, "attention_probs_dropout_prob": t.dropout,
            "vocab_size": e.vocabulary, "max_position_embeddings": e.positions,
            "type_vocab_size": e.segments,
        }))
    },
};

#[derive(Deserialize)]
struct AlbertConfig {
    hidden_size: i64,
    embedding_size: i64,
    num_hidden_layers: usize,
    #[serde(default = "one")]
    num_hidden_groups: usize,
    #[serde(default = "one")]
    inner_group_num: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    vocab_size: i64,
    max_position_embeddings: i64,
    type_vocab_size: i64,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    hidden_dropout_prob: f64,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn one() -> usize {
    1
}

fn absolute() -> String {
    "absolute".into()
}

fn read(config: &Config) -> Result<PretrainedConfig> {
    let c: AlbertConfig = config.parse()?;
    if c.inner_group_num != 1 {
        let problem = format!("inner_group_num is {}, expected 1", c.inner_group_num);
        return Err(config.refuse(problem));
    }
    if c.position_embedding_type != "absolute" {
        let found = c.position_embedding_type;
        return Err(
            config.refuse(format!("position_embedding_type is {found:?}, expected absolute"))
        );
    }
    let dense = Some(Dense { width: c.hidden_size, activation: Activation::Tanh });
    Ok(PretrainedConfig {
        name: "albert".into(),
        modality: "text".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            heads: c.num_attention_heads,
            mlp: c.intermediate_size,
            norm_placement: NormPlacement::Post,
            activation: match config.field("hidden_act") {
                Value::Null => Activation::GeluTanh,
                _ => config.activation("hidden_act")?,
            },
            attention: AttentionKind::Bidirectional,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout_prob,
            distinct: Some(c.num_hidden_groups),
            ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
        }),
        embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
            segments: c.type_vocab_size,
            eps: Some(c.layer_norm_eps),
            dropout: c.hidden_dropout_prob,
            embedding_width: Some(c.embedding_size),
            ..TokenEmbedderConfig::of(c.vocab_size, c.max_position_embeddings)
        }),
        head: PretrainedHead {
            pool: Pool::First,
            config: HeadConfig { dense, ..HeadConfig::default() },
            labels: config.labels()?,
        },
    })
}
