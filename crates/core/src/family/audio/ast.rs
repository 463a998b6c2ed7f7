//! The audio spectrogram transformer (Gong et al. 2021) as transformers saves it: a DeiT over
//! overlapping patches of a spectrogram.

use serde::Deserialize;
use serde_json::json;

use crate::family::defaults;
use crate::family::family::{
    Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::family::image::vit::{BODY, IN_MEMORY};
use crate::nn::{
    AttentionKind, ClassTokens, EmbedderConfig, HeadConfig, NormPlacement, PatchEmbedderConfig,
    Pool, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, Resampling, same};

pub(in crate::family) const AST: Family = Family {
    name: "ast",
    reads: "AST (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("audio-spectrogram-transformer"),
    from_config: |config, _| {
        let c: AstConfig = config.parse()?;
        let steps = [c.frequency_stride, c.time_stride, c.patch_size];
        let size = [c.num_mel_bins, c.max_length];
        if steps.iter().any(|&n| n < 1) || size.iter().any(|&side| side < c.patch_size) {
            return Err(config.refuse("its patches do not fit its spectrograms".into()));
        }
        Ok(PretrainedConfig {
            name: "ast".into(),
            modality: "audio".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: c.num_attention_heads,
                mlp: c.intermediate_size,
                norm_placement: NormPlacement::Pre,
                activation: config.activation("hidden_act")?,
                attention: AttentionKind::Bidirectional,
                eps: c.layer_norm_eps,
                dropout: c.hidden_dropout_prob,
                ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
            }),
            embedder: EmbedderConfig::Patches(PatchEmbedderConfig {
                size,
                stride: [c.frequency_stride, c.time_stride],
                tokens: ClassTokens::ClassAndDistillation,
                resampling: Resampling::Cut,
                dropout: c.hidden_dropout_prob,
                ..PatchEmbedderConfig::of(1, 0, c.patch_size)
            }),
            head: PretrainedHead {
                pool: Pool::MeanOfFirstTwo,
                config: HeadConfig { norm: Some(c.layer_norm_eps), ..HeadConfig::default() },
                labels: config.labels()?,
            },
        })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "ast",
    prefixes: &["audio_spectrogram_transformer."],
    // It is a DeiT.
    body: BODY,
    head: &[same("head.norm", "classifier.layernorm"), same("head", "classifier.dense")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("ASTForAudioClassification", Pool::MeanOfFirstTwo, HeadKind::Normed)],
    key_map: KEY_MAP,
    in_memory: IN_MEMORY,
    to_config: |built| {
        let t = built.transformer(NormPlacement::Pre, AttentionKind::Bidirectional)?;
        let EmbedderConfig::Patches(e) = built.embedder else { return None };
        Some(json!({
            "model_type": "audio-spectrogram-transformer", "hidden_size": t.width,
            "num_hidden_layers": t.depth, "num_attention_heads": t.heads,
            "intermediate_size": t.mlp, "hidden_act": activation(t.activation),
            "layer_norm_eps": t.eps, "hidden_dropout_prob": t.dropout,
            "attention_probs_dropout_prob": t.dropout, "num_mel_bins": e.size[0],
            "max_length": e.size[1], "patch_size": e.patch[0], "frequency_stride": e.stride[0],
            "time_stride": e.stride[1], "qkv_bias": true,
        }))
    },
};

/// `ASTConfig`.
#[derive(Deserialize)]
struct AstConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    num_mel_bins: i64,
    max_length: i64,
    patch_size: i64,
    frequency_stride: i64,
    time_stride: i64,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    hidden_dropout_prob: f64,
}
