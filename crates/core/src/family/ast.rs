//! The audio spectrogram transformer (Gong et al. 2021) as transformers saves it: a DeiT over
//! overlapping patches of a spectrogram.

use serde::Deserialize;

use super::defaults;
use super::family::{Family, PretrainedConfig, PretrainedHead, uncounted_heads};
use super::vit::BODY;
use crate::nn::{
    AttentionKind, ClassTokens, EmbedderConfig, HeadConfig, NormPlacement, PatchEmbedderConfig,
    Pool, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, Resampling, same};

pub(super) const AST: Family = Family {
    name: "ast",
    key_map: KeyMap {
        name: "ast",
        prefixes: &["audio_spectrogram_transformer."],
        // It is a DeiT.
        body: BODY,
        head: &[same("head.norm", "classifier.layernorm"), same("head", "classifier.dense")],
    },
    matches_config: |config| config.model_type() == Some("audio-spectrogram-transformer"),
    from_config: |config, _| {
        let c: AstConfig = config.parse()?;
        let steps = [c.frequency_stride, c.time_stride, c.patch_size];
        let (size, patch) = ([c.num_mel_bins, c.max_length], [c.patch_size; 2]);
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
                activation: config.gelu("hidden_act")?,
                attention: AttentionKind::Bidirectional,
                eps: c.layer_norm_eps,
                dropout: c.hidden_dropout_prob,
                ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
            }),
            embedder: EmbedderConfig::Patches(PatchEmbedderConfig {
                channels: 1,
                size,
                patch,
                stride: [c.frequency_stride, c.time_stride],
                tokens: ClassTokens::ClassAndDistillation,
                resampling: Resampling::Cut,
                dropout: c.hidden_dropout_prob,
            }),
            head: PretrainedHead {
                pool: Pool::MeanOfFirstTwo,
                config: HeadConfig { norm: Some(c.layer_norm_eps), ..HeadConfig::default() },
                labels: config.labels()?,
            },
        })
    },
    from_tensors: uncounted_heads,
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
