//! The one transformer (Vaswani et al. 2017) that serves every family of checkpoints.

use std::ops::Range;

use tch::Tensor;

use super::block::Block;
use super::config::TransformerConfig;
use crate::error::Result;
use crate::nn::attention::{AttentionKind, causal_mask};
use crate::nn::features::Sequence;
use crate::nn::layers::{LayerNorm, NormPlacement};
use crate::weights::VarBuilder;

/// A stack of blocks from hidden states to hidden states.
#[derive(Debug)]
pub struct Transformer {
    config: TransformerConfig,
    blocks: Vec<Block>,
    norm: Option<LayerNorm>,
}

impl Transformer {
    /// Parameters `blocks.N.{norm1,attn.{q,k,v,out},norm2,mlp.{up,down}}.{weight,bias}`,
    /// `blocks.N.{scale1,scale2}` with layer scale, and `norm.{weight,bias}` with pre-norm.
    ///
    /// # Errors
    /// If the configuration contradicts itself, or the source of `vb` lacks a tensor.
    pub fn new(vb: &VarBuilder<'_>, config: TransformerConfig) -> Result<Self> {
        config.validate()?;
        let (tensors, values) = config.least();
        vb.check_room(tensors, values)?;
        let blocks = (0..config.depth)
            .map(|i| Block::new(&vb.sub("blocks").sub(i), &config))
            .collect::<Result<_>>()?;
        let norm = match config.norm_placement {
            NormPlacement::Pre => Some(LayerNorm::new(&vb.sub("norm"), config.width, config.eps)?),
            NormPlacement::Post => None,
        };
        Ok(Self { config, blocks, norm })
    }

    /// What it was built from.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// `[B, T, D]` to `[B, T, D]`; padding is masked.
    pub fn forward(&self, sequence: &Sequence, train: bool) -> Sequence {
        self.forward_range(sequence, 0..usize::MAX, train)
    }

    /// The forward pass through some of the blocks; the final norm counts as one block more.
    pub fn forward_range(&self, sequence: &Sequence, parts: Range<usize>, train: bool) -> Sequence {
        let Sequence { x, attention_mask } = sequence;
        let mask = attention_mask.as_ref().map(|mask| {
            let t = mask.size()[1];
            let mask = mask.view([-1, 1, 1, t]);
            match self.config.attention {
                AttentionKind::Bidirectional => mask,
                AttentionKind::Causal => mask.logical_and(&causal_mask(t, x.device())),
            }
        });
        let depth = self.blocks.len();
        let blocks = &self.blocks[parts.start.min(depth)..parts.end.min(depth)];
        let x = blocks.iter().fold(x.shallow_clone(), |x, block| {
            block.forward(&x, mask.as_ref(), &self.config, train)
        });
        let norm = self.norm.as_ref().filter(|_| parts.contains(&depth));
        Sequence {
            x: norm.map(|n| n.forward(&x)).unwrap_or(x),
            attention_mask: attention_mask.as_ref().map(Tensor::shallow_clone),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;
    use crate::weights::Fresh;

    fn config(norm_placement: NormPlacement, attention: AttentionKind) -> TransformerConfig {
        let usual = TransformerConfig::of(16, 2);
        TransformerConfig { heads: 4, mlp: 32, norm_placement, attention, ..usual }
    }

    /// Which of 5 positions of the output change when the input changes from position 3 on.
    fn changed(norm: NormPlacement, attention: AttentionKind, mask: Option<&Tensor>) -> Vec<bool> {
        tch::manual_seed(1);
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh);
        let transformer = Transformer::new(&root, config(norm, attention)).unwrap();
        let run = |x: &Tensor| {
            let mask = mask.map(Tensor::shallow_clone);
            transformer.forward(&Sequence { x: x.shallow_clone(), attention_mask: mask }, false).x
        };
        let x = Tensor::randn([1, 5, 16], (Kind::Float, Device::Cpu));
        let later = Tensor::cat(&[x.narrow(1, 0, 3), x.narrow(1, 3, 2) * 2.], 1);
        let difference = (run(&x) - run(&later)).abs().amax([0, 2].as_slice(), false);
        Vec::<f32>::try_from(difference).unwrap().iter().map(|&d| d > 1e-6).collect()
    }

    #[test]
    fn a_position_attends_to_what_it_may() {
        let mask = Tensor::from_slice(&[true, true, true, false, false]).view([1, 5]);
        for norm in [NormPlacement::Pre, NormPlacement::Post] {
            assert_eq!(changed(norm, AttentionKind::Bidirectional, None), [true; 5]);
            let before = [false, false, false, true, true];
            assert_eq!(changed(norm, AttentionKind::Causal, None), before);
            // Padding attends to itself, and nothing attends to it.
            assert_eq!(changed(norm, AttentionKind::Bidirectional, Some(&mask))[..3], before[..3]);
            assert_eq!(changed(norm, AttentionKind::Causal, Some(&mask))[..3], before[..3]);
        }
    }

    #[test]
    fn a_contradiction_is_named() {
        let good = config(NormPlacement::Post, AttentionKind::Bidirectional);
        for (bad, said) in [
            (TransformerConfig { heads: 3, ..good.clone() }, "3 heads do not divide the width 16"),
            (TransformerConfig { depth: 0, ..good.clone() }, "at least 1"),
            (
                TransformerConfig { dropout: 1., ..good.clone() },
                "dropout 1: must be at least 0 and below 1",
            ),
            (TransformerConfig { eps: 0., ..good }, "eps 0: must be above 0"),
        ] {
            let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
            let error = Transformer::new(&VarBuilder::root(&store, &fresh), bad).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
