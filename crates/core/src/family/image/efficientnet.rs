//! EfficientNet (Tan and Le 2019) as transformers saves it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::mobile::{Network, named_activation, stage};
use crate::family::defaults;
use crate::family::family::{Built, Class, Family, HeadKind, HuggingFace, activation};
use crate::nn::{
    Activation, BlockKind, ConvNetConfig, EmbedderConfig, HeadConfig, InvertedConfig, InvertedForm,
    MapNormKind, NormConfig, Padding, Pool, Skip, SqueezeConfig, Stage, StemConfig, StemPool,
    TrunkConfig,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const EFFICIENTNET: Family = Family {
    name: "efficientnet",
    reads: "EfficientNet (transformers)",
    key_map: NAMES,
    matches_config: |config| config.model_type() == Some("efficientnet"),
    from_config: |config, _| {
        let c: EfficientNetConfig = config.parse()?;
        if c.pooling_type != "mean" {
            let problem = format!("pooling_type is {:?}, expected mean", c.pooling_type);
            return Err(config.refuse(problem));
        }
        let lists = [c.in_channels.len(), c.out_channels.len(), c.kernel_sizes.len()];
        let lists =
            [&lists[..], &[c.strides.len(), c.expand_ratios.len(), c.num_block_repeats.len()]];
        if lists.concat().iter().any(|length| *length != c.in_channels.len()) {
            return Err(config.refuse("the lists of its stages are not equally long".into()));
        }
        let activation = named_activation(config, Activation::Silu)?;
        let network = c.network(activation);
        let mut family = network.family().map_err(|problem| config.refuse(problem.into()))?;
        family.head.labels = config.labels()?;
        family.set_drop_path(c.drop_connect_rate);
        Ok(family)
    },
    from_tensors: |_| Err("its strides and activation cannot be told"),
    hugging_face: Some(&HUGGING_FACE),
};

/// Blocks are numbered through: each is a stage.
const NAMES: KeyMap = KeyMap {
    name: "efficientnet",
    prefixes: &["efficientnet.", ""],
    body: &[
        same("embed.conv", "embeddings.convolution"),
        same("embed.norm", "embeddings.batchnorm"),
        same("trunk.stages.{}.0.conv1", "encoder.blocks.{}.expansion.expand_conv"),
        same("trunk.stages.{}.0.norm1", "encoder.blocks.{}.expansion.expand_bn"),
        same("trunk.stages.{}.0.conv2", "encoder.blocks.{}.depthwise_conv.depthwise_conv"),
        same("trunk.stages.{}.0.norm2", "encoder.blocks.{}.depthwise_conv.depthwise_norm"),
        same("trunk.stages.{}.0.conv3", "encoder.blocks.{}.projection.project_conv"),
        same("trunk.stages.{}.0.norm3", "encoder.blocks.{}.projection.project_bn"),
        same("trunk.stages.{}.0.depthwise.conv", "encoder.blocks.{}.depthwise_conv.depthwise_conv"),
        same("trunk.stages.{}.0.depthwise.norm", "encoder.blocks.{}.depthwise_conv.depthwise_norm"),
        same("trunk.stages.{}.0.pointwise.conv", "encoder.blocks.{}.projection.project_conv"),
        same("trunk.stages.{}.0.pointwise.norm", "encoder.blocks.{}.projection.project_bn"),
        same("trunk.stages.{}.0.se.down", "encoder.blocks.{}.squeeze_excite.reduce"),
        same("trunk.stages.{}.0.se.up", "encoder.blocks.{}.squeeze_excite.expand"),
        same("trunk.stages.{}.0.conv", "encoder.top_conv"),
        same("trunk.stages.{}.0.norm", "encoder.top_bn"),
    ],
    head: &[same("head", "classifier")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("EfficientNetForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: NAMES,
    in_memory: &[],
    to_config,
};

/// `EfficientNetConfig` of transformers.
#[derive(Clone, Deserialize)]
struct EfficientNetConfig {
    #[serde(default = "defaults::three")]
    num_channels: i64,
    #[serde(default = "two")]
    width_coefficient: f64,
    #[serde(default = "deep")]
    depth_coefficient: f64,
    #[serde(default = "eight")]
    depth_divisor: i64,
    #[serde(default = "kernels")]
    kernel_sizes: Vec<i64>,
    #[serde(default = "inputs")]
    in_channels: Vec<i64>,
    #[serde(default = "outputs")]
    out_channels: Vec<i64>,
    #[serde(default)]
    depthwise_padding: Vec<usize>,
    #[serde(default = "strides")]
    strides: Vec<i64>,
    #[serde(default = "repeats")]
    num_block_repeats: Vec<usize>,
    #[serde(default = "ratios")]
    expand_ratios: Vec<i64>,
    #[serde(default = "quarter")]
    squeeze_expansion_ratio: f64,
    #[serde(default = "mean")]
    pooling_type: String,
    #[serde(default = "eps")]
    batch_norm_eps: f64,
    #[serde(default = "fifth")]
    drop_connect_rate: f64,
}

fn two() -> f64 {
    2.
}

fn deep() -> f64 {
    3.1
}

fn eight() -> i64 {
    8
}

fn kernels() -> Vec<i64> {
    vec![3, 3, 5, 3, 5, 5, 3]
}

fn inputs() -> Vec<i64> {
    vec![32, 16, 24, 40, 80, 112, 192]
}

fn outputs() -> Vec<i64> {
    vec![16, 24, 40, 80, 112, 192, 320]
}

fn strides() -> Vec<i64> {
    vec![1, 2, 2, 2, 1, 2, 1]
}

fn repeats() -> Vec<usize> {
    vec![1, 2, 2, 3, 3, 4, 1]
}

fn ratios() -> Vec<i64> {
    vec![1, 6, 6, 6, 6, 6, 6]
}

fn quarter() -> f64 {
    0.25
}

fn mean() -> String {
    "mean".into()
}

fn eps() -> f64 {
    1e-3
}

fn fifth() -> f64 {
    0.2
}

impl EfficientNetConfig {
    /// So many channels times the coefficient, to the nearest multiple of the divisor that is not
    /// below nine tenths of them.
    fn rounded(&self, channels: i64) -> i64 {
        let (wanted, divisor) =
            (channels as f64 * self.width_coefficient, self.depth_divisor.max(1));
        let near = ((wanted + divisor as f64 / 2.) as i64) / divisor * divisor;
        let near = near.max(divisor);
        if (near as f64) < 0.9 * wanted { near.saturating_add(divisor) } else { near }
    }

    fn network(&self, activation: Activation) -> Network {
        // Momentum there is what PyTorch's is not: 0.99 of the batch.
        let norm =
            NormConfig { kind: MapNormKind::Batch, eps: self.batch_norm_eps, momentum: 0.01 };
        let mut stages: Vec<Stage> = vec![];
        for i in 0..self.in_channels.len() {
            let width = self.rounded(self.out_channels[i]);
            let repeats = (self.num_block_repeats[i] as f64 * self.depth_coefficient).ceil();
            for j in 0..repeats.min(LONGEST) as usize {
                let c_in = if j == 0 { self.rounded(self.in_channels[i]) } else { width };
                let symmetric = self.depthwise_padding.contains(&stages.len());
                let expanded = self.expand_ratios[i] != 1;
                let squeeze = (c_in as f64 * self.squeeze_expansion_ratio) as i64;
                let block = InvertedConfig {
                    form: if expanded { InvertedForm::Inverted } else { InvertedForm::Separable },
                    inner: c_in.saturating_mul(self.expand_ratios[i]),
                    kernel: self.kernel_sizes[i],
                    padding: if symmetric { Padding::Half } else { Padding::Even },
                    activation,
                    squeeze: Some(SqueezeConfig {
                        width: squeeze.max(1),
                        activation,
                        gate: Activation::Sigmoid,
                    }),
                    // The first block of a stage never adds its input.
                    skip: if j == 0 { Skip::Without } else { Skip::Added },
                };
                stages.push(stage(vec![block], width, if j == 0 { self.strides[i] } else { 1 }));
            }
        }
        let last = InvertedConfig {
            form: InvertedForm::Plain,
            inner: self.rounded(HEAD),
            kernel: 1,
            padding: Padding::Half,
            activation,
            squeeze: None,
            skip: Skip::Without,
        };
        stages.push(stage(vec![last], self.rounded(HEAD), 1));
        let channels = (self.num_channels, self.rounded(STEM));
        let stem = StemConfig::new(channels, 3, 2, StemPool::Without);
        let stem = StemConfig { padding: Padding::Even, norm, activation, ..stem };
        let head = HeadConfig::default();
        Network { name: NAMES.name, stem, stages, norm, activation, head }
    }
}

/// The channels of the stem and of the last convolution, before the coefficient.
const STEM: i64 = 32;
const HEAD: i64 = 1280;

/// The most blocks of a stage; more are a mistake.
const LONGEST: f64 = 1e4;

/// The fields of `EfficientNetConfig`: those with which it would build the same network.
fn to_config(built: Built<'_>) -> Option<Value> {
    let (TrunkConfig::ConvNet(net), EmbedderConfig::Stem(stem)) = (built.trunk, built.embedder)
    else {
        return None;
    };
    let (last, blocks) = net.stages.split_last()?;
    let kinds = blocks.iter().map(|stage| match stage.kinds.first() {
        Some(BlockKind::Inverted(block)) if stage.blocks == 1 => Some(*block),
        _ => None,
    });
    let kinds = kinds.collect::<Option<Vec<_>>>()?;
    let coefficient = last.width as f64 / HEAD as f64;
    let (squeeze, mut c_in) = (kinds.first()?.squeeze?.width, net.in_channels);
    let mut config = EfficientNetConfig {
        num_channels: stem.in_channels,
        width_coefficient: coefficient,
        depth_coefficient: 1.,
        depth_divisor: 8,
        kernel_sizes: vec![],
        in_channels: vec![],
        out_channels: vec![],
        depthwise_padding: vec![],
        strides: vec![],
        num_block_repeats: vec![],
        expand_ratios: vec![],
        squeeze_expansion_ratio: squeeze as f64 / c_in as f64,
        pooling_type: mean(),
        batch_norm_eps: net.norm.eps,
        drop_connect_rate: net.drop_path,
    };
    for (at, (stage, block)) in blocks.iter().zip(&kinds).enumerate() {
        match (block.skip, config.num_block_repeats.last_mut()) {
            (Skip::Added, Some(repeats)) => *repeats += 1,
            _ => {
                let unrounded = |width: i64| (width as f64 / coefficient).round() as i64;
                config.in_channels.push(unrounded(c_in));
                config.out_channels.push(unrounded(stage.width));
                config.kernel_sizes.push(block.kernel);
                config.strides.push(stage.stride);
                config.expand_ratios.push(block.inner / c_in.max(1));
                config.num_block_repeats.push(1);
            }
        }
        if block.padding == Padding::Half {
            config.depthwise_padding.push(at);
        }
        c_in = stage.width;
    }
    let same = |config: &EfficientNetConfig| {
        let network = config.network(net.activation);
        let trunk = ConvNetConfig {
            norm: network.norm,
            activation: net.activation,
            drop_path: net.drop_path,
            ..ConvNetConfig::new(network.stem.out_channels, network.stages, net.block)
        };
        trunk == *net && network.stem == *stem
    };
    let divisors = [8, 4, 2, 1];
    let fits = divisors.map(|depth_divisor| EfficientNetConfig { depth_divisor, ..config.clone() });
    let c = fits.into_iter().find(same)?;
    Some(json!({
        "model_type": "efficientnet", "num_channels": c.num_channels,
        "width_coefficient": c.width_coefficient, "depth_coefficient": c.depth_coefficient,
        "depth_divisor": c.depth_divisor, "kernel_sizes": c.kernel_sizes,
        "in_channels": c.in_channels, "out_channels": c.out_channels,
        "depthwise_padding": c.depthwise_padding, "strides": c.strides,
        "num_block_repeats": c.num_block_repeats, "expand_ratios": c.expand_ratios,
        "squeeze_expansion_ratio": c.squeeze_expansion_ratio, "hidden_dim": last.width,
        "hidden_act": activation(net.activation), "pooling_type": c.pooling_type,
        "batch_norm_eps": c.batch_norm_eps, "drop_connect_rate": c.drop_connect_rate,
    }))
}
