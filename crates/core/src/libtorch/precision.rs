//! The precision of matrix products.

use std::ffi::c_char;

use serde::{Deserialize, Serialize};

use super::shim;
use crate::error::Result;

unsafe extern "C" {
    /// See `shim.cpp`.
    fn crosstune_matmul_precision(
        precision: *const c_char,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
}

/// The precision of f32 matrix products: `torch.set_float32_matmul_precision`. Inputs, outputs and
/// sums are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatmulPrecision {
    /// With all 24 bits of an f32.
    #[default]
    Highest,
    /// With 11 bits (TF32) where a GPU has units for it.
    High,
    /// With 8 bits (bf16) where the CPU or GPU has units for it.
    Medium,
}

impl MatmulPrecision {
    /// Sets it for the whole process.
    ///
    /// # Errors
    /// If libtorch refuses.
    pub fn apply(self) -> Result<()> {
        let name = match self {
            Self::Highest => c"highest",
            Self::High => c"high",
            Self::Medium => c"medium",
        };
        // SAFETY: the name is a C string, the buffer has `capacity` bytes,
        // and no exception leaves the function.
        let set = |problem, capacity| unsafe {
            crosstune_matmul_precision(name.as_ptr(), problem, capacity)
        };
        shim::call(set, |&done| done).map_err(tch::TchError::Torch)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    // Not `Medium`: other tests compute at the same time.
    #[test]
    fn products_stay_exact_unless_asked() {
        MatmulPrecision::default().apply().unwrap();
        let x = Tensor::rand([64, 64], (Kind::Float, Device::Cpu));
        let exact = x.to_kind(Kind::Double).matmul(&x.to_kind(Kind::Double));
        let off = (x.matmul(&x) - exact).abs().max().double_value(&[]);
        assert!(off < 1e-4, "{off}");
    }
}
