//! What the tensors of MobileNets and EfficientNets tell of their blocks, whoever named them.

use super::convnet::{Tensors, UNUSUAL};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{PretrainedConfig, PretrainedHead};
use crate::nn::{
    Activation, BlockKind, ConvNetConfig, Dense, EmbedderConfig, HeadConfig, InvertedConfig,
    InvertedForm, MapNormKind, NormConfig, Padding, Pool, Skip, SqueezeConfig, Stage, StemConfig,
    StemPool, TrunkConfig,
};

/// A block as its tensors have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The index of its stage.
    pub(super) stage: usize,
    pub(super) form: InvertedForm,
    pub(super) width: i64,
    pub(super) inner: i64,
    pub(super) kernel: i64,
    /// The width between the layers of its squeeze.
    pub(super) squeeze: Option<i64>,
}

/// What tensors do not tell of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// That of the first block in a stage.
    pub(super) stride: i64,
    pub(super) padding: Padding,
    pub(super) activation: Activation,
    /// The activation and the gate of a squeeze.
    pub(super) squeeze: [Activation; 2],
}

/// The strides of MobileNet v2, of v3 large, and of all EfficientNets, by stage.
pub(super) fn usual_stride(stage: usize) -> i64 {
    [1, 2, 2, 2, 1, 2, 1].get(stage).copied().unwrap_or(1)
}

/// The shape of a convolution's kernel: output channels, input channels of a group, side.
fn kernel(tensors: &Tensors<'_>, name: &str) -> Option<[i64; 3]> {
    match tensors.shape(name) {
        Some(&[c_out, c_in, rows, columns]) if rows == columns => Some([c_out, c_in, rows]),
        _ => None,
    }
}

/// The convolutions of the block `at`, with `c_in` input channels. Different forms have tensors of one
/// name: their shapes tell them apart.
fn found(tensors: &Tensors<'_>, at: &str, stage: usize, c_in: i64) -> Option<Found> {
    let kernel = |module: &str| kernel(tensors, &format!("{at}.{module}.weight"));
    let depthwise = |[c_out, c_in, _]: &[i64; 3]| *c_in == 1 && *c_out > 1;
    let (first, second, third) = (kernel("conv1"), kernel("conv2"), kernel("conv3"));
    let separable = kernel("depthwise.conv").filter(depthwise).filter(|[channels, ..]| {
        // It is the first convolution, or there is no other before it and none behind the next.
        let alone = first.is_none_or(|first| depthwise(&first)) || third.is_none();
        alone && *channels == c_in
    });
    let squeeze = tensors.shape(&format!("{at}.se.down.weight"));
    let squeeze = squeeze.and_then(|shape| shape.first().copied());
    let of = |form, width, inner, kernel| Found { stage, form, width, inner, kernel, squeeze };
    if let Some([_, _, side]) = separable {
        let [width, ..] = kernel("pointwise.conv")?;
        return Some(of(InvertedForm::Separable, width, c_in, side));
    }
    match (first, second, third) {
        (Some([inner, ..]), Some(second), Some([width, ..])) if depthwise(&second) => {
            Some(of(InvertedForm::Inverted, width, inner, second[2]))
        }
        (Some([inner, _, side]), Some([width, ..]), _) => {
            Some(of(InvertedForm::Fused, width, inner, side))
        }
        _ => {
            let [width, _, side] = kernel("conv")?;
            // A convolution behind the pooling has another norm, or none.
            tensors.shape(&format!("{at}.norm.weight"))?;
            Some(of(InvertedForm::Plain, width, width, side))
        }
    }
}

/// All stages, with `c_in` channels before the first. `style` is told each block.
pub(super) fn stages(
    tensors: &Tensors<'_>,
    c_in: i64,
    mut style: impl FnMut(&Found) -> Style,
) -> Vec<Stage> {
    let (mut stages, mut c_in) = (vec![], c_in);
    loop {
        let at = stages.len();
        let (mut kinds, mut stride, mut ends) = (vec![], 1, false);
        while !ends {
            let name = format!("trunk.stages.{at}.{}", kinds.len());
            let Some(found) = found(tensors, &name, at, c_in) else { break };
            let Found { form, width, inner, kernel, .. } = found;
            let style = style(&found);
            // The last convolution of a network.
            ends = form == InvertedForm::Plain && kernel == 1;
            if kinds.is_empty() && !ends {
                stride = style.stride;
            }
            let [activation, gate] = style.squeeze;
            kinds.push(InvertedConfig {
                form,
                inner,
                kernel,
                padding: style.padding,
                activation: style.activation,
                squeeze: found.squeeze.map(|width| SqueezeConfig { width, activation, gate }),
                skip: if ends { Skip::Without } else { Skip::Added },
            });
            c_in = width;
        }
        if kinds.is_empty() {
            return stages;
        }
        stages.push(stage(kinds, c_in, stride));
        if ends {
            return stages;
        }
    }
}

/// A stage of blocks, of which equal ones at the end are told once.
pub(super) fn stage(kinds: Vec<InvertedConfig>, width: i64, stride: i64) -> Stage {
    let blocks = kinds.len();
    let alike = kinds.iter().rev().take_while(|kind| Some(*kind) == kinds.last()).count();
    let told = (blocks + 1).saturating_sub(alike.max(1));
    let kinds = kinds.into_iter().take(told).map(BlockKind::Inverted).collect();
    Stage { kinds, ..Stage::new(blocks, width, stride) }
}

/// A network and its stem, which halves the sides of a picture.
pub(super) struct Network {
    pub(super) name: &'static str,
    pub(super) stem: StemConfig,
    pub(super) stages: Vec<Stage>,
    pub(super) norm: NormConfig,
    pub(super) activation: Activation,
    pub(super) head: HeadConfig,
}

/// The stem as its tensors have it.
pub(super) fn stem(
    tensors: &Tensors<'_>,
    norm: NormConfig,
    padding: Padding,
    activation: Activation,
) -> Option<StemConfig> {
    let &[out_channels, in_channels, kernel, _] = tensors.shape("embed.conv.weight")? else {
        return None;
    };
    // Norms of other kinds have no statistics.
    tensors.shape("embed.norm.running_mean")?;
    let stem = StemConfig::new((in_channels, out_channels), kernel, 2, StemPool::Without);
    Some(StemConfig { padding, norm, activation, ..stem })
}

/// The hidden layer of a head, as its tensors have it.
pub(super) fn dense(tensors: &Tensors<'_>, activation: Activation) -> Option<Dense> {
    let &[width, ..] = tensors.shape("head.dense.weight")? else { return None };
    Some(Dense { width, activation })
}

impl Network {
    pub(super) fn family(self) -> Result<PretrainedConfig, &'static str> {
        let Self { name, stem, stages, norm, activation, head } = self;
        let block = stages.first().and_then(|stage| stage.kinds.first().copied());
        let block = block.ok_or(UNUSUAL)?;
        Ok(PretrainedConfig {
            name: name.into(),
            modality: "image".into(),
            trunk: TrunkConfig::ConvNet(ConvNetConfig {
                norm,
                activation,
                ..ConvNetConfig::new(stem.out_channels, stages, block)
            }),
            embedder: EmbedderConfig::Stem(stem),
            head: PretrainedHead { pool: Pool::Mean, config: head, labels: None },
        })
    }
}

impl PretrainedConfig {
    /// Another rate at which samples skip blocks in training.
    pub(super) fn set_drop_path(&mut self, rate: f64) {
        if let TrunkConfig::ConvNet(net) = &mut self.trunk {
            net.drop_path = rate;
        }
    }

    /// Another norm in stem, trunk and head, and another rate at which samples skip blocks.
    pub(super) fn set_norm(&mut self, norm: NormConfig, drop_path: f64) {
        if let (TrunkConfig::ConvNet(net), EmbedderConfig::Stem(stem)) =
            (&mut self.trunk, &mut self.embedder)
        {
            (net.norm, stem.norm, net.drop_path) = (norm, norm, drop_path);
            self.head.config.norm = self.head.config.norm.map(|_| norm.eps);
        }
    }
}

/// With the labels of a `config.json` that names no family.
pub(super) fn labelled(
    config: &Config,
    told: Result<PretrainedConfig, &'static str>,
) -> Result<PretrainedConfig> {
    let mut family = told.map_err(|problem| config.refuse(problem.into()))?;
    family.head.labels = config.labels()?;
    Ok(family)
}

/// The activation that transformers names `hidden_act`.
pub(super) fn named_activation(config: &Config, usual: Activation) -> Result<Activation> {
    Ok(match config.field("hidden_act").as_str() {
        None => usual,
        Some("gelu") => Activation::Gelu,
        Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
        Some("relu") => Activation::Relu,
        Some("relu6") => Activation::Relu6,
        Some("silu" | "swish") => Activation::Silu,
        Some(other) => {
            let problem = format!("hidden_act is {other:?}, expected gelu, relu, relu6 or silu");
            return Err(config.refuse(problem));
        }
    })
}

/// The epsilon of TensorFlow's batch norms, and the share of a batch in their statistics.
pub(super) const TENSORFLOW: NormConfig = NormConfig { eps: 1e-3, momentum: 0.01, ..USUAL };

/// PyTorch's.
pub(super) const USUAL: NormConfig =
    NormConfig { kind: MapNormKind::Batch, eps: 1e-5, momentum: 0.1 };
