//! MPNet as transformers saves it (Song et al. 2020): BERT's blocks, with a bias of the scores by
//! buckets of distances.

use serde::Deserialize;
use serde_json::json;

use crate::family::defaults;
use crate::family::family::{
    Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::nn::{
    Activation, AttentionKind, BucketConfig, Dense, EmbedderConfig, HeadConfig, NormPlacement,
    Pool, PositionConfig, TokenEmbedderConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, same};

pub(in crate::family) const MPNET: Family = Family {
    name: "mpnet",
    reads: "MPNet (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("mpnet"),
    from_config: |config, _| {
        let c: MpNetConfig = config.parse()?;
        if c.relative_attention_num_buckets != BUCKETS.buckets {
            return Err(config.refuse(format!(
                "relative_attention_num_buckets is {}, expected {}",
                c.relative_attention_num_buckets, BUCKETS.buckets
            )));
        }
        let dense = Some(Dense { width: c.hidden_size, activation: Activation::Tanh });
        Ok(PretrainedConfig {
            name: "mpnet".into(),
            modality: "text".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: c.num_attention_heads,
                mlp: c.intermediate_size,
                norm_placement: NormPlacement::Post,
                activation: config.activation("hidden_act")?,
                attention: AttentionKind::Bidirectional,
                eps: c.layer_norm_eps,
                dropout: c.hidden_dropout_prob,
                positions: PositionConfig::Buckets(BUCKETS),
                ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
            }),
            embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
                first_position: FIRST_POSITION,
                segments: 0,
                eps: Some(c.layer_norm_eps),
                dropout: c.hidden_dropout_prob,
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

/// transformers computes with these, whatever the file says.
const BUCKETS: BucketConfig = BucketConfig { buckets: 32, max_distance: 128 };

/// Behind the row of the padding, which is always 1.
const FIRST_POSITION: i64 = 2;

const KEY_MAP: KeyMap = KeyMap {
    name: "mpnet",
    prefixes: &["mpnet.", ""],
    body: &[
        same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.attn.q"),
        same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.attn.k"),
        same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.attn.v"),
        same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.attn.o"),
        same("trunk.blocks.{}.norm1", "encoder.layer.{}.attention.LayerNorm"),
        same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
        same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
        same("trunk.blocks.{}.norm2", "encoder.layer.{}.output.LayerNorm"),
        same("trunk.shared.relative", "encoder.relative_attention_bias"),
        same("embed.token", "embeddings.word_embeddings"),
        same("embed.position", "embeddings.position_embeddings"),
        same("embed.norm", "embeddings.LayerNorm"),
    ],
    head: &[same("head.dense", "classifier.dense"), same("head", "classifier.out_proj")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(
            "MPNetForSequenceClassification",
            Pool::First,
            HeadKind::Dense(Activation::Tanh),
        ),
        Class::of_positions("MPNetForTokenClassification", Some(ONE_LAYER)),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let t = built.transformer(NormPlacement::Post, AttentionKind::Bidirectional)?;
        let EmbedderConfig::Tokens(e) = built.embedder else { return None };
        let same = (t.positions, e.first_position);
        if same != (PositionConfig::Buckets(BUCKETS), FIRST_POSITION) {
            return None;
        }
        Some(json!({
            "model_type": "mpnet", "hidden_size": t.width, "num_hidden_layers": t.depth,
            "num_attention_heads": t.heads, "intermediate_size": t.mlp,
            "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
            "hidden_dropout_prob": t.dropout, "attention_probs_dropout_prob": t.dropout,
            "vocab_size": e.vocabulary, "max_position_embeddings": e.positions,
            "relative_attention_num_buckets": BUCKETS.buckets, "pad_token_id": FIRST_POSITION - 1,
        }))
    },
};

/// The names of a head of one layer.
const ONE_LAYER: &[KeyRule] = &[same("head", "classifier")];

#[derive(Deserialize)]
struct MpNetConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    vocab_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_eps: f64,
    #[serde(default = "defaults::tenth")]
    hidden_dropout_prob: f64,
    #[serde(default = "buckets")]
    relative_attention_num_buckets: i64,
}

fn buckets() -> i64 {
    BUCKETS.buckets
}
