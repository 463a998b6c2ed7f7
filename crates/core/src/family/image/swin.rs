//! Swin transformers (Liu et al. 2021 and 2022) as transformers saves them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
};
use crate::nn::{
    Bias, EmbedderConfig, HeadConfig, PatchMapConfig, Pool, SwinConfig, SwinStage, SwinVersion,
    TrunkConfig, WindowPadding,
};
use crate::weights::{KeyMap, KeyRule, joined, same};

pub(in crate::family) const SWIN: Family = Family {
    name: "swin",
    reads: "Swin (transformers)",
    key_map: SWIN_NAMES,
    matches_config: |config| config.model_type() == Some("swin"),
    from_config: |config, _| read(config, "swin", SwinVersion::V1),
    from_tensors: |_| Err("the size of its pictures cannot be told"),
    hugging_face: Some(&SWIN_HUGGING_FACE),
};

const SWIN_NAMES: KeyMap =
    KeyMap { name: "swin", prefixes: &["swin.", ""], body: &V1, head: &[HEAD] };

pub(in crate::family) const SWIN_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("SwinForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: SWIN_NAMES,
    in_memory: IN_MEMORY,
    to_config: |built| fields("swin", built, SwinVersion::V1),
};

pub(in crate::family) const SWINV2: Family = Family {
    name: "swinv2",
    reads: "Swin v2 (transformers)",
    key_map: SWINV2_NAMES,
    matches_config: |config| config.model_type() == Some("swinv2"),
    from_config: |config, _| read(config, "swinv2", SwinVersion::V2),
    from_tensors: |_| Err("the sizes of its windows cannot be told"),
    hugging_face: Some(&SWINV2_HUGGING_FACE),
};

const SWINV2_NAMES: KeyMap =
    KeyMap { name: "swinv2", prefixes: &["swinv2.", ""], body: &V2, head: &[HEAD] };

pub(in crate::family) const SWINV2_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("Swinv2ForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: SWINV2_NAMES,
    in_memory: &[],
    to_config: |built| fields("swinv2", built, SwinVersion::V2),
};

const HEAD: KeyRule = same("head", "classifier");

const V1: [KeyRule; 14] = joined(
    &[same(
        "trunk.stages.{}.blocks.{}.attn.position.table",
        "encoder.layers.{}.blocks.{}.attention.self.relative_position_bias_table",
    )],
    &BODY,
);

const V2: [KeyRule; 16] = joined(
    &[
        same(
            "trunk.stages.{}.blocks.{}.attn.logit_scale",
            "encoder.layers.{}.blocks.{}.attention.self.logit_scale",
        ),
        same(
            "trunk.stages.{}.blocks.{}.attn.position.hidden",
            "encoder.layers.{}.blocks.{}.attention.self.continuous_position_bias_mlp.0",
        ),
        same(
            "trunk.stages.{}.blocks.{}.attn.position.out",
            "encoder.layers.{}.blocks.{}.attention.self.continuous_position_bias_mlp.2",
        ),
    ],
    &BODY,
);

const BODY: [KeyRule; 13] = [
    same("trunk.stages.{}.blocks.{}.attn.q", "encoder.layers.{}.blocks.{}.attention.self.query"),
    same("trunk.stages.{}.blocks.{}.attn.k", "encoder.layers.{}.blocks.{}.attention.self.key"),
    same("trunk.stages.{}.blocks.{}.attn.v", "encoder.layers.{}.blocks.{}.attention.self.value"),
    same(
        "trunk.stages.{}.blocks.{}.attn.out",
        "encoder.layers.{}.blocks.{}.attention.output.dense",
    ),
    same("trunk.stages.{}.blocks.{}.norm1", "encoder.layers.{}.blocks.{}.layernorm_before"),
    same("trunk.stages.{}.blocks.{}.norm2", "encoder.layers.{}.blocks.{}.layernorm_after"),
    same("trunk.stages.{}.blocks.{}.mlp.up", "encoder.layers.{}.blocks.{}.intermediate.dense"),
    same("trunk.stages.{}.blocks.{}.mlp.down", "encoder.layers.{}.blocks.{}.output.dense"),
    same("trunk.stages.{}.merge.norm", "encoder.layers.{}.downsample.norm"),
    same("trunk.stages.{}.merge.reduce", "encoder.layers.{}.downsample.reduction"),
    same("trunk.norm", "layernorm"),
    same("embed.project", "embeddings.patch_embeddings.projection"),
    same("embed.norm", "embeddings.norm"),
];

/// The linear layers of version 1 as transformers 5 has them in memory.
const IN_MEMORY: &[KeyRule] = &[
    same("trunk.stages.{}.blocks.{}.attn.q", "encoder.layers.{}.blocks.{}.attention.q_proj"),
    same("trunk.stages.{}.blocks.{}.attn.k", "encoder.layers.{}.blocks.{}.attention.k_proj"),
    same("trunk.stages.{}.blocks.{}.attn.v", "encoder.layers.{}.blocks.{}.attention.v_proj"),
    same("trunk.stages.{}.blocks.{}.attn.out", "encoder.layers.{}.blocks.{}.attention.o_proj"),
    same("trunk.stages.{}.blocks.{}.mlp.up", "encoder.layers.{}.blocks.{}.mlp.fc1"),
    same("trunk.stages.{}.blocks.{}.mlp.down", "encoder.layers.{}.blocks.{}.mlp.fc2"),
];

/// `SwinConfig` and `Swinv2Config`.
#[derive(Deserialize)]
#[serde(default)]
struct SwinHfConfig {
    image_size: i64,
    patch_size: i64,
    num_channels: i64,
    embed_dim: i64,
    depths: Vec<usize>,
    num_heads: Vec<i64>,
    window_size: i64,
    pretrained_window_sizes: Vec<i64>,
    mlp_ratio: f64,
    qkv_bias: bool,
    hidden_dropout_prob: f64,
    drop_path_rate: f64,
    use_absolute_embeddings: bool,
    layer_norm_eps: f64,
}

impl Default for SwinHfConfig {
    /// transformers'.
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 4,
            num_channels: 3,
            embed_dim: 96,
            depths: vec![2, 2, 6, 2],
            num_heads: vec![3, 6, 12, 24],
            window_size: 7,
            pretrained_window_sizes: vec![],
            mlp_ratio: 4.,
            qkv_bias: true,
            hidden_dropout_prob: 0.,
            drop_path_rate: 0.1,
            use_absolute_embeddings: false,
            layer_norm_eps: 1e-5,
        }
    }
}

/// The largest side of a picture, in pixels: no tensor bounds it.
pub(super) const LARGEST: i64 = 4096;

fn read(config: &Config, name: &str, version: SwinVersion) -> Result<PretrainedConfig> {
    let c: SwinHfConfig = config.parse()?;
    let layers = c.depths.len();
    let earlier = &c.pretrained_window_sizes;
    let problem = if c.use_absolute_embeddings {
        "use_absolute_embeddings is true, which is not supported"
    } else if c.num_heads.len() != layers || !(earlier.is_empty() || earlier.len() == layers) {
        "depths, num_heads and pretrained_window_sizes differ in length"
    } else if c.patch_size < 1 || c.image_size < c.patch_size {
        "its patches do not fit its pictures"
    } else if c.image_size > LARGEST {
        "image_size is more than 4096 pixels"
    } else {
        ""
    };
    if !problem.is_empty() {
        return Err(config.refuse(problem.into()));
    }
    let stage = |i: usize| {
        // The sides of a stage's map, of which no window of version 2 is larger.
        let side = (c.image_size / c.patch_size).checked_shr(i as u32).unwrap_or(0).max(1);
        let (window, pretrained_window) = match version {
            SwinVersion::V1 => (c.window_size, 0),
            SwinVersion::V2 => (c.window_size.min(side), earlier.get(i).copied().unwrap_or(0)),
        };
        SwinStage { blocks: c.depths[i], heads: c.num_heads[i], window, pretrained_window }
    };
    let trunk = SwinConfig {
        width: c.embed_dim,
        stages: (0..layers).map(stage).collect(),
        version,
        mlp_ratio: c.mlp_ratio,
        activation: config.activation("hidden_act")?,
        qkv_bias: if c.qkv_bias { Bias::With } else { Bias::Without },
        padding: WindowPadding::BeforeShift,
        eps: c.layer_norm_eps,
        dropout: c.hidden_dropout_prob,
        drop_path: c.drop_path_rate,
    };
    let patches = PatchMapConfig {
        channels: c.num_channels,
        size: [c.image_size; 2],
        patch: [c.patch_size; 2],
        stride: [c.patch_size; 2],
        eps: Some(defaults::usual_eps()),
        dropout: c.hidden_dropout_prob,
    };
    let mut family = family(name, trunk, patches);
    family.head.labels = config.labels()?;
    Ok(family)
}

pub(in crate::family) fn family(
    name: &str,
    trunk: SwinConfig,
    patches: PatchMapConfig,
) -> PretrainedConfig {
    PretrainedConfig {
        name: name.into(),
        modality: "image".into(),
        trunk: TrunkConfig::Swin(trunk),
        embedder: EmbedderConfig::PatchMap(patches),
        head: PretrainedHead { pool: Pool::Mean, config: HeadConfig::default(), labels: None },
    }
}

/// The fields of `SwinConfig` and `Swinv2Config`.
fn fields(model_type: &str, built: Built<'_>, version: SwinVersion) -> Option<Value> {
    let (TrunkConfig::Swin(s), EmbedderConfig::PatchMap(e)) = (built.trunk, built.embedder) else {
        return None;
    };
    let (image, patch) = (e.size[0], e.patch[0]);
    let square = e.size == [image; 2] && e.patch == [patch; 2] && e.stride == e.patch;
    let usual = s.version == version && e.eps == Some(defaults::usual_eps());
    let window = s.stages.iter().map(|stage| stage.window).max()?;
    let told = s.stages.iter().enumerate().all(|(i, stage)| {
        let side = (image / patch) >> i;
        let fits = match version {
            SwinVersion::V1 => stage.window == window && side >= window,
            SwinVersion::V2 => stage.window == window.min(side),
        };
        // Where zeros are needed, transformers has them before the shift.
        fits && (s.padding == WindowPadding::BeforeShift || side % stage.window == 0)
    });
    if !(square && usual && told) {
        return None;
    }
    let of_stages = |get: fn(&SwinStage) -> i64| s.stages.iter().map(get).collect::<Vec<_>>();
    let mut fields = json!({
        "model_type": model_type, "image_size": image, "patch_size": patch,
        "num_channels": e.channels, "embed_dim": s.width,
        "depths": of_stages(|stage| stage.blocks as i64),
        "num_heads": of_stages(|stage| stage.heads), "window_size": window,
        "mlp_ratio": s.mlp_ratio, "qkv_bias": s.qkv_bias == Bias::With,
        "hidden_act": activation(s.activation), "layer_norm_eps": s.eps,
        "hidden_dropout_prob": s.dropout, "attention_probs_dropout_prob": s.dropout,
        "drop_path_rate": s.drop_path, "use_absolute_embeddings": false,
    });
    if version == SwinVersion::V2 {
        fields["pretrained_window_sizes"] = json!(of_stages(|stage| stage.pretrained_window));
    }
    Some(fields)
}
