//! RoBERTa as transformers saves it (Liu et al. 2019): BERT with positions from 2 on and another
//! head.

use super::bert::{BODY, BertConfig};
use super::family::{Family, uncounted_heads};
use crate::weights::{KeyMap, same};

pub(super) const ROBERTA: Family = Family {
    name: "roberta",
    key_map: KeyMap {
        name: "roberta",
        prefixes: &["roberta.", ""],
        body: BODY,
        head: &[same("head.dense", "classifier.dense"), same("head", "classifier.out_proj")],
    },
    matches_config: |config| {
        matches!(config.model_type(), Some("roberta" | "xlm-roberta" | "camembert"))
    },
    from_config: |config, _| {
        let labels = config.labels()?;
        // Positions are counted from behind the padding token's.
        Ok(BertConfig::read(config)?.family("roberta", config.pad_token()? + 1, labels))
    },
    from_tensors: uncounted_heads,
};
