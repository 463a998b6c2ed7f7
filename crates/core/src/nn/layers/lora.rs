//! LoRA (Hu et al. 2021): a linear layer keeps its weight and learns a low-rank product beside it.

use tch::Tensor;
use tch::nn::Init;

use super::dropout::dropout;
use crate::error::{Error, Result};
use crate::libtorch::fused;
use crate::nn::exporter::Exporter;
use crate::onnx::Value;
use crate::weights::lora::{A, B};
use crate::weights::{ByRow, VarBuilder};

/// Ranks that are allowed in any layer, also in the small ones of a model to try things with.
const USUAL_RANKS: i64 = 64;

/// The adapter of one linear layer.
#[derive(Debug)]
pub(crate) enum Adapter {
    /// One for all rows of a batch.
    Same { a: Tensor, b: Tensor, scale: f64, dropout: f64 },
    /// Each row has that of its tuning: `Aᵀ [d_in, r]` and `(α/r) Bᵀ [r, d_out]`.
    ByRow { a: ByRow, b: ByRow },
}

impl Adapter {
    /// Parameters `lora_a [rank, d_in]`, initialised as in PEFT (uniform within `1/√d_in`), and
    /// `lora_b [d_out, rank]`, initialised to zero; `None` if the layer at `vb` is not a target.
    ///
    /// # Errors
    /// If the rank is above what the layer can use, or a parameter cannot be made.
    pub(crate) fn new(vb: &VarBuilder<'_>, d_in: i64, d_out: i64) -> Result<Option<Self>> {
        if let Some(members) = vb.members_by_row() {
            let adapters = members.adapters(&vb.name(), d_in, d_out);
            return Ok(adapters.map(|[a, b]| Self::ByRow { a, b }));
        }
        let Some(lora) = vb.adapting().and_then(|adapting| adapting.of(&vb.name())) else {
            return Ok(None);
        };
        let most = d_in.max(d_out).max(USUAL_RANKS);
        if lora.rank > most {
            let (rank, layer) = (lora.rank, vb.name());
            let problem =
                format!("{rank}: {layer} is {d_in} to {d_out}; a rank above {most} adds nothing");
            return Err(Error::setting("--lora-rank", problem));
        }
        let bound = (d_in as f64).sqrt().recip();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        // No publisher's model has adapters; a run folder of ours may.
        let vb = vb.ours_or_fresh();
        Ok(Some(Self::Same {
            a: vb.param(A, &[lora.rank, d_in], uniform)?,
            b: vb.param(B, &[d_out, lora.rank], Init::Const(0.))?,
            scale: lora.scale(),
            dropout: lora.dropout,
        }))
    }

    /// `[…, d_in]` to what is added to the layer's output, `[…, d_out]`.
    pub(crate) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        match self {
            Self::Same { a, b, scale, dropout: p } => {
                let low = fused::linear(&dropout(x, *p, train), a, None);
                fused::linear(&(low * *scale), b, None)
            }
            Self::ByRow { a, b } => ByRow::low_rank(a, b, x),
        }
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let Self::Same { a, b, scale, .. } = self else {
            unreachable!("what is exported is one model, not several tunings")
        };
        let low = x.matmul(&e.transposed(a));
        (low * *scale).matmul(&e.transposed(b))
    }
}

#[cfg(test)]
mod tests;
