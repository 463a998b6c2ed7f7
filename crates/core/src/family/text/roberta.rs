//! RoBERTa as transformers saves it (Liu et al. 2019): BERT with positions from 2 on and another
//! head.

use serde_json::json;

use super::bert::{BODY, BertConfig, fields};
use crate::family::family::{Class, Family, HeadKind, HuggingFace, uncounted_heads};
use crate::nn::{Activation, Pool};
use crate::weights::{KeyMap, same};

pub(in crate::family) const ROBERTA: Family = Family {
    name: "roberta",
    reads: "RoBERTa, XLM-R, CamemBERT (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| {
        matches!(config.model_type(), Some("roberta" | "xlm-roberta" | "camembert"))
    },
    from_config: |config, _| {
        let labels = config.labels()?;
        // Positions are counted from behind the padding token's.
        Ok(BertConfig::read(config)?.family(
            "roberta",
            config.pad_token()?.saturating_add(1),
            labels,
        ))
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "roberta",
    prefixes: &["roberta.", ""],
    body: BODY,
    head: &[same("head.dense", "classifier.dense"), same("head", "classifier.out_proj")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new(
        "RobertaForSequenceClassification",
        Pool::First,
        HeadKind::Dense(Activation::Tanh),
    )],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let (mut fields, e) = fields("roberta", built)?;
        if e.first_position < 1 {
            return None;
        }
        fields["pad_token_id"] = json!(e.first_position - 1);
        Some(fields)
    },
};
