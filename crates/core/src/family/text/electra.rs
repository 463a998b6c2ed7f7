//! ELECTRA as transformers saves it (Clark et al. 2020): BERT's blocks on narrower embeddings, and
//! another head.

use serde::Deserialize;
use serde_json::json;

use super::bert::{BertConfig, fields};
use crate::family::family::{Class, Family, HeadKind, HuggingFace, uncounted_heads};
use crate::nn::{Activation, Dense, EmbedderConfig, EmbeddingProjection, Pool};
use crate::weights::{KeyMap, KeyRule, same};

pub(in crate::family) const ELECTRA: Family = Family {
    name: "electra",
    reads: "ELECTRA (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("electra"),
    from_config: |config, _| {
        let Factorised { embedding_size } = config.parse()?;
        let bert = BertConfig::read(config)?;
        let width = bert.width();
        let mut model = bert.family("electra", 0, config.labels()?);
        if let EmbedderConfig::Tokens(tokens) = &mut model.embedder {
            tokens.embedding_width = (embedding_size != width).then_some(embedding_size);
        }
        model.head.config.dense = Some(Dense { width, activation: Activation::Gelu });
        Ok(model)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "electra",
    prefixes: &["electra.", ""],
    body: &[
        same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.self.query"),
        same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.self.key"),
        same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.self.value"),
        same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
        same("trunk.blocks.{}.norm1", "encoder.layer.{}.attention.output.LayerNorm"),
        same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
        same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
        same("trunk.blocks.{}.norm2", "encoder.layer.{}.output.LayerNorm"),
        same("embed.token", "embeddings.word_embeddings"),
        same("embed.position", "embeddings.position_embeddings"),
        same("embed.segment", "embeddings.token_type_embeddings"),
        same("embed.norm", "embeddings.LayerNorm"),
        same("embed.project", "embeddings_project"),
    ],
    head: &[same("head.dense", "classifier.dense"), same("head", "classifier.out_proj")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(
            "ElectraForSequenceClassification",
            Pool::First,
            HeadKind::Dense(Activation::Gelu),
        ),
        Class::of_positions("ElectraForTokenClassification", Some(ONE_LAYER)),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let (mut fields, tokens) = fields("electra", built)?;
        if tokens.first_position != 0 || tokens.projection != EmbeddingProjection::BehindNorm {
            return None;
        }
        let width = fields["hidden_size"].clone();
        fields["embedding_size"] = tokens.embedding_width.map_or(width, |width| json!(width));
        Some(fields)
    },
};

/// The names of a head of one layer.
const ONE_LAYER: &[KeyRule] = &[same("head", "classifier")];

#[derive(Deserialize)]
struct Factorised {
    #[serde(default = "narrow")]
    embedding_size: i64,
}

fn narrow() -> i64 {
    128
}
