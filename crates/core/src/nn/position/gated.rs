//! Gated relative position biases (Chi et al. 2022, XLM-E, §3.1; Chen et al. 2022, WavLM, §III-B).

use tch::Tensor;
use tch::nn::Init;

use super::scored::{GraphScored, HeadShape, Scored};
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Bias, Linear};
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// How much of the bias that all blocks share a block adds to the scores of each query.
#[derive(Debug)]
pub(crate) struct BiasGate {
    gate: Linear,
    /// `[1, H, 1, 1]`.
    reset: Tensor,
    shape: HeadShape,
}

/// The values that each of the two gates is the sum of.
const SUMMED: i64 = 4;

impl BiasGate {
    /// `gate.{weight [8, W], bias [8]}` and `gate_reset [1, H, 1, 1]`, below `vb`.
    pub(crate) fn new(vb: &VarBuilder<'_>, shape: HeadShape) -> Result<Self> {
        Ok(Self {
            gate: Linear::normal(&vb.sub("gate"), shape.head_width, 2 * SUMMED, Bias::With)?,
            reset: vb.param("gate_reset", &[1, shape.heads, 1, 1], Init::Const(1.))?,
            shape,
        })
    }

    /// The bias `[1, H, T, T]`, gated for the heads of every hidden state: `[B, H, T, T]`.
    pub(crate) fn forward(&self, of: Scored<'_>, bias: &Tensor) -> Tensor {
        let HeadShape { heads, head_width, .. } = self.shape;
        let t = of.x.size()[1];
        let x = of.x.reshape([-1, t, heads, head_width]).transpose(1, 2);
        let sums = self.gate.forward_t(&x, of.train).unflatten(-1, [2, SUMMED]);
        let gates = sums.sum_dim_intlist([-1].as_slice(), false, None).sigmoid();
        let (update, reset) = (gates.narrow(-1, 0, 1), gates.narrow(-1, 1, 1));
        (update * (reset * &self.reset - 1.) + 2.) * bias
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, of: GraphScored<'_>, bias: &Value) -> Value {
        let HeadShape { heads, head_width, .. } = self.shape;
        let x = of.x.reshape(&[0, 0, heads, head_width]).permute(&[0, 2, 1, 3]);
        let sums = self.gate.onnx(e, &x).reshape(&[0, 0, 0, 2, SUMMED]);
        let gates = sums.sum(&[-1], false).sigmoid();
        let (update, reset) = (gates.narrow(3, 0, 1), gates.narrow(3, 1, 1));
        (update * (reset * e.parameter(&self.reset) - 1.) + 2.) * bias
    }
}
