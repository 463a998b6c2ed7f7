//! Tensors that several models have in common, kept once.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Kind, Tensor};

use crate::error::Result;

/// Elements that tell a tensor from most others of its shape.
const FIRST: i64 = 16;

/// Tensors that models hold already: one of the same type, shape and bytes is not kept beside them, but
/// they in its place. It holds them for as long as it lives.
#[derive(Debug, Default)]
pub struct SharedTensors(RefCell<HashMap<Key, Vec<Tensor>>>);

/// What is compared first: the type, the shape, and the bytes of the first elements.
type Key = (Kind, Vec<i64>, Vec<u8>);

impl SharedTensors {
    /// A tensor with these contents: one that is here already, or else this one, which is here from now on.
    ///
    /// # Errors
    /// If libtorch cannot compare them.
    pub(crate) fn shared(&self, value: Tensor) -> Result<Tensor> {
        let bytes = bytes(&value)?;
        let first = bytes.narrow(0, 0, bytes.size()[0].min(FIRST * width(&value)));
        let key = (value.kind(), value.size(), Vec::<u8>::try_from(first)?);
        let mut all = self.0.borrow_mut();
        let alike = all.entry(key).or_default();
        for other in alike.iter() {
            if self::bytes(other)?.f_equal(&bytes)? {
                // The same memory, of which each model says by itself whether it trains.
                return Ok(other.detach());
            }
        }
        alike.push(value.shallow_clone());
        Ok(value)
    }
}

/// The bytes of a contiguous tensor, `[bytes]`, u8: the same memory.
fn bytes(value: &Tensor) -> Result<Tensor> {
    Ok(value.detach().f_contiguous()?.f_view([-1])?.f_view_dtype(Kind::Uint8)?)
}

fn width(value: &Tensor) -> i64 {
    value.kind().elt_size_in_bytes() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_kept_once() {
        let all = SharedTensors::default();
        let values = |last: f32| {
            let mut values = vec![0.5; 100];
            values[99] = last;
            Tensor::from_slice(&values)
        };
        let first = all.shared(values(1.)).unwrap();
        let again = all.shared(values(1.)).unwrap();
        assert_eq!(again.data_ptr(), first.data_ptr());
        let _ = again.set_requires_grad(true);
        assert!(!first.requires_grad(), "each says by itself whether it trains");
        for other in [
            values(2.),
            values(-1.),
            values(1.).view([10, 10]),
            values(1.).to_kind(Kind::Half),
            values(1.).view_dtype(Kind::Int),
        ] {
            assert_ne!(all.shared(other).unwrap().data_ptr(), first.data_ptr());
        }
        let [plus, minus] = [0f32, -0.].map(|zero| all.shared(values(zero)).unwrap());
        assert_ne!(plus.data_ptr(), minus.data_ptr(), "equal numbers, but not the same");
        assert_eq!(all.shared(Tensor::from(3f32)).unwrap().size(), [0_i64; 0]);
    }
}
