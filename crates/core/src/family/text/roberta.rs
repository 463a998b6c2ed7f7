//! RoBERTa, XLM-RoBERTa and CamemBERT as transformers saves them (Liu et al. 2019, Conneau et al.
//! 2020, Martin et al. 2020): BERT with positions from 2 on and another head.

use serde_json::{Value, json};

use super::bert::{BODY, BertConfig, fields};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, uncounted_heads,
};
use crate::nn::{Activation, Pool};
use crate::weights::{KeyMap, KeyRule, same};

pub(in crate::family) const ROBERTA: Family = Family {
    name: "roberta",
    reads: "RoBERTa (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("roberta"),
    from_config: |config, _| read(config, "roberta"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &[
            Class::new("RobertaForSequenceClassification", Pool::First, HEAD),
            Class::of_positions("RobertaForTokenClassification", Some(ONE_LAYER)),
        ],
        key_map: KEY_MAP,
        in_memory: &[],
        to_config: |built| config("roberta", built),
    }),
};

pub(in crate::family) const XLM_ROBERTA: Family = Family {
    name: "xlm-roberta",
    reads: "XLM-R (transformers)",
    key_map: KeyMap { name: "xlm-roberta", ..KEY_MAP },
    matches_config: |config| config.model_type() == Some("xlm-roberta"),
    from_config: |config, _| read(config, "xlm-roberta"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &[
            Class::new("XLMRobertaForSequenceClassification", Pool::First, HEAD),
            Class::of_positions("XLMRobertaForTokenClassification", Some(ONE_LAYER)),
        ],
        key_map: KeyMap { name: "xlm-roberta", ..KEY_MAP },
        in_memory: &[],
        to_config: |built| config("xlm-roberta", built),
    }),
};

pub(in crate::family) const CAMEMBERT: Family = Family {
    name: "camembert",
    reads: "CamemBERT (transformers)",
    key_map: KeyMap { name: "camembert", ..KEY_MAP },
    matches_config: |config| config.model_type() == Some("camembert"),
    from_config: |config, _| read(config, "camembert"),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &[
            Class::new("CamembertForSequenceClassification", Pool::First, HEAD),
            Class::of_positions("CamembertForTokenClassification", Some(ONE_LAYER)),
        ],
        key_map: KeyMap { name: "camembert", ..KEY_MAP },
        in_memory: &[],
        to_config: |built| config("camembert", built),
    }),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "roberta",
    prefixes: &["roberta.", ""],
    body: BODY,
    head: &[same("head.dense", "classifier.dense"), same("head", "classifier.out_proj")],
};

/// The names of a head of one layer.
pub(super) const ONE_LAYER: &[KeyRule] = &[same("head", "classifier")];

const HEAD: HeadKind = HeadKind::Dense(Activation::Tanh);

fn read(config: &Config, name: &str) -> Result<PretrainedConfig> {
    // Positions are counted from behind the padding token's.
    let first = config.pad_token()?.saturating_add(1);
    Ok(BertConfig::read(config)?.family(name, first, config.labels()?))
}

fn config(model_type: &str, built: Built<'_>) -> Option<Value> {
    let (mut fields, e) = fields(model_type, built)?;
    if e.first_position < 1 {
        return None;
    }
    fields["pad_token_id"] = json!(e.first_position - 1);
    Some(fields)
}
