//! What all embedders end in that a trunk never saw: positions, and a norm.

use tch::Tensor;

use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::LayerNorm;
use crate::nn::position::Positions;
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// Adds learned positions to vectors, and brings the sum to the scale at which transformers receive
/// their own embeddings by a layer norm, as in BERT's embedder. Positions start as sines and cosines, a
/// good deal smaller than the vectors: they tell one position from another from the first step on.
#[derive(Debug)]
pub struct PositionedNorm {
    position: Tensor,
    norm: LayerNorm,
}

/// The amplitude of new positions; the vectors have a standard deviation of
/// [`PositionedNorm::STD`].
const POSITION_SCALE: f64 = 0.3;

impl PositionedNorm {
    /// The standard deviation that the vectors start with.
    pub const STD: f64 = 0.58;

    /// Parameters `position [1, positions, D]`, `norm.weight [D]`, `norm.bias [D]` below `vb`.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn new(vb: &VarBuilder<'_>, positions: Positions, width: i64) -> Result<Self> {
        let shape = [1, positions.count(), width];
        let start = || positions.sinusoidal(width).unsqueeze(0) * POSITION_SCALE;
        let position = vb.param_or("position", &shape, start)?;
        Ok(Self { position, norm: LayerNorm::new(&vb.sub("norm"), width, 1e-12)? })
    }

    /// The number of positions.
    pub fn positions(&self) -> i64 {
        self.position.size()[1]
    }

    /// `[B, T, D]` to `[B, T, D]`, for a `T` of at most [`positions`](Self::positions).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.norm.forward(&(x + self.position.narrow(1, 0, x.size()[1])))
    }

    /// The same in a graph.
    pub fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let position = e.parameter(&self.position).narrow_to(1, 0, &x.size(1));
        self.norm.onnx(e, &(x + position))
    }
}
