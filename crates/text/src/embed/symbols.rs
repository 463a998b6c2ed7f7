//! Symbols, bytes or characters, for trunks that never saw text.

use crosstune_core::{
    Batch, Embedder, Error, FeatureShape, Features, Positions, Result, Sequence, VarBuilder,
    nn::LayerNorm,
};
use tch::{Tensor, nn::Init};

/// A vector for every symbol; positions are added, and a layer norm brings the sum to the scale at
/// which transformers receive their own embeddings, as in
/// [`FrameEmbedder`](crosstune_core::FrameEmbedder). `[B, T]` of symbols to `[B, T, D]`.
#[derive(Debug)]
pub struct SymbolEmbedder {
    symbol: Tensor,
    position: Tensor,
    norm: LayerNorm,
    width: i64,
}

/// The deviation of fresh vectors, that of the frames in `FrameEmbedder`.
const STD: f64 = 0.58;
/// The amplitude of fresh positions, likewise.
const POSITION_SCALE: f64 = 0.3;

impl SymbolEmbedder {
    /// Parameters `token.weight [count, D]`, `position [1, longest, D]` and `norm.{weight,bias} [D]`
    /// below `at`, for `count` symbols in sequences of at most `longest`.
    ///
    /// # Errors
    /// If `form` is not a sequence, if the embedder would be empty, or if a parameter cannot be made.
    pub fn new(at: &VarBuilder<'_>, count: i64, longest: i64, form: FeatureShape) -> Result<Self> {
        let width = form.sequence("a sentence is a sequence")?;
        if count < 1 || longest < 1 {
            let problem =
                format!("an embedder of {count} symbols and {longest} positions is empty");
            return Err(Error::Setting { setting: "symbols", problem });
        }
        let normal = Init::Randn { mean: 0., stdev: STD };
        Ok(Self {
            symbol: at.sub("token").param("weight", &[count, width], normal)?,
            position: at.param_or("position", &[1, longest, width], || {
                Positions::Sequence(longest).sinusoidal(width).unsqueeze(0) * POSITION_SCALE
            })?,
            norm: LayerNorm::new(&at.sub("norm"), width, 1e-12)?,
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
        let length = batch.x.size()[1];
        let x = Tensor::embedding(&self.symbol, &batch.x, -1, false, false);
        let x = self.norm.forward(&(x + self.position.narrow(1, 0, length)));
        Features::Sequence(Sequence {
            x,
            attention_mask: batch.attention_mask.as_ref().map(Tensor::shallow_clone),
        })
    }
}
