//! The one transformer (Vaswani et al. 2017) that serves every family of checkpoints.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use tch::Tensor;

use super::config::{FinalNorm, TransformerConfig};
use super::layer::Layer;
use super::packing::Packing;
use crate::error::Result;
use crate::libtorch::fused;
use crate::nn::attention::{
    AttentionContext, AttentionKind, GraphContext, causal_mask, causal_mask_onnx, local_mask,
    local_mask_onnx,
};
use crate::nn::exporter::{Exporter, GraphFeatures, GraphSequence};
use crate::nn::features::{Sequence, TokenLayout};
use crate::nn::layers::{BatchNormStats, Norm, NormPlacement};
use crate::nn::position::RelativePositions;
use crate::onnx::Value;
use crate::weights::{RowGuard, VarBuilder};

/// A stack of blocks from hidden states to hidden states.
#[derive(Debug)]
pub struct Transformer {
    config: TransformerConfig,
    layout: TokenLayout,
    positions: RelativePositions,
    /// Those with parameters of their own. One that is computed again lives for as long as its graph.
    blocks: Vec<Arc<Layer>>,
    norm: Option<Norm>,
    /// Whether the backward pass computes the blocks again.
    recomputes: Cell<bool>,
}

impl Transformer {
    /// Parameters `blocks.N.{norm1,attn.{q,k,v,out},norm2,mlp.{up,down}}.{weight,bias}`, and where
    /// the configuration asks for them: `blocks.N.mlp.{gate,norm}`,
    /// `blocks.N.attn.{norm_q,norm_k,norm}`,
    /// `blocks.N.{norm1_out,norm2_out}` with sandwich norms, `blocks.N.{scale1,scale2}` with layer
    /// scale, `norm` behind the last block, and `shared.relative` of positions that all blocks share;
    /// what a block itself knows of them is in its `attn`; a convolution beside the first block is
    /// `blocks.0.conv`. A conformer's blocks have `macaron.{norm,mlp}`, `conv` and `norm_out`, too.
    ///
    /// # Errors
    /// If the configuration contradicts itself, or the source of `vb` lacks a tensor.
    // No two threads use a block at a time; that the last to let go of it may be another is all it takes.
    #[allow(clippy::arc_with_non_send_sync)]
    pub fn new(vb: &VarBuilder<'_>, config: TransformerConfig) -> Result<Self> {
        config.validate()?;
        let (tensors, values) = config.least();
        vb.check_room(tensors, values)?;
        let shape = config.attention_config().shape();
        let positions = RelativePositions::new(&vb.sub("shared"), config.positions, shape)?;
        let blocks = (0..config.distinct())
            .map(|i| Ok(Arc::new(Layer::new(&vb.sub("blocks").sub(i), &config, i)?)))
            .collect::<Result<_>>()?;
        let norm = match (config.final_norm, config.norm_placement) {
            (FinalNorm::Without, _) | (_, NormPlacement::Post) => None,
            (FinalNorm::Usual, NormPlacement::Pre | NormPlacement::Sandwich) => {
                Some(Norm::new(&vb.sub("norm"), config.norm_kind, config.width, config.eps)?)
            }
        };
        let (layout, recomputes) = (TokenLayout::default(), Cell::new(false));
        Ok(Self { config, layout, positions, blocks, norm, recomputes })
    }

    /// What it was built from.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// Tells it what the positions of its sequences are, where that is not one after the other.
    pub fn set_layout(&mut self, layout: TokenLayout) {
        self.layout = layout;
    }

    /// Decides whether batch-norm running statistics are updated, where there are any.
    pub fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.blocks.iter().for_each(|block| block.set_batch_norm_stats(statistics));
    }

    /// In training, keeps what goes into each block alone, and computes the block again for its backward
    /// pass (gradient checkpointing, Chen et al. 2016): the gradients are the same to the last bit.
    /// Whether the blocks are such that this can be: not those of conformers, whose batch norms would see
    /// a batch twice.
    pub fn recompute_activations(&self) -> bool {
        self.recomputes.set(self.config.convolution.is_none());
        self.recomputes.get()
    }

    /// The number of hidden states that enter this part or lie below it.
    pub(crate) fn states_to(&self, part: usize) -> i64 {
        1 + (part.min(self.blocks.len()) * self.config.repeats()) as i64
    }

    /// `[B, T, D]` to `[B, T, D]`; padding is masked.
    pub fn forward(&self, sequence: &Sequence, train: bool) -> Sequence {
        self.forward_range(sequence, 0..usize::MAX, train)
    }

    /// The forward pass through some of the parts: blocks with parameters of their own, and all their
    /// repetitions; the final norm counts as one part more.
    pub fn forward_range(&self, sequence: &Sequence, parts: Range<usize>, train: bool) -> Sequence {
        let Some(packing) = self.packing(sequence, &parts, train) else {
            return self.forward_each(sequence, parts, train, &mut |_| ());
        };
        let x = {
            let _rows = RowGuard::packed(&packing.lengths);
            let (x, contexts) =
                (packing.pack(&sequence.x), self.contexts(sequence, Some(&packing)));
            packing.unpack(&self.run(x, &contexts, &parts, train, &mut |_| ()))
        };
        let attention_mask = sequence.attention_mask.as_ref().map(Tensor::shallow_clone);
        // Of what was unpacked: so a cut ahead of it changes nothing, not even where no data are.
        Sequence { x: self.normed(x, &parts), attention_mask }
    }

    /// The same; `each` is shown every hidden state `[B, T, D]` on the way: what goes in, and what each
    /// block makes.
    pub(crate) fn forward_each(
        &self,
        sequence: &Sequence,
        parts: Range<usize>,
        train: bool,
        each: &mut dyn FnMut(&Tensor),
    ) -> Sequence {
        let Sequence { x, attention_mask } = sequence;
        let contexts = self.contexts(sequence, None);
        let x = self.run(x.shallow_clone(), &contexts, &parts, train, each);
        Sequence {
            x: self.normed(x, &parts),
            attention_mask: attention_mask.as_ref().map(Tensor::shallow_clone),
        }
    }

    /// How padding can be left out of what the blocks compute: where nothing but attention knows of
    /// positions beside each other, and there is a kernel for it.
    fn packing(&self, sequence: &Sequence, parts: &Range<usize>, train: bool) -> Option<Packing> {
        let mask = sequence.attention_mask.as_ref()?;
        let config = &self.config;
        let alone = config.conv.is_none()
            && config.convolution.is_none()
            && !(train && config.drop_path > 0.)
            && self.positions.are_of_each_position();
        let used = parts.start < self.blocks.len()
            && fused::has_kernels_for(&sequence.x)
            && !fused::is_tracing();
        (alone && used).then(|| Packing::new(mask)).flatten()
    }

    /// Hidden states through the blocks of some of the parts.
    fn run(
        &self,
        x: Tensor,
        contexts: &Contexts,
        parts: &Range<usize>,
        train: bool,
        each: &mut dyn FnMut(&Tensor),
    ) -> Tensor {
        let (mut x, count, repeats) = (x, self.blocks.len(), self.config.repeats());
        each(&x);
        for part in parts.start.min(count)..parts.end.min(count) {
            for index in part * repeats..(part + 1) * repeats {
                let dropout = self.config.dropout;
                let (block, context) = (&self.blocks[part], contexts.of(index));
                x = if train && self.recomputes.get() {
                    let (block, context) = (Arc::clone(block), Arc::clone(context));
                    fused::recompute(&x, move |x| block.forward(x, &context, dropout, true))
                } else {
                    block.forward(&x, context, dropout, train)
                };
                each(&x);
            }
        }
        x
    }

    /// Hidden states behind the final norm, where that is one of the parts.
    fn normed(&self, x: Tensor, parts: &Range<usize>) -> Tensor {
        let norm = self.norm.as_ref().filter(|_| parts.contains(&self.blocks.len()));
        norm.map(|n| n.forward(&x)).unwrap_or(x)
    }

    /// What the blocks share in a pass.
    fn contexts(&self, sequence: &Sequence, packing: Option<&Packing>) -> Contexts {
        let local = self.config.local.as_ref();
        // No two threads use a context at a time; that the last to let go of it may be another is all it takes.
        #[allow(clippy::arc_with_non_send_sync)]
        let context = |reach| Arc::new(self.context(sequence, packing, reach));
        Contexts {
            everywhere: context(None),
            near: local.map(|local| (local.blocks.clone(), context(Some(local.reach)))),
        }
    }

    /// What blocks share that attend to all positions, or to those at a distance of at most `reach`.
    fn context(
        &self,
        sequence: &Sequence,
        packing: Option<&Packing>,
        reach: Option<i64>,
    ) -> AttentionContext {
        let (t, device) = (sequence.x.size()[1], sequence.x.device());
        let padding = sequence.attention_mask.as_ref().filter(|_| packing.is_none());
        let keys = padding.map(|mask| mask.view([-1, 1, 1, t]));
        let causal = self.config.attention == AttentionKind::Causal;
        // Without any other mask, attention makes the causal one itself.
        let before =
            (causal && (padding.is_some() || reach.is_some())).then(|| causal_mask(t, device));
        let near = reach.map(|reach| local_mask(t, reach, device));
        let masks = [keys, before, near].into_iter().flatten();
        let base = reach.and(self.config.local.as_ref()).and_then(|local| local.base);
        let width = self.config.head_width();
        let positions = self.positions.context(self.layout, t, width, base, device);
        AttentionContext {
            mask: masks.reduce(|a, b| a.logical_and(&b)),
            padding: padding.map(Tensor::shallow_clone),
            cu_seqlens: packing.map(|packing| packing.cu_seqlens.shallow_clone()),
            causal,
            positions: match packing {
                Some(packing) => positions.at(&packing.positions()),
                None => positions,
            },
        }
    }
}

/// What the blocks share in a pass.
struct Contexts {
    everywhere: Arc<AttentionContext>,
    /// For those that attend to what is near.
    near: Option<(Vec<usize>, Arc<AttentionContext>)>,
}

impl Contexts {
    /// What the block with this index is given.
    fn of(&self, index: usize) -> &Arc<AttentionContext> {
        match &self.near {
            Some((blocks, near)) if blocks.contains(&index) => near,
            _ => &self.everywhere,
        }
    }
}

/// In a graph.
impl Transformer {
    /// As [`forward_each`](Self::forward_each), through all parts.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        sequence: GraphSequence,
        each: &mut dyn FnMut(&GraphFeatures),
    ) -> GraphSequence {
        let GraphSequence { x, attention_mask } = sequence;
        let mask = attention_mask.as_ref();
        let everywhere = self.context_onnx(e, &x, mask, None);
        let local = self.config.local.as_ref();
        let near = local.map(|local| self.context_onnx(e, &x, mask, Some(local.reach)));
        let with = |x: Value| GraphSequence { x, attention_mask: attention_mask.clone() };
        let mut show = |x: &Value| each(&GraphFeatures::Sequence(with(x.clone())));
        show(&x);
        let (mut x, repeats) = (x, self.config.repeats());
        for index in 0..self.config.depth {
            let context = match (&near, local) {
                (Some(near), Some(local)) if local.blocks.contains(&index) => near,
                _ => &everywhere,
            };
            x = self.blocks[index / repeats].onnx(e, &x, context);
            show(&x);
        }
        with(self.norm.as_ref().map(|norm| norm.onnx(e, &x)).unwrap_or(x))
    }

    /// As [`context`](Self::context).
    fn context_onnx(
        &self,
        e: &Exporter,
        x: &Value,
        padding: Option<&Value>,
        reach: Option<i64>,
    ) -> GraphContext {
        let t = x.size(1);
        let causal = self.config.attention == AttentionKind::Causal;
        let masks = [
            padding.map(|mask| mask.unsqueeze(&[1, 2])),
            causal.then(|| causal_mask_onnx(&t)),
            reach.map(|reach| local_mask_onnx(&t, reach)),
        ];
        let base = reach.and(self.config.local.as_ref()).and_then(|local| local.base);
        let head_width = self.config.head_width();
        GraphContext {
            mask: masks.into_iter().flatten().reduce(|a, b| a.logical_and(&b)),
            padding: padding.cloned(),
            positions: self.positions.onnx(e, self.layout, &t, head_width, base),
        }
    }
}

#[cfg(test)]
mod tests;
