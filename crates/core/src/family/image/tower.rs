//! What CLIP and SigLIP say of their vision towers.

use serde::Deserialize;

use super::vit::fits;
use crate::error::Result;
use crate::family::config::Config;
use crate::nn::{Activation, PatchEmbedderConfig, TransformerConfig};
use crate::weights::{KeyRule, TensorTransform, same, transformed};

/// The names that both towers have.
pub(super) const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layers.{}.self_attn.q_proj"),
    same("trunk.blocks.{}.attn.k", "encoder.layers.{}.self_attn.k_proj"),
    same("trunk.blocks.{}.attn.v", "encoder.layers.{}.self_attn.v_proj"),
    same("trunk.blocks.{}.attn.out", "encoder.layers.{}.self_attn.out_proj"),
    same("trunk.blocks.{}.norm1", "encoder.layers.{}.layer_norm1"),
    same("trunk.blocks.{}.norm2", "encoder.layers.{}.layer_norm2"),
    same("trunk.blocks.{}.mlp.up", "encoder.layers.{}.mlp.fc1"),
    same("trunk.blocks.{}.mlp.down", "encoder.layers.{}.mlp.fc2"),
    same("trunk.norm", "post_layernorm"),
    same("embed.project", "embeddings.patch_embedding"),
    transformed(
        "embed.position",
        "embeddings.position_embedding.weight",
        TensorTransform::Unsqueezed(1),
    ),
];

/// `CLIPVisionConfig` and `SiglipVisionConfig`, which leave out of a file what is as usual.
pub(super) struct TowerConfig {
    pub(super) hidden_size: i64,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: i64,
    pub(super) intermediate_size: i64,
    pub(super) image_size: i64,
    pub(super) patch_size: i64,
    pub(super) num_channels: i64,
    pub(super) layer_norm_eps: f64,
    pub(super) activation: Activation,
}

/// The same as a file has it.
#[derive(Deserialize)]
struct Told {
    hidden_size: Option<i64>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<i64>,
    intermediate_size: Option<i64>,
    image_size: Option<i64>,
    patch_size: Option<i64>,
    num_channels: Option<i64>,
    layer_norm_eps: Option<f64>,
    hidden_act: Option<String>,
}

impl Default for TowerConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            image_size: 224,
            patch_size: 16,
            num_channels: 3,
            layer_norm_eps: 1e-6,
            activation: Activation::Gelu,
        }
    }
}

impl TowerConfig {
    /// What a configuration tells, of the tower alone or of the whole model; else as it is here.
    pub(super) fn read(self, config: &Config) -> Result<Self> {
        let tower = config.part("vision_config");
        let told: Told = tower.parse()?;
        let activation = match told.hidden_act {
            None => self.activation,
            Some(_) => tower.activation("hidden_act")?,
        };
        let read = Self {
            hidden_size: told.hidden_size.unwrap_or(self.hidden_size),
            num_hidden_layers: told.num_hidden_layers.unwrap_or(self.num_hidden_layers),
            num_attention_heads: told.num_attention_heads.unwrap_or(self.num_attention_heads),
            intermediate_size: told.intermediate_size.unwrap_or(self.intermediate_size),
            image_size: told.image_size.unwrap_or(self.image_size),
            patch_size: told.patch_size.unwrap_or(self.patch_size),
            num_channels: told.num_channels.unwrap_or(self.num_channels),
            layer_norm_eps: told.layer_norm_eps.unwrap_or(self.layer_norm_eps),
            activation,
        };
        fits(config, read.image_size, read.patch_size)?;
        Ok(read)
    }

    pub(super) fn trunk(&self) -> TransformerConfig {
        TransformerConfig {
            heads: self.num_attention_heads,
            mlp: self.intermediate_size,
            activation: self.activation,
            eps: self.layer_norm_eps,
            ..TransformerConfig::of(self.hidden_size, self.num_hidden_layers)
        }
    }

    pub(super) fn embedder(&self) -> PatchEmbedderConfig {
        PatchEmbedderConfig::of(self.num_channels, self.image_size, self.patch_size)
    }
}
