//! wav2vec 2.0 with conformer blocks (Wang et al. 2020, fairseq S2T; Gulati et al. 2020) as transformers
//! saves it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::wav2vec2::{HEAD, classes, fields, read, untold};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{Family, HuggingFace, PretrainedConfig};
use crate::nn::{
    ConvolutionConfig, ConvolutionNorm, ConvolutionReach, EmbedderConfig, NormPlacement, Pool,
    PositionConfig, RotaryConfig, TrunkConfig, WaveformPositions,
};
use crate::weights::{KeyMap, KeyRule, same};

pub(in crate::family) const WAV2VEC2_CONFORMER: Family = Family {
    name: "wav2vec2-conformer",
    reads: "wav2vec2-conformer (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("wav2vec2-conformer"),
    from_config: |config, _| from_config(config),
    from_tensors: untold,
    hugging_face: Some(&HuggingFace {
        classes: &classes("Wav2Vec2ConformerForSequenceClassification", "Wav2Vec2ConformerForCTC"),
        key_map: KEY_MAP,
        in_memory: &[],
        to_config: |built| {
            let TrunkConfig::Transformer(trunk) = built.trunk else { return None };
            let mut fields = fields("wav2vec2-conformer", built)?;
            fields["conv_depthwise_kernel_size"] = json!(trunk.convolution?.kernel);
            fields["position_embeddings_type"] = match trunk.positions {
                PositionConfig::Sinusoids => json!("relative"),
                PositionConfig::RotaryInputs(rotary) => {
                    fields["rotary_embedding_base"] = whole(rotary.base);
                    json!("rotary")
                }
                _ => json!(null),
            };
            Some(fields)
        },
    }),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "wav2vec2-conformer",
    prefixes: &["wav2vec2_conformer.", ""],
    body: BODY,
    head: HEAD,
};

/// wav2vec2-BERT has the same names, but for its convolution's norm, and names of its own.
pub(super) const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layers.{}.self_attn.linear_q"),
    same("trunk.blocks.{}.attn.k", "encoder.layers.{}.self_attn.linear_k"),
    same("trunk.blocks.{}.attn.v", "encoder.layers.{}.self_attn.linear_v"),
    same("trunk.blocks.{}.attn.out", "encoder.layers.{}.self_attn.linear_out"),
    same("trunk.blocks.{}.attn.position", "encoder.layers.{}.self_attn.linear_pos"),
    same("trunk.blocks.{}.attn.content_bias", "encoder.layers.{}.self_attn.pos_bias_u"),
    same("trunk.blocks.{}.attn.position_bias", "encoder.layers.{}.self_attn.pos_bias_v"),
    same("trunk.blocks.{}.attn.distance", "encoder.layers.{}.self_attn.distance_embedding"),
    same("trunk.blocks.{}.macaron.norm", "encoder.layers.{}.ffn1_layer_norm"),
    same("trunk.blocks.{}.macaron.mlp.up", "encoder.layers.{}.ffn1.intermediate_dense"),
    same("trunk.blocks.{}.macaron.mlp.down", "encoder.layers.{}.ffn1.output_dense"),
    same("trunk.blocks.{}.norm1", "encoder.layers.{}.self_attn_layer_norm"),
    same("trunk.blocks.{}.conv.norm", "encoder.layers.{}.conv_module.layer_norm"),
    same("trunk.blocks.{}.conv.up", "encoder.layers.{}.conv_module.pointwise_conv1"),
    same("trunk.blocks.{}.conv.depthwise", "encoder.layers.{}.conv_module.depthwise_conv"),
    same("trunk.blocks.{}.conv.norm_depthwise", "encoder.layers.{}.conv_module.batch_norm"),
    same("trunk.blocks.{}.conv.down", "encoder.layers.{}.conv_module.pointwise_conv2"),
    same("trunk.blocks.{}.norm2", "encoder.layers.{}.ffn2_layer_norm"),
    same("trunk.blocks.{}.mlp.up", "encoder.layers.{}.ffn2.intermediate_dense"),
    same("trunk.blocks.{}.mlp.down", "encoder.layers.{}.ffn2.output_dense"),
    same("trunk.blocks.{}.norm_out", "encoder.layers.{}.final_layer_norm"),
    same("trunk.norm", "encoder.layer_norm"),
    same("embed.convs.{}.conv", "feature_extractor.conv_layers.{}.conv"),
    same("embed.convs.{}.norm", "feature_extractor.conv_layers.{}.layer_norm"),
    same("embed.feature_norm", "feature_projection.layer_norm"),
    same("embed.project", "feature_projection.projection"),
    // Which nothing but training computes with.
    same("embed.mask", "masked_spec_embed"),
];

/// `Wav2Vec2ConformerConfig`, as far as it differs from wav2vec2's; wav2vec2-BERT's has the same.
#[derive(Deserialize)]
pub(super) struct ConformerConfig {
    #[serde(default = "kernel")]
    pub(super) conv_depthwise_kernel_size: i64,
    pub(super) position_embeddings_type: Option<String>,
    #[serde(default = "base")]
    rotary_embedding_base: f64,
}

fn kernel() -> i64 {
    31
}

fn base() -> f64 {
    10_000.
}

impl ConformerConfig {
    /// What attention knows of positions, of the kinds that both families have.
    pub(super) fn positions(&self, config: &Config) -> Result<PositionConfig> {
        match self.position_embeddings_type.as_deref() {
            None => Ok(PositionConfig::None),
            Some("relative") => Ok(PositionConfig::Sinusoids),
            Some("rotary") => {
                Ok(PositionConfig::RotaryInputs(RotaryConfig::of(self.rotary_embedding_base)))
            }
            Some(other) => {
                Err(config
                    .refuse(format!("position_embeddings_type is {other:?}, which is not known")))
            }
        }
    }
}

/// transformers takes a base that is a whole number for nothing else.
pub(super) fn whole(base: f64) -> Value {
    if base.fract() == 0. { json!(base as i64) } else { json!(base) }
}

fn from_config(config: &Config) -> Result<PretrainedConfig> {
    let mut model = read(config, "wav2vec2-conformer")?;
    let c: ConformerConfig = config.parse()?;
    let TrunkConfig::Transformer(trunk) = &mut model.trunk else { return Ok(model) };
    // transformers gives this field to its other norms alone.
    if trunk.eps != BLOCKS_EPS {
        let problem = format!("layer_norm_eps is {}, expected {BLOCKS_EPS}", trunk.eps);
        return Err(config.refuse(problem));
    }
    trunk.norm_placement = NormPlacement::Pre;
    trunk.positions = c.positions(config)?;
    trunk.convolution = Some(ConvolutionConfig {
        kernel: c.conv_depthwise_kernel_size,
        reach: ConvolutionReach::Centred,
        norm: ConvolutionNorm::Batch,
    });
    if let EmbedderConfig::Waveform(embedder) = &mut model.embedder {
        embedder.output_norm = NormPlacement::Pre;
        embedder.positions = WaveformPositions::Without;
    }
    if model.head.pool == Pool::WeightedLayers {
        model.head.pool = Pool::WeightedBlocks;
    }
    Ok(model)
}

/// The epsilon of the layer norms in the blocks.
const BLOCKS_EPS: f64 = 1e-5;
