//! Who may look where.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// `[T, T]`, true where a place looks at itself or an earlier one.
pub(crate) fn backwards(t: i64, device: Device) -> Tensor {
    Tensor::ones([t, t], (Kind::Bool, device)).tril(0)
}

/// What a place of the sequence may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attend {
    /// All places.
    Everywhere,
    /// Itself and those before it.
    Backwards,
}
