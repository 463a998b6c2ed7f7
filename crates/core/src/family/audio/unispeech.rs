//! UniSpeech (Wang et al. 2021) and UniSpeech-SAT (Chen et al. 2021) as transformers saves them: built as
//! wav2vec 2.0.

use super::wav2vec2::{BODY, HEAD, classes, fields, read, untold};
use crate::family::family::{Family, HuggingFace};
use crate::weights::KeyMap;

pub(in crate::family) const UNISPEECH: Family = Family {
    name: "unispeech",
    reads: "UniSpeech (transformers)",
    key_map: UNISPEECH_NAMES,
    matches_config: |config| config.model_type() == Some("unispeech"),
    from_config: |config, _| read(config, "unispeech"),
    from_tensors: untold,
    hugging_face: Some(&HuggingFace {
        classes: &classes("UniSpeechForSequenceClassification", "UniSpeechForCTC"),
        key_map: UNISPEECH_NAMES,
        in_memory: &[],
        to_config: |built| fields("unispeech", built),
    }),
};

const UNISPEECH_NAMES: KeyMap =
    KeyMap { name: "unispeech", prefixes: &["unispeech.", ""], body: BODY, head: HEAD };

pub(in crate::family) const UNISPEECH_SAT: Family = Family {
    name: "unispeech-sat",
    reads: "UniSpeech-SAT (transformers)",
    key_map: UNISPEECH_SAT_NAMES,
    matches_config: |config| config.model_type() == Some("unispeech-sat"),
    from_config: |config, _| read(config, "unispeech-sat"),
    from_tensors: untold,
    hugging_face: Some(&HuggingFace {
        classes: &classes("UniSpeechSatForSequenceClassification", "UniSpeechSatForCTC"),
        key_map: UNISPEECH_SAT_NAMES,
        in_memory: &[],
        to_config: |built| fields("unispeech-sat", built),
    }),
};

const UNISPEECH_SAT_NAMES: KeyMap =
    KeyMap { name: "unispeech-sat", prefixes: &["unispeech_sat.", ""], body: BODY, head: HEAD };
