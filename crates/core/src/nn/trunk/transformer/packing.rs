//! Sequences of different lengths without their padding, one behind the other: what is computed of each
//! position by itself is computed of data alone.

use tch::{Kind, Tensor};

/// Where the data of a padded batch lie.
#[derive(Debug)]
pub(super) struct Packing {
    /// Of all `B · T` positions, those that hold data: `[N]`, i64.
    at: Tensor,
    /// `B` and `T`.
    size: [i64; 2],
    /// How many of them each sequence has: `[B]`, i64.
    pub(super) lengths: Tensor,
    /// Where each sequence begins among the `N`, and the end of the last: `[B + 1]`, i64.
    pub(super) cu_seqlens: Tensor,
}

impl Packing {
    /// Of a mask `[B, T]` on the CPU. `None`: nothing is padded, or a sequence has a hole.
    pub(super) fn new(mask: &Tensor) -> Option<Self> {
        let &[b, t] = mask.size().as_slice() else { return None };
        let at = mask.reshape([-1]).nonzero().view(-1);
        let n = at.size()[0];
        if n == 0 || n == b * t {
            return None;
        }
        let rows = at.divide_scalar_mode(t, "floor");
        let next = |x: &Tensor| x.narrow(0, 1, n - 1) - x.narrow(0, 0, n - 1);
        let holes = next(&at).ne(1).logical_and(&next(&rows).eq(0));
        if holes.any().int64_value(&[]) != 0 {
            return None;
        }
        let lengths = mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64);
        let cu_seqlens = lengths.cumsum(0, Kind::Int64).constant_pad_nd([1, 0]);
        Some(Self { at, size: [b, t], lengths, cu_seqlens })
    }

    /// Of `[B, T, D]` the data: `[1, N, D]`.
    pub(super) fn pack(&self, x: &Tensor) -> Tensor {
        x.flatten(0, 1).index_select(0, &self.at).unsqueeze(0)
    }

    /// `[1, N, D]` to `[B, T, D]`, with zeros for what holds no data.
    pub(super) fn unpack(&self, x: &Tensor) -> Tensor {
        let ([b, t], width) = (self.size, x.size()[2]);
        let zeros = Tensor::zeros([b * t, width], (x.kind(), x.device()));
        zeros.index_copy(0, &self.at, &x.squeeze_dim(0)).view([b, t, width])
    }

    /// The place of each in its sequence: `[N]`, i64.
    pub(super) fn positions(&self) -> Tensor {
        self.at.remainder(self.size[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&[i64]]) -> Tensor {
        Tensor::from_slice2(rows).to_kind(Kind::Bool)
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        // Padded behind, ahead, as a whole, and not at all.
        let mask = mask(&[&[1, 1, 0], &[0, 0, 1], &[0, 0, 0], &[1, 1, 1]]);
        let packing = Packing::new(&mask).unwrap();
        assert_eq!(Vec::<i64>::try_from(&packing.cu_seqlens).unwrap(), [0, 2, 3, 3, 6]);
        assert_eq!(Vec::<i64>::try_from(packing.positions()).unwrap(), [0, 1, 2, 0, 1, 2]);
        let x = Tensor::arange(24, (Kind::Float, tch::Device::Cpu)).view([4, 3, 2]) + 1;
        let packed = packing.pack(&x);
        assert_eq!(packed.size(), [1, 6, 2]);
        assert!(packing.unpack(&packed).equal(&(x * mask.unsqueeze(2))));
    }

    #[test]
    fn what_has_no_padding_or_holes_is_left() {
        assert!(Packing::new(&mask(&[&[1, 1], &[1, 1]])).is_none());
        assert!(Packing::new(&mask(&[&[0, 0], &[0, 0]])).is_none());
        assert!(Packing::new(&mask(&[&[1, 0, 1], &[1, 1, 1]])).is_none());
    }
}
