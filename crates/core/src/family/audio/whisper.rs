//! The encoder of Whisper (Radford et al. 2022) as transformers saves it.

use serde::Deserialize;
use serde_json::json;

use crate::family::defaults;
use crate::family::family::{
    Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::nn::{
    Activation, AttentionKind, Dense, EmbedderConfig, FrameStemConfig, HeadConfig, NormPlacement,
    Pool, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, TensorTransform, absent, same};

pub(in crate::family) const WHISPER: Family = Family {
    name: "whisper",
    reads: "Whisper's encoder (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("whisper"),
    from_config: |config, _| {
        let c: WhisperConfig = config.parse()?;
        let dense = Some(Dense { width: c.classifier_proj_size, activation: Activation::Identity });
        Ok(PretrainedConfig {
            name: "whisper".into(),
            modality: "audio".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: c.encoder_attention_heads,
                mlp: c.encoder_ffn_dim,
                norm_placement: NormPlacement::Pre,
                activation: config.activation("activation_function")?,
                attention: AttentionKind::Bidirectional,
                eps: 1e-5,
                dropout: c.dropout,
                ..TransformerConfig::of(c.d_model, c.encoder_layers)
            }),
            embedder: EmbedderConfig::Frames(FrameStemConfig {
                bands: c.num_mel_bins,
                positions: c.max_source_positions,
                dropout: c.dropout,
            }),
            head: PretrainedHead {
                pool: if c.use_weighted_layer_sum { Pool::WeightedLayers } else { Pool::Mean },
                config: HeadConfig { dense, ..HeadConfig::default() },
                labels: config.labels()?,
            },
        })
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "whisper",
    prefixes: &["encoder.", "model.encoder."],
    body: &[
        // First what wav2vec2, whose encoder has the same names, does not have.
        same("trunk.blocks.{}.mlp.up", "layers.{}.fc1"),
        same("trunk.blocks.{}.mlp.down", "layers.{}.fc2"),
        same("trunk.blocks.{}.attn.q", "layers.{}.self_attn.q_proj"),
        // It would add the same to all of a query's scores, which the softmax takes away.
        absent("trunk.blocks.{}.attn.k.bias", TensorTransform::Zeros),
        same("trunk.blocks.{}.attn.k", "layers.{}.self_attn.k_proj"),
        same("trunk.blocks.{}.attn.v", "layers.{}.self_attn.v_proj"),
        same("trunk.blocks.{}.attn.out", "layers.{}.self_attn.out_proj"),
        same("trunk.blocks.{}.norm1", "layers.{}.self_attn_layer_norm"),
        same("trunk.blocks.{}.norm2", "layers.{}.final_layer_norm"),
        same("trunk.norm", "layer_norm"),
        same("embed.conv1", "conv1"),
        same("embed.conv2", "conv2"),
        same("embed.position", "embed_positions.weight"),
    ],
    head: super::wav2vec2::HEAD,
};

const fn class(pool: Pool) -> Class {
    Class::new("WhisperForAudioClassification", pool, HeadKind::Dense(Activation::Identity))
}

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[class(Pool::Mean), class(Pool::WeightedLayers)],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| {
        let t = built.transformer(NormPlacement::Pre, AttentionKind::Bidirectional)?;
        let EmbedderConfig::Frames(e) = built.embedder else { return None };
        Some(json!({
            "model_type": "whisper", "d_model": t.width, "encoder_layers": t.depth,
            "encoder_attention_heads": t.heads, "encoder_ffn_dim": t.mlp,
            "activation_function": activation(t.activation), "dropout": t.dropout,
            "num_mel_bins": e.bands, "max_source_positions": e.positions,
            "classifier_proj_size": built.projected()?, "use_weighted_layer_sum": built.sums_layers(),
        }))
    },
};

/// `WhisperConfig`, the encoder's part.
#[derive(Deserialize)]
struct WhisperConfig {
    d_model: i64,
    encoder_layers: usize,
    encoder_attention_heads: i64,
    encoder_ffn_dim: i64,
    num_mel_bins: i64,
    max_source_positions: i64,
    #[serde(default)]
    dropout: f64,
    #[serde(default = "defaults::projected")]
    classifier_proj_size: i64,
    #[serde(default)]
    use_weighted_layer_sum: bool,
}
