//! data2vec (Baevski et al. 2022) for sound as transformers saves it: wav2vec 2.0 with several
//! convolutions for the positions.

use super::wav2vec2::{BODY, HEAD, classes, fields, read, untold};
use crate::family::family::{Family, HuggingFace};
use crate::nn::{EmbedderConfig, WaveformNorm, WaveformPositions};
use crate::weights::{KeyMap, KeyRule, joined, same};

pub(in crate::family) const DATA2VEC_AUDIO: Family = Family {
    name: "data2vec-audio",
    reads: "data2vec-audio (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("data2vec-audio"),
    from_config: |config, _| {
        let mut model = read(config, "data2vec-audio")?;
        let EmbedderConfig::Waveform(embedder) = &mut model.embedder else { return Ok(model) };
        if !matches!(embedder.positions, WaveformPositions::Convolutions(_)) {
            return Err(config.refuse("conv_pos_kernel_size is missing".into()));
        }
        // It has no other, and no field for it.
        embedder.norm = WaveformNorm::Layer;
        Ok(model)
    },
    from_tensors: untold,
    hugging_face: Some(&HuggingFace {
        classes: &classes("Data2VecAudioForSequenceClassification", "Data2VecAudioForCTC"),
        key_map: KEY_MAP,
        in_memory: &[],
        to_config: |built| fields("data2vec-audio", built),
    }),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "data2vec-audio",
    prefixes: &["data2vec_audio.", ""],
    body: &joined::<{ OWN.len() + BODY.len() }>(OWN, BODY),
    head: HEAD,
};

const OWN: &[KeyRule] = &[same("embed.positions.{}", "encoder.pos_conv_embed.layers.{}.conv")];
