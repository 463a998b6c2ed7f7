//! The one windowed transformer: Swin (Liu et al. 2021) and Swin v2 (Liu et al. 2022).

use std::ops::Range;

use tch::{Device, Tensor};

use super::block::{Block, Merge};
use super::config::SwinConfig;
use super::windows::Windows;
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphFeatures, GraphMap};
use crate::nn::layers::LayerNorm;
use crate::weights::VarBuilder;

/// Blocks of one stage, and the merging behind them.
#[derive(Debug)]
struct Stage {
    blocks: Vec<Block>,
    merge: Option<Merge>,
}

/// Stages of blocks with windowed attention, from feature map to feature map.
#[derive(Debug)]
pub struct Swin {
    config: SwinConfig,
    stages: Vec<Stage>,
    norm: LayerNorm,
}

impl Swin {
    /// Parameters `stages.N.blocks.M.{norm1,attn.{q,k,v,out},norm2,mlp.{up,down}}.{weight,bias}`, the
    /// biases of positions (`attn.position.table`, or `attn.logit_scale` and
    /// `attn.position.{hidden,out}`), `stages.N.merge.{norm,reduce}` in all stages but the last, and
    /// `norm.{weight,bias}`.
    ///
    /// # Errors
    /// If the configuration contradicts itself, or the source of `vb` lacks a tensor.
    pub fn new(vb: &VarBuilder<'_>, config: SwinConfig) -> Result<Self> {
        config.validate()?;
        let (tensors, values) = config.least();
        vb.check_room(tensors, values)?;
        let (mut stages, mut index) = (vec![], 0);
        for (i, stage) in config.stages.iter().enumerate() {
            let vb = vb.sub("stages").sub(i);
            let block = |j| Block::new(&vb.sub("blocks").sub(j), &config, i, index + j);
            let blocks = (0..stage.blocks).map(block).collect::<Result<_>>()?;
            let merges = i + 1 < config.stages.len();
            let merge = || Merge::new(&vb.sub("merge"), config.version, config.channels(i));
            stages.push(Stage { blocks, merge: merges.then(merge).transpose()? });
            index += stage.blocks;
        }
        let norm = LayerNorm::new(&vb.sub("norm"), config.out_channels(), config.eps)?;
        Ok(Self { config, stages, norm })
    }

    /// What it was built from.
    pub fn config(&self) -> &SwinConfig {
        &self.config
    }

    /// `[B, C, H, W]` to `[B, out_channels, H', W']`, in which each stage but the last halved the
    /// sides. A map that windows do not divide is filled up with zeros, as the libraries do.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.forward_range(x, 0..usize::MAX, train)
    }

    /// The forward pass through some of the stages; the final norm counts as one stage more.
    pub fn forward_range(&self, x: &Tensor, parts: Range<usize>, train: bool) -> Tensor {
        let count = self.stages.len();
        let chosen = parts.start.min(count)..parts.end.min(count);
        let x = chosen.fold(x.permute([0, 2, 3, 1]), |x, i| self.stage(i, x, train));
        let x = if parts.contains(&count) { self.norm.forward(&x) } else { x };
        x.permute([0, 3, 1, 2])
    }

    /// `[B, H, W, C]` through one stage.
    fn stage(&self, i: usize, x: Tensor, train: bool) -> Tensor {
        let (c, stage, size) = (&self.config, &self.stages[i], x.size());
        let windows = Windows::new([size[1], size[2]], c.stages[i].window, c.padding);
        let shifted = windows.shifted();
        let mask = shifted.mask(x.device());
        let x = stage.blocks.iter().enumerate().fold(x, |x, (j, block)| match j % 2 {
            0 => block.forward(&x, &windows, None, c, train),
            _ => block.forward(&x, &shifted, mask.as_ref(), c, train),
        });
        match &stage.merge {
            Some(merge) => merge.forward(&x, c.version, train),
            None => x,
        }
    }

    /// [`forward`](Self::forward) in a graph; `each` is shown what each stage makes.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        map: GraphMap,
        each: &mut dyn FnMut(&GraphFeatures),
    ) -> GraphMap {
        let (c, mut x, mut sides) = (&self.config, map.x.permute(&[0, 2, 3, 1]), map.sides);
        for (stage, shape) in self.stages.iter().zip(&c.stages) {
            let windows = Windows::new(sides, shape.window, c.padding);
            let shifted = windows.shifted();
            let mask = shifted.mask(Device::Cpu);
            for (j, block) in stage.blocks.iter().enumerate() {
                x = match j % 2 {
                    0 => block.onnx(e, &x, &windows, None, c),
                    _ => block.onnx(e, &x, &shifted, mask.as_ref(), c),
                };
            }
            if let Some(merge) = &stage.merge {
                (x, sides) = merge.onnx(e, &x, sides, c.version);
            }
            each(&GraphFeatures::FeatureMap(GraphMap { x: x.permute(&[0, 3, 1, 2]), sides }));
        }
        GraphMap { x: self.norm.onnx(e, &x).permute(&[0, 3, 1, 2]), sides }
    }
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;
    use crate::nn::layers::{Activation, Bias};
    use crate::nn::trunk::swin::config::{SwinStage, SwinVersion, WindowPadding};
    use crate::weights::Fresh;

    fn config(version: SwinVersion) -> SwinConfig {
        let stage = |heads| SwinStage { blocks: 2, heads, window: 3, pretrained_window: 0 };
        SwinConfig {
            width: 8,
            stages: vec![stage(2), stage(4)],
            version,
            mlp_ratio: 2.,
            activation: Activation::Gelu,
            qkv_bias: Bias::With,
            padding: WindowPadding::BeforeShift,
            eps: 1e-5,
            dropout: 0.,
            drop_path: 0.,
        }
    }

    #[test]
    fn feature_maps_of_any_size_go_through_and_stages_add_up() {
        tch::manual_seed(1);
        for version in [SwinVersion::V1, SwinVersion::V2] {
            let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
            let swin = Swin::new(&VarBuilder::root(&store, &fresh), config(version)).unwrap();
            for (sides, want) in [([6, 6], [3, 3]), ([5, 11], [3, 6]), ([1, 2], [1, 1])] {
                let x = Tensor::randn([2, 8, sides[0], sides[1]], (Kind::Float, Device::Cpu));
                let whole = swin.forward(&x, false);
                assert_eq!(whole.size(), [2, 16, want[0], want[1]]);
                let parts = (0..3).fold(x, |x, i| swin.forward_range(&x, i..i + 1, false));
                assert!((whole - parts).abs().max().double_value(&[]) < 1e-5);
            }
        }
    }

    #[test]
    fn windows_alone_see_nothing_beyond_and_shifted_ones_their_neighbours() {
        tch::manual_seed(1);
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        for (blocks, reached) in [(1, false), (2, true)] {
            let mut c = config(SwinVersion::V1);
            c.stages = vec![SwinStage { blocks, ..c.stages[0] }];
            let vb = VarBuilder::root(&store, &fresh).sub(blocks);
            let swin = Swin::new(&vb, c).unwrap();
            let x = Tensor::randn([1, 8, 6, 6], (Kind::Float, Device::Cpu));
            let other = x.copy();
            // The corner of the first window that the second and third ones border on.
            let _ = tch::no_grad(|| other.narrow(2, 2, 1).narrow(3, 2, 1).fill_(3.));
            let changed = (swin.forward(&x, false) - swin.forward(&other, false)).abs();
            let beyond = changed.narrow(2, 3, 3).narrow(3, 3, 3).max().double_value(&[]);
            assert_eq!(beyond > 1e-6, reached);
        }
    }

    #[test]
    fn a_contradiction_is_named() {
        let good = config(SwinVersion::V1);
        let stage = |s: SwinStage| SwinConfig { stages: vec![s], ..good.clone() };
        let one = good.stages[0];
        for (bad, said) in [
            (stage(SwinStage { heads: 3, ..one }), "3 heads do not divide the 8 channels"),
            (stage(SwinStage { window: 1 << 40, ..one }), "expected 1 to 64"),
            (stage(SwinStage { blocks: 0, ..one }), "at least 1"),
            (SwinConfig { stages: vec![], ..good.clone() }, "0 stages"),
            (SwinConfig { mlp_ratio: f64::NAN, ..good.clone() }, "mlp_ratio NaN"),
            (SwinConfig { drop_path: 1., ..good.clone() }, "below 1"),
            (SwinConfig { width: i64::MAX, ..good.clone() }, "expected at most"),
        ] {
            let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
            let error = Swin::new(&VarBuilder::root(&store, &fresh), bad).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
