//! Symbols, bytes or characters, for trunks that were not trained on text.

use crosstune_core::{
    Batch, Embedder, Error, FeatureShape, Features, Positions, Result, Sequence, VarBuilder,
    nn::{Exporter, GraphEmbedding, GraphFeatures, GraphSequence, PositionedNorm},
    onnx::{Dim, Element},
};
use tch::{Tensor, nn::Init};

/// A vector for every symbol; positions are added, and a layer norm scales the sum like a
/// transformer's own embeddings, as in [`FrameEmbedder`](crosstune_core::FrameEmbedder). `[B, T]`
/// of symbols to `[B, T, D]`.
#[derive(Debug)]
pub struct SymbolEmbedder {
    symbol: Tensor,
    positioned: PositionedNorm,
    width: i64,
}

impl SymbolEmbedder {
    /// Parameters `token.weight [count, D]`, `position [1, longest, D]` and `norm.{weight,bias} [D]`
    /// below `vb`, for `count` symbols in sequences of at most `longest`.
    ///
    /// # Errors
    /// If `form` is not a sequence, if the embedder would be empty, or if a parameter cannot be made.
    pub fn new(vb: &VarBuilder<'_>, count: i64, longest: i64, form: FeatureShape) -> Result<Self> {
        let width = form.sequence("a sentence is a sequence")?;
        if count < 1 || longest < 1 {
            let problem =
                format!("an embedder of {count} symbols and {longest} positions is empty");
            return Err(Error::Setting { setting: "symbols", problem });
        }
        let normal = Init::Randn { mean: 0., stdev: PositionedNorm::STD };
        Ok(Self {
            symbol: vb.sub("token").param("weight", &[count, width], normal)?,
            positioned: PositionedNorm::new(vb, Positions::Sequence(longest), width)?,
            width,
        })
    }
}

impl Embedder for SymbolEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::Sequence { width: self.width }
    }

    /// Batches are no longer than the positions; [`TextSettings`](crate::TextSettings) sees to it.
    fn embed(&self, batch: &Batch, _train: bool) -> Features {
        let x = Tensor::embedding(&self.symbol, &batch.x, -1, false, false);
        let x = self.positioned.forward(&x);
        Features::Sequence(Sequence {
            x,
            attention_mask: batch.attention_mask.as_ref().map(Tensor::shallow_clone),
        })
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let length = Dim::Open("sequence");
        let ids = e.graph().input("input_ids", Element::I64, &[Dim::BATCH, length]);
        let x = self.positioned.onnx(e, &e.parameter(&self.symbol).rows(&ids));
        let attention_mask = Some(e.attention_mask(length));
        let sequence = GraphSequence { x, attention_mask };
        Ok(GraphEmbedding::of(GraphFeatures::Sequence(sequence)))
    }
}
