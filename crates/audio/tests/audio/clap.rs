//! CLAP's tower for sound, from recordings on. `xtask/scripts/fixtures/clap_models.py` made the files.

use std::fs;

use crosstune_audio::{AudioOptions, Filling};
use crosstune_core::{Batch, Modality, Pretrained};
use tch::Tensor;

use crate::{
    adopt::{adopt, digit, tunes},
    families::{WITHIN, frames},
    fixture,
};

fn furthest(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.size(), want.size());
    (got - want).abs().max().double_value(&[])
}

#[test]
fn the_tower_of_a_whole_model_and_one_that_fuses_pieces() {
    for (name, others) in [
        ("tiny-clap", &["text_", "audio_projection.", "logit_scale_"][..]),
        ("tiny-clap-fused", &["audio_projection.", "audio_model.audio_encoder.patch_embed."]),
    ] {
        let model = frames(name, name);
        let batch = Batch { x: model.want("frames"), attention_mask: None };
        let far = furthest(&model.encoder.forward(&batch, false), &model.want("pooled"));
        assert!(far < WITHIN, "{name}: pooled differs by {far:e}");
        let computed = ["relative_position_index", "num_batches_tracked"];
        let unexpected = |name: &&String| {
            !others.iter().any(|start| name.starts_with(start))
                && !computed.iter().any(|end| name.ends_with(end))
        };
        assert_eq!(model.report.unused.iter().find(unexpected), None);
    }
}

#[test]
fn a_recording_is_heard_as_transformers_hears_it() {
    for name in ["tiny-clap", "tiny-clap-fused"] {
        let (audio, _) = adopt(name, AudioOptions::default());
        let sample = audio.read(&digit("0_gb-f4_0.wav")).unwrap();
        let model = frames(name, name);
        // Decibels, of which transformers rounds the powers.
        let far = furthest(&sample, &model.want("recorded"));
        assert!(far < 1e-4, "{name}: frames differ by {far:e}");
        let pooled = model.encoder.forward(&audio.batch(&[&sample]), false);
        let far = furthest(&pooled.get(0), &model.want("recorded.pooled"));
        assert!(far < 1e-5, "{name}: pooled differs by {far:e}");
    }
}

#[test]
fn it_is_tuned_saved_and_opened() {
    assert_eq!(tunes("tiny-clap", AudioOptions::default()), [2, 101, 8]);
    let shorter = AudioOptions { frames: Some(41), ..AudioOptions::default() };
    assert_eq!(tunes("tiny-clap-fused", shorter), [2, 41, 8]);
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let config = fs::read_to_string(fixture("tiny-clap-fused").join("config.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for file in ["model.safetensors", "preprocessor_config.json"] {
        fs::copy(fixture("tiny-clap-fused").join(file), folder.path().join(file)).unwrap();
    }
    for (from, to, said) in [
        ("\"fusion_type\": null", "\"fusion_type\": \"channel_map\"", "fusion_type is channel_map"),
        ("\"num_mel_bins\": 8", "\"num_mel_bins\": 7", "num_mel_bins does not divide spec_size"),
        ("\"num_mel_bins\": 8", "\"num_mel_bins\": 0", "num_mel_bins does not divide spec_size"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"relu\"", "hidden_act is not gelu"),
    ] {
        let changed = config.replace(from, to);
        assert_ne!(changed, config, "{from}");
        fs::write(folder.path().join("config.json"), changed).unwrap();
        let error = Pretrained::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(serde_json::to_value(Filling::RepeatPad).unwrap(), "repeatpad");
}
