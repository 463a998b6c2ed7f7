//! Frozen parameters in half the memory.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use tch::{Kind, Tensor};

/// Elements that are compared at a time: a copy of the largest table would cost what is to be saved.
const PIECE: i64 = 1 << 20;

/// Which parameters are kept in bf16, and which of those a source has more exactly.
pub(crate) struct Halved<'f> {
    frozen: &'f dyn Fn(&str) -> bool,
    rounded: RefCell<BTreeSet<String>>,
}

impl<'f> Halved<'f> {
    /// Matrices, and what has more dimensions, of the names of which `frozen` is true. Vectors (biases
    /// and norms) stay f32: they are small, and norms compute with them in f32.
    pub(crate) fn new(frozen: &'f dyn Fn(&str) -> bool) -> Self {
        Self { frozen, rounded: RefCell::default() }
    }

    /// A parameter as it is kept. `loaded`: its values are a source's, and no new ones, of which the
    /// rounded ones are as good.
    pub(super) fn keep(&self, name: &str, value: Tensor, loaded: bool) -> Tensor {
        if value.dim() < 2 || value.kind() != Kind::Float || !(self.frozen)(name) {
            return value;
        }
        let half = value.to_kind(Kind::BFloat16);
        if loaded && !is_same(&half, &value) {
            self.rounded.borrow_mut().insert(name.into());
        }
        half
    }

    /// The names of those whose bf16 values are not the source's.
    pub(crate) fn rounded(self) -> BTreeSet<String> {
        self.rounded.into_inner()
    }
}

impl fmt::Debug for Halved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Halved").field("rounded", &self.rounded).finish_non_exhaustive()
    }
}

/// Whether bf16 values are these f32 ones.
fn is_same(half: &Tensor, value: &Tensor) -> bool {
    let pieces = |x: &Tensor| x.contiguous().view(-1).split(PIECE, 0);
    let mut both = pieces(half).into_iter().zip(pieces(value));
    both.all(|(half, value)| half.to_kind(Kind::Float).equal(&value))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn matrices_that_are_frozen_are_halved_and_what_is_lost_is_known() {
        let frozen = |name: &str| name != "moves";
        let halved = Halved::new(&frozen);
        let third = Tensor::full([2, 3], 1. / 3., (Kind::Float, Device::Cpu));
        let half = Tensor::full([2, 3], 0.5, (Kind::Float, Device::Cpu));
        for (name, value, loaded, want) in [
            ("moves", &third, true, Kind::Float),
            ("vector", &third.select(0, 0), true, Kind::Float),
            ("lost", &third, true, Kind::BFloat16),
            ("exact", &half, true, Kind::BFloat16),
            ("new", &third, false, Kind::BFloat16),
        ] {
            assert_eq!(halved.keep(name, value.shallow_clone(), loaded).kind(), want, "{name}");
        }
        assert_eq!(halved.rounded().into_iter().collect::<Vec<_>>(), ["lost"]);
    }
}
