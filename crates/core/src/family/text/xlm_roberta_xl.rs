//! XLM-RoBERTa XL and XXL as transformers saves them (Goyal et al. 2021): RoBERTa with norms ahead of
//! attention and MLP, and none behind the embeddings.

use serde_json::json;

use super::bert::BertConfig;
use super::roberta::ONE_LAYER;
use crate::family::family::{Class, Family, HeadKind, HuggingFace, activation, uncounted_heads};
use crate::nn::{Activation, AttentionKind, EmbedderConfig, NormPlacement, Pool, TrunkConfig};
use crate::weights::{KeyMap, same};

pub(in crate::family) const XLM_ROBERTA_XL: Family = Family {
    name: "xlm-roberta-xl",
    reads: "XLM-R XL and XXL (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("xlm-roberta-xl"),
    from_config: |config, _| {
        let first = config.pad_token()?.saturating_add(1);
        let bert = BertConfig::read(config)?;
        let mut model = bert.family("xlm-roberta-xl", first, config.labels()?);
        if let TrunkConfig::Transformer(t) = &mut model.trunk {
            t.norm_placement = NormPlacement::Pre;
        }
        if let EmbedderConfig::Tokens(e) = &mut model.embedder {
            e.eps = None;
        }
        Ok(model)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "xlm-roberta-xl",
    prefixes: &["roberta.", ""],
    body: &[
        same("trunk.blocks.{}.norm1", "encoder.layer.{}.attention.self_attn_layer_norm"),
        same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.self.query"),
        same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.self.key"),
        same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.self.value"),
        same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
        same("trunk.blocks.{}.norm2", "encoder.layer.{}.LayerNorm"),
        same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
        same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
        same("trunk.norm", "encoder.LayerNorm"),
        same("embed.token", "embeddings.word_embeddings"),
        same("embed.position", "embeddings.position_embeddings"),
        same("embed.segment", "embeddings.token_type_embeddings"),
    ],
    head: &[same("head.dense", "classifier.dense"), same("head", "classifier.out_proj")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(
            "XLMRobertaXLForSequenceClassification",
            Pool::First,
            HeadKind::Dense(Activation::Tanh),
        ),
        Class::of_positions("XLMRobertaXLForTokenClassification", Some(ONE_LAYER)),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let t = built.transformer(NormPlacement::Pre, AttentionKind::Bidirectional)?;
        let EmbedderConfig::Tokens(e) = built.embedder else { return None };
        let padding = Some(e.first_position - 1).filter(|padding| *padding >= 0)?;
        Some(json!({
            "model_type": "xlm-roberta-xl", "hidden_size": t.width, "num_hidden_layers": t.depth,
            "num_attention_heads": t.heads, "intermediate_size": t.mlp,
            "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
            "hidden_dropout_prob": t.dropout, "attention_probs_dropout_prob": t.dropout,
            "vocab_size": e.vocabulary, "max_position_embeddings": e.positions,
            "type_vocab_size": e.segments, "pad_token_id": padding,
        }))
    },
};
