//! What the tensors of a convolutional network tell, whatever their publisher calls them.

use crate::family::family::{PretrainedConfig, PretrainedHead};
use crate::nn::{
    BlockKind, ConvNetConfig, EmbedderConfig, HeadConfig, MapNormKind, NormConfig, Pool, Shortcut,
    Squeeze, Stage, StemConfig, StemPool, TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, Prefix};

pub(super) const UNUSUAL: &str =
    "a network of this build is not supported (another stem, other blocks or shapes)";

/// The tensors of a checkpoint, asked for by our names.
pub(super) struct Tensors<'c> {
    checkpoint: &'c Checkpoint,
    key_map: KeyMap,
    prefix: Prefix,
}

impl<'c> Tensors<'c> {
    pub(super) fn of(checkpoint: &'c Checkpoint, key_map: KeyMap) -> Result<Self, &'static str> {
        let names = checkpoint.entries().map(|(name, _)| name);
        let prefix = key_map.prefix(names).ok().flatten().ok_or(UNUSUAL)?;
        Ok(Self { checkpoint, key_map, prefix })
    }

    /// The publisher's name of a parameter of ours, and its shape.
    pub(super) fn entry(&self, ours: &str) -> Option<(String, &'c [i64])> {
        let Prefix { wrapper, body, .. } = &self.prefix;
        let sources = self.key_map.sources(body, ours);
        let mut names = sources.into_iter().filter_map(|source| source.parts.into_iter().next());
        names.find_map(|name| {
            let name = format!("{wrapper}{name}");
            let shape = &self.checkpoint.entry(&name)?.shape;
            Some((name, shape.as_slice()))
        })
    }

    pub(super) fn shape(&self, ours: &str) -> Option<&'c [i64]> {
        self.entry(ours).map(|(_, shape)| shape)
    }

    pub(super) fn has(&self, ours: &str) -> bool {
        self.shape(ours).is_some()
    }

    /// Whether the checkpoint has a tensor of the publisher's name.
    pub(super) fn has_theirs(&self, name: &str) -> bool {
        let Prefix { wrapper, body, .. } = &self.prefix;
        self.checkpoint.entry(&format!("{wrapper}{body}{name}")).is_some()
    }

    /// How many there are of a parameter of ours, by its number.
    pub(super) fn count(&self, ours: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|&i| self.has(&ours(i))).count()
    }

    /// The output channels of a convolution of ours.
    pub(super) fn width(&self, ours: &str) -> Option<i64> {
        self.shape(ours)?.first().copied()
    }

    /// The stem: its channels and kernels; two more convolutions where there are any.
    pub(super) fn stem(&self, stride: i64, pool: StemPool) -> Option<StemConfig> {
        let first = self.shape("embed.before.0.conv.weight");
        let &[out_channels, last_in, kernel, _] = self.shape("embed.conv.weight")? else {
            return None;
        };
        let (in_channels, before) = match first {
            Some(&[c, in_channels, ..]) => (in_channels, Some([c, last_in])),
            _ => (last_in, None),
        };
        let stem = StemConfig::new((in_channels, out_channels), kernel, stride, pool);
        Some(StemConfig { before, ..stem })
    }

    /// A residual network whose stages begin with these strides, the last of which stands for all
    /// behind it.
    pub(super) fn residual(&self, strides: &[i64]) -> Option<ConvNetConfig> {
        let at = |i: usize, j: usize, name: &str| format!("trunk.stages.{i}.{j}.{name}.weight");
        let bottleneck = self.has(&at(0, 0, "conv3"));
        let count = self.count(|i| at(i, 0, "conv1"));
        let stages = (0..count).map(|i| {
            let blocks = self.count(|j| at(i, j, "conv1"));
            let stride = *strides.get(i).or(strides.last())?;
            let &[outer, per_group, ..] = self.shape(&at(i, 0, "conv2"))? else { return None };
            let first = self.width(&at(i, 0, "conv1"))?;
            // The first convolution of a block is as wide as the second.
            if first != outer || per_group < 1 || outer % per_group != 0 {
                return None;
            }
            if !bottleneck {
                return (per_group == first).then(|| Stage::new(blocks, outer, stride));
            }
            let width = self.width(&at(i, 0, "conv3"))?;
            let inner = (4 * outer != width).then_some(outer);
            Some(Stage { inner, groups: outer / per_group, ..Stage::new(blocks, width, stride) })
        });
        let stages = stages.collect::<Option<Vec<_>>>()?;
        let kind = if bottleneck { BlockKind::Bottleneck } else { BlockKind::Basic };
        Some(ConvNetConfig {
            shortcut: self.shortcut(&stages),
            squeeze: match self.has("trunk.stages.0.0.gate.conv.weight") {
                true => Some(Squeeze::Neighbours),
                false => self.has("trunk.stages.0.0.gate.down.weight").then_some(Squeeze::Outputs),
            },
            ..ConvNetConfig::new(self.width("embed.conv.weight")?, stages, kind)
        })
    }

    /// How the first stage with a stride brings its input to its shape.
    fn shortcut(&self, stages: &[Stage]) -> Shortcut {
        let Some(i) = stages.iter().position(|stage| stage.stride > 1) else {
            return Shortcut::Projected;
        };
        match self.entry(&format!("trunk.stages.{i}.0.shortcut.conv.weight")) {
            None => Shortcut::Padded,
            // Behind the pooling in a sequence.
            Some((name, _)) if name.ends_with("downsample.1.weight") => Shortcut::Pooled,
            Some(_) => Shortcut::Projected,
        }
    }

    /// Batch norms, or those of 32 groups where there are no running statistics.
    pub(super) fn norm(&self, ours: &str) -> NormConfig {
        match self.has(&format!("{ours}.running_mean")) {
            true => NormConfig::default(),
            false => NormConfig::of(MapNormKind::Group(32)),
        }
    }
}

/// A model that averages its feature map.
pub(super) fn pretrained(name: &str, trunk: ConvNetConfig, stem: StemConfig) -> PretrainedConfig {
    PretrainedConfig {
        name: name.into(),
        modality: "image".into(),
        trunk: TrunkConfig::ConvNet(trunk),
        embedder: EmbedderConfig::Stem(stem),
        head: PretrainedHead { pool: Pool::Mean, config: HeadConfig::default(), labels: None },
    }
}
