//! The kinds of tensors, by name.

use tch::{Kind, Tensor};

/// Those that are sent.
const KINDS: [Kind; 7] =
    [Kind::Float, Kind::Double, Kind::Half, Kind::BFloat16, Kind::Int64, Kind::Uint8, Kind::Bool];

/// The name of a tensor's kind.
pub(crate) fn kind_name(tensor: &Tensor) -> String {
    format!("{:?}", tensor.kind())
}

/// The kind of a name.
pub(crate) fn kind_of(name: &str) -> Kind {
    KINDS.into_iter().find(|kind| format!("{kind:?}") == name).unwrap_or(Kind::Float)
}
