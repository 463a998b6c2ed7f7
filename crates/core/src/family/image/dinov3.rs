//! DINOv3 (Siméoni et al. 2025) as transformers saves it: rotary positions on the grid of patches.

use serde::Deserialize;

use super::vit::fits;
use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{Family, PretrainedConfig, PretrainedHead, uncounted_heads};
use crate::nn::{
    Activation, AttentionBiases, Bias, EmbedderConfig, HeadConfig, LayerScale, MlpKind,
    PatchEmbedderConfig, PatchPositions, Pool, PositionConfig, RotaryAxes, RotaryConfig,
    TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const DINOV3: Family = Family {
    name: "dinov3",
    reads: "DINOv3 (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("dinov3_vit"),
    from_config: |config, _| {
        let activation = config.activation("hidden_act")?;
        Dinov3Config { activation, ..config.parse()? }.family(config)
    },
    from_tensors: uncounted_heads,
    // It has no class with a head.
    hugging_face: None,
};

const KEY_MAP: KeyMap = KeyMap {
    name: "dinov3",
    prefixes: &["", "model."],
    body: &[
        same("trunk.blocks.{}.attn.q", "layer.{}.attention.q_proj"),
        same("trunk.blocks.{}.attn.k", "layer.{}.attention.k_proj"),
        same("trunk.blocks.{}.attn.v", "layer.{}.attention.v_proj"),
        same("trunk.blocks.{}.attn.out", "layer.{}.attention.o_proj"),
        same("trunk.blocks.{}.norm1", "layer.{}.norm1"),
        same("trunk.blocks.{}.norm2", "layer.{}.norm2"),
        same("trunk.blocks.{}.scale1", "layer.{}.layer_scale1.lambda1"),
        same("trunk.blocks.{}.scale2", "layer.{}.layer_scale2.lambda1"),
        same("trunk.blocks.{}.mlp.up", "layer.{}.mlp.up_proj"),
        same("trunk.blocks.{}.mlp.gate", "layer.{}.mlp.gate_proj"),
        same("trunk.blocks.{}.mlp.down", "layer.{}.mlp.down_proj"),
        same("trunk.norm", "norm"),
        same("embed.project", "embeddings.patch_embeddings"),
        same("embed.class", "embeddings.cls_token"),
        same("embed.registers", "embeddings.register_tokens"),
    ],
    head: &[same("head", "classifier")],
};

/// `DINOv3ViTConfig`, with its defaults.
#[derive(Deserialize)]
#[serde(default)]
struct Dinov3Config {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    image_size: i64,
    patch_size: i64,
    num_channels: i64,
    num_register_tokens: i64,
    layer_norm_eps: f64,
    rope_theta: f64,
    drop_path_rate: f64,
    use_gated_mlp: bool,
    query_bias: bool,
    key_bias: bool,
    value_bias: bool,
    proj_bias: bool,
    mlp_bias: bool,
    #[serde(skip, default = "defaults::exact")]
    activation: Activation,
}

impl Default for Dinov3Config {
    fn default() -> Self {
        Self {
            hidden_size: 384,
            num_hidden_layers: 12,
            num_attention_heads: 6,
            intermediate_size: 1536,
            image_size: 224,
            patch_size: 16,
            num_channels: 3,
            num_register_tokens: 0,
            layer_norm_eps: 1e-5,
            rope_theta: 100.,
            drop_path_rate: 0.,
            use_gated_mlp: false,
            query_bias: true,
            key_bias: false,
            value_bias: true,
            proj_bias: true,
            mlp_bias: true,
            activation: Activation::Gelu,
        }
    }
}

impl Dinov3Config {
    fn family(self, config: &Config) -> Result<PretrainedConfig> {
        fits(config, self.image_size, self.patch_size)?;
        let bias = |with: bool| if with { Bias::With } else { Bias::Without };
        let columns = self.image_size / self.patch_size;
        let axes = RotaryAxes::Centred { columns };
        Ok(PretrainedConfig {
            name: "dinov3".into(),
            modality: "image".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: self.num_attention_heads,
                mlp: self.intermediate_size,
                activation: self.activation,
                eps: self.layer_norm_eps,
                drop_path: self.drop_path_rate,
                layer_scale: LayerScale::Learned,
                biases: AttentionBiases {
                    q: bias(self.query_bias),
                    k: bias(self.key_bias),
                    v: bias(self.value_bias),
                    out: bias(self.proj_bias),
                },
                mlp_kind: if self.use_gated_mlp { MlpKind::Gated } else { MlpKind::Plain },
                mlp_bias: bias(self.mlp_bias),
                positions: PositionConfig::Rotary(RotaryConfig {
                    axes,
                    ..RotaryConfig::of(self.rope_theta)
                }),
                ..TransformerConfig::of(self.hidden_size, self.num_hidden_layers)
            }),
            embedder: EmbedderConfig::Patches(PatchEmbedderConfig {
                registers: self.num_register_tokens,
                positions: PatchPositions::Without,
                ..PatchEmbedderConfig::of(self.num_channels, self.image_size, self.patch_size)
            }),
            head: PretrainedHead {
                pool: Pool::First,
                config: HeadConfig::default(),
                labels: config.labels()?,
            },
        })
    }
}
