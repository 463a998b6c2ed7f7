//! CLAP's tower for sound (Wu et al. 2023), HTS-AT (Chen et al. 2022), as transformers saves it: a Swin
//! transformer over folded spectrograms. Its fusion of several pieces of long recordings is left out,
//! as it is there for recordings that are not longer than the model takes.

use serde::Deserialize;
use serde_json::Value;

use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{Family, PretrainedConfig, PretrainedHead};
use crate::nn::{
    Activation, Bias, EmbedderConfig, FoldedPatchesConfig, HeadConfig, PatchMapConfig, Pool,
    SwinConfig, SwinStage, SwinVersion, TrunkConfig, WindowPadding,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const CLAP: Family = Family {
    name: "clap",
    reads: "CLAP's audio tower (transformers)",
    key_map: KEY_MAP,
    // The whole model, and its tower for sound alone.
    matches_config: |config| matches!(config.model_type(), Some("clap" | "clap_audio_model")),
    from_config: |config, _| read(config),
    from_tensors: |_| Err("the size of its spectrograms cannot be told"),
    hugging_face: None,
};

const KEY_MAP: KeyMap = KeyMap {
    name: "clap",
    prefixes: &["audio_model.", ""],
    body: &[
        same(
            "trunk.stages.{}.blocks.{}.attn.position.table",
            "audio_encoder.layers.{}.blocks.{}.attention.self.relative_position_bias_table",
        ),
        same(
            "trunk.stages.{}.blocks.{}.attn.q",
            "audio_encoder.layers.{}.blocks.{}.attention.self.query",
        ),
        same(
            "trunk.stages.{}.blocks.{}.attn.k",
            "audio_encoder.layers.{}.blocks.{}.attention.self.key",
        ),
        same(
            "trunk.stages.{}.blocks.{}.attn.v",
            "audio_encoder.layers.{}.blocks.{}.attention.self.value",
        ),
        same(
            "trunk.stages.{}.blocks.{}.attn.out",
            "audio_encoder.layers.{}.blocks.{}.attention.output.dense",
        ),
        same(
            "trunk.stages.{}.blocks.{}.norm1",
            "audio_encoder.layers.{}.blocks.{}.layernorm_before",
        ),
        same(
            "trunk.stages.{}.blocks.{}.norm2",
            "audio_encoder.layers.{}.blocks.{}.layernorm_after",
        ),
        same(
            "trunk.stages.{}.blocks.{}.mlp.up",
            "audio_encoder.layers.{}.blocks.{}.intermediate.dense",
        ),
        same(
            "trunk.stages.{}.blocks.{}.mlp.down",
            "audio_encoder.layers.{}.blocks.{}.output.dense",
        ),
        same("trunk.stages.{}.merge.norm", "audio_encoder.layers.{}.downsample.norm"),
        same("trunk.stages.{}.merge.reduce", "audio_encoder.layers.{}.downsample.reduction"),
        same("trunk.norm", "audio_encoder.norm"),
        same("embed.norm_bands", "audio_encoder.batch_norm"),
        same("embed.project", "audio_encoder.patch_embed.proj"),
        same("embed.norm", "audio_encoder.patch_embed.norm"),
    ],
    head: &[],
};

/// `ClapAudioConfig`.
#[derive(Deserialize)]
#[serde(default)]
struct ClapAudioConfig {
    window_size: i64,
    num_mel_bins: i64,
    spec_size: i64,
    hidden_act: String,
    patch_size: Sides,
    patch_stride: Sides,
    depths: Vec<usize>,
    num_attention_heads: Vec<i64>,
    enable_fusion: bool,
    fusion_type: Option<String>,
    hidden_dropout_prob: f64,
    patch_embed_input_channels: i64,
    flatten_patch_embeds: bool,
    patch_embeds_hidden_size: i64,
    enable_patch_layer_norm: bool,
    drop_path_rate: f64,
    qkv_bias: bool,
    mlp_ratio: f64,
    layer_norm_eps: f64,
}

impl Default for ClapAudioConfig {
    /// transformers'.
    fn default() -> Self {
        Self {
            window_size: 8,
            num_mel_bins: 64,
            spec_size: 256,
            hidden_act: "gelu".into(),
            patch_size: Sides::Both(4),
            patch_stride: Sides::Both(4),
            depths: vec![2, 2, 6, 2],
            num_attention_heads: vec![4, 8, 16, 32],
            enable_fusion: false,
            fusion_type: None,
            hidden_dropout_prob: 0.1,
            patch_embed_input_channels: 1,
            flatten_patch_embeds: true,
            patch_embeds_hidden_size: 96,
            enable_patch_layer_norm: true,
            drop_path_rate: 0.,
            qkv_bias: true,
            mlp_ratio: 4.,
            layer_norm_eps: defaults::usual_eps(),
        }
    }
}

/// One number for both sides, or two.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected a number or a pair of them")]
enum Sides {
    Both(i64),
    Each([i64; 2]),
}

impl From<Sides> for [i64; 2] {
    fn from(sides: Sides) -> Self {
        match sides {
            Sides::Both(side) => [side; 2],
            Sides::Each(sides) => sides,
        }
    }
}

/// The largest side of a spectrogram: no tensor bounds it.
const LARGEST: i64 = 4096;

fn read(config: &Config) -> Result<PretrainedConfig> {
    let c: ClapAudioConfig = match config.field("audio_config") {
        Value::Null => config.parse()?,
        nested => ClapAudioConfig::deserialize(nested)
            .map_err(|e| config.refuse(format!("audio_config: {e}")))?,
    };
    let channels = c.enable_fusion && c.fusion_type.as_deref() == Some("channel_map");
    let folds = c.spec_size.checked_div(c.num_mel_bins).unwrap_or(0);
    let problem = if channels {
        "fusion_type is channel_map, which is not supported"
    } else if c.patch_embed_input_channels != 1 {
        "patch_embed_input_channels is not 1, which is not supported"
    } else if !c.flatten_patch_embeds {
        "flatten_patch_embeds is false, which is not supported"
    } else if c.layer_norm_eps != defaults::usual_eps() {
        // Its last norm has the usual one, whatever stands here.
        "layer_norm_eps is not 1e-5, which is not supported"
    } else if c.hidden_act != "gelu" {
        "hidden_act is not gelu, which is not supported"
    } else if c.depths.len() != c.num_attention_heads.len() {
        "depths and num_attention_heads differ in length"
    } else if c.spec_size > LARGEST {
        "spec_size is more than 4096"
    } else if folds < 1 || folds.checked_mul(c.num_mel_bins) != Some(c.spec_size) {
        "num_mel_bins does not divide spec_size"
    } else {
        ""
    };
    if !problem.is_empty() {
        return Err(config.refuse(problem.into()));
    }
    let stages = c.depths.iter().zip(&c.num_attention_heads);
    let stages = stages.map(|(&blocks, &heads)| SwinStage {
        blocks,
        heads,
        window: c.window_size,
        pretrained_window: 0,
    });
    Ok(PretrainedConfig {
        name: "clap".into(),
        modality: "audio".into(),
        trunk: TrunkConfig::Swin(SwinConfig {
            width: c.patch_embeds_hidden_size,
            stages: stages.collect(),
            version: SwinVersion::V1,
            mlp_ratio: c.mlp_ratio,
            activation: Activation::Gelu,
            qkv_bias: if c.qkv_bias { Bias::With } else { Bias::Without },
            padding: WindowPadding::BeforeShift,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout_prob,
            drop_path: c.drop_path_rate,
        }),
        embedder: EmbedderConfig::Folded(FoldedPatchesConfig {
            bands: c.num_mel_bins,
            patches: PatchMapConfig {
                channels: 1,
                size: [c.spec_size; 2],
                patch: c.patch_size.into(),
                stride: c.patch_stride.into(),
                eps: c.enable_patch_layer_norm.then(defaults::usual_eps),
                dropout: 0.,
            },
        }),
        head: PretrainedHead { pool: Pool::Mean, config: HeadConfig::default(), labels: None },
    })
}
