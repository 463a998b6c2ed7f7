//! The kin of wav2vec 2.0 and heads over all layers, as transformers computes them.
//! `xtask/scripts/fixtures/speech_models.py` made the files.

use crosstune_audio::{AudioSettings, BandLevel, KaldiConfig, KaldiMel, SampleRange};
use crosstune_core::{Batch, Device, Modality, Model, Origin, Pool, Pretrained};
use tch::{Kind, Tensor};

use crate::families::{NONE, Rebuilt, alone, waveforms};
use crate::{computed_in, fixture};

#[test]
fn a_wavlm() {
    assert_eq!(waveforms("tiny-wavlm", "tiny-wavlm"), NONE);
    assert_eq!(waveforms("tiny-wavlm-large", "tiny-wavlm-large"), NONE);
}

#[test]
fn a_unispeech_and_a_unispeech_sat() {
    assert_eq!(waveforms("tiny-unispeech", "tiny-unispeech"), NONE);
    assert_eq!(waveforms("tiny-unispeech-sat", "tiny-unispeech-sat"), NONE);
}

#[test]
fn a_data2vec_of_sound() {
    assert_eq!(waveforms("tiny-data2vec-audio", "tiny-data2vec-audio"), NONE);
}

#[test]
fn a_hubert_with_a_batch_norm() {
    let counts = ["hubert.encoder.pos_conv_embed.batch_norm.num_batches_tracked"];
    assert_eq!(waveforms("tiny-hubert-batch-norm", "tiny-hubert-batch-norm"), counts);
}

#[test]
fn a_wav2vec2_that_sums_its_layers() {
    assert_eq!(waveforms("tiny-wav2vec2-weighted", "tiny-wav2vec2-weighted"), NONE);
    let pool = |file| Pretrained::open(fixture(file)).unwrap().config().head.pool;
    assert_eq!(pool("tiny-wav2vec2-weighted"), Pool::WeightedLayers);
    // The last block's output is not normalised there.
    assert_eq!(pool("tiny-wavlm-large"), Pool::WeightedBlocks);
}

#[test]
fn a_wav2vec2_conformer() {
    for name in ["tiny-wav2vec2-conformer", "tiny-wav2vec2-conformer-rotary"] {
        // It has a convolution for positions that it does not compute with.
        let unread = |name: &&String| {
            !["pos_conv_embed", "num_batches_tracked", "inv_freq"].iter().any(|n| name.contains(n))
        };
        assert_eq!(waveforms(name, name).iter().find(unread), None);
    }
}

#[test]
fn a_wav2vec2_bert() {
    assert_eq!(alone("tiny-wav2vec2-bert", "tiny-wav2vec2-bert", "frames"), NONE);
}

#[test]
fn a_recording_as_wav2vec2_bert_hears_it() {
    let model = Rebuilt::new("tiny-wav2vec2-bert", "tiny-wav2vec2-bert");
    let (range, level) = (SampleRange::Integer, BandLevel::Normalised);
    let config = KaldiConfig { bands: 6, range, level, ..KaldiConfig::new(16_000) };
    let wave = computed_in("recorded.safetensors", "wave_16k");
    let frames = KaldiMel::new(config).unwrap().compute(&wave);
    let x = Tensor::from_slice(&frames).view([1, -1, 6]);
    // Of 23 frames; the last half of a position is zeros there, and masked.
    let stacked = x.narrow(1, 0, 22).reshape([1, 11, 12]);
    let far = (stacked - model.want("recording.features").narrow(1, 0, 11)).abs().max();
    assert!(far.double_value(&[]) < 1e-4, "{far:?}");
    let logits = tch::no_grad(|| {
        model
            .head
            .as_ref()
            .unwrap()
            .forward(&model.encoder.forward(&Batch { x, attention_mask: None }, false))
    });
    let probabilities = |x: &Tensor| x.softmax(-1, Kind::Float);
    let far = probabilities(&logits) - probabilities(&model.want("recording.logits"));
    assert!(far.abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn what_is_not_built_is_refused_by_the_name_of_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    for (file, field, value, says) in [
        ("tiny-wavlm", "add_adapter", "true", "add_adapter: an adapter is not supported"),
        ("tiny-wav2vec2", "adapter_attn_dim", "16", "adapter_attn_dim: adapters"),
        ("tiny-wavlm", "num_buckets", "-1", "-1 buckets"),
        ("tiny-wavlm", "max_bucket_distance", "1", "8 buckets of distances up to 1"),
        ("tiny-data2vec-audio", "conv_pos_kernel_size", "null", "conv_pos_kernel_size is missing"),
        ("tiny-data2vec-audio", "conv_pos_kernel_size", "0", "a size below 1"),
        (
            "tiny-wav2vec2-conformer",
            "conv_depthwise_kernel_size",
            "4",
            "must be at least 1, and odd",
        ),
        ("tiny-wav2vec2-conformer", "layer_norm_eps", "1e-6", "layer_norm_eps is 0.000001"),
        ("tiny-wav2vec2-conformer", "position_embeddings_type", "\"alibi\"", "\"alibi\""),
        ("tiny-wav2vec2-conformer-rotary", "rotary_embedding_base", "0", "must be above 0"),
        ("tiny-wav2vec2-bert", "feature_projection_input_dim", "13", "is 13, expected"),
        ("tiny-wav2vec2-bert", "add_adapter", "true", "add_adapter"),
        ("tiny-wav2vec2-bert", "left_max_position_embeddings", "-3", "up to -3 behind"),
        ("tiny-wav2vec2-bert", "use_intermediate_ffn_before_adapter", "true", "is not supported"),
    ] {
        let config = std::fs::read_to_string(fixture(file).join("config.json")).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
        config[field] = serde_json::from_str(value).unwrap();
        std::fs::write(&path, config.to_string()).unwrap();
        let built = Pretrained::open(&path).and_then(|source| {
            let mut audio = AudioSettings::default();
            audio.adopt(&source)?;
            let spec = AudioSettings::spec(&source, Origin::Pretrained, vec!["a".into()]);
            Model::new(spec, &audio, None, Device::Cpu)
        });
        let error = built.unwrap_err().to_string();
        assert!(error.contains(says), "{file}, {field}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
