//! How a publisher's tensors become ours: sliced, transposed, combined, or made up where it has none.

use tch::Tensor;

use crate::error::Result;

/// How a publisher's tensor becomes ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorTransform {
    /// It is the same.
    Same,
    /// A matrix is transposed, as in GPT-2's `Conv1D`; a vector is the same.
    Transposed,
    /// A matrix is the kernel of a 1 × 1 convolution; a vector is the same.
    Pointwise,
    /// Ours is one, counted from 0, of so many equal slices that are concatenated in the first
    /// dimension: of query, key and value; of an MLP's gate and input.
    Slice(u8, u8),
    /// The same of a matrix that is also transposed.
    TransposedSlice(u8, u8),
    /// Ours are the last rows of theirs, as many as ours has: of an MLP's input, behind its gate where
    /// it has one.
    Rest,
    /// Theirs lacks so many leading dimensions, of size 1.
    Unsqueezed(u8),
    /// Weight normalisation (Salimans and Kingma 2016): `v · g / ‖v‖` of the two tensors of these
    /// names below theirs.
    WeightNorm {
        /// The name of the norm `g`.
        g: &'static str,
        /// The name of the direction `v`.
        v: &'static str,
        /// The dimension that has a norm for each index.
        dim: i64,
    },
    /// The mean of two heads, each on a token of its own: concatenated and halved (DeiT, §4).
    MeanOfHeads {
        /// The other head.
        second: &'static str,
    },
    /// Theirs has so many more dimensions of size 1 before and behind ours. Where it is read, any
    /// such dimensions are dropped.
    Units {
        /// How many before ours.
        before: u8,
        /// How many behind ours.
        behind: u8,
    },
    /// The publisher has none, which is equivalent to zeros.
    Zeros,
    /// The publisher has none, which is equivalent to ones.
    Ones,
}

impl TensorTransform {
    /// Makes our tensor from the publisher's. `shape` is the wanted one, which matters only for
    /// those that the publisher does not have, or has with other dimensions of size 1.
    ///
    /// # Errors
    /// If the tensors cannot be combined in this way.
    pub fn apply(self, parts: &[Tensor], shape: &[i64]) -> Result<Tensor> {
        let slice = |x: &Tensor, i: u8, of: u8| {
            let size = x.size().first().copied().unwrap_or_default() / i64::from(of.max(1));
            x.f_narrow(0, i64::from(i) * size, size)
        };
        let float = (tch::Kind::Float, tch::Device::Cpu);
        Ok(match (self, parts) {
            (Self::Same, [x]) => x.shallow_clone(),
            (Self::Transposed, [x]) => transposed(x),
            (Self::Units { .. }, [x]) if sides(&x.size()) == sides(shape) => x.f_reshape(shape)?,
            (Self::Units { .. }, [x]) => x.shallow_clone(),
            (Self::Pointwise, [x]) if x.dim() == 4 => x.f_flatten(1, 3)?,
            (Self::Pointwise, [x]) => x.shallow_clone(),
            (Self::Slice(i, of), [x]) => slice(x, i, of)?,
            (Self::Rest, [x]) => {
                let (rows, ours) = (x.size(), shape);
                let first = |of: &[i64]| of.first().copied().unwrap_or_default();
                x.f_narrow(0, first(&rows) - first(ours), first(ours))?
            }
            (Self::Unsqueezed(n), [x]) => {
                let shape: Vec<i64> = vec![1; n.into()].into_iter().chain(x.size()).collect();
                x.f_view(shape.as_slice())?
            }
            (Self::TransposedSlice(i, of), [x]) => slice(&transposed(x), i, of)?,
            (Self::WeightNorm { dim, .. }, [g, v]) => v.f_mul(&g.f_div(&lengths(v, dim)?)?)?,
            (Self::MeanOfHeads { .. }, [a, b]) if a.dim() == 2 => Tensor::f_cat(&[a, b], 1)? / 2.,
            (Self::MeanOfHeads { .. }, [a, b]) => a.f_add(b)? / 2.,
            (Self::Ones, _) => Tensor::f_ones(shape, float)?,
            (Self::Zeros, _) | (_, _) => Tensor::f_zeros(shape, float)?,
        })
    }
}

/// A matrix transposed, a vector as it is.
pub(super) fn transposed(x: &Tensor) -> Tensor {
    match x.dim() {
        2 => x.tr(),
        _ => x.shallow_clone(),
    }
}

/// The dimensions that hold more than one value.
fn sides(shape: &[i64]) -> Vec<i64> {
    shape.iter().copied().filter(|&side| side != 1).collect()
}

/// A matrix as the kernel of a 1 × 1 convolution, a vector as it is.
pub(super) fn kernel(x: &Tensor) -> Tensor {
    match x.dim() {
        2 => x.unsqueeze(-1).unsqueeze(-1),
        _ => x.shallow_clone(),
    }
}

/// The Euclidean norms along all dimensions but one; the others keep the size 1.
pub(super) fn lengths(x: &Tensor, dim: i64) -> Result<Tensor> {
    let over: Vec<i64> = (0..x.dim() as i64).filter(|&d| d != dim).collect();
    Ok(x.f_norm_scalaropt_dim(2, over.as_slice(), true)?)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn tensors_are_transformed() {
        let x = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([6, 2]);
        let apply = |transform: TensorTransform, parts: &[&Tensor], shape: &[i64]| {
            let parts: Vec<_> = parts.iter().map(|p| p.shallow_clone()).collect();
            transform.apply(&parts, shape).unwrap()
        };
        assert_eq!(apply(TensorTransform::Slice(1, 3), &[&x], &[2, 2]), x.narrow(0, 2, 2));
        assert_eq!(
            apply(TensorTransform::TransposedSlice(2, 3), &[&x.tr()], &[2, 2]),
            x.narrow(0, 4, 2)
        );
        assert_eq!(apply(TensorTransform::Transposed, &[&x], &[2, 6]), x.tr());
        assert_eq!(apply(TensorTransform::Transposed, &[&x.select(1, 0)], &[6]), x.select(1, 0));
        assert_eq!(apply(TensorTransform::Rest, &[&x], &[4, 2]), x.narrow(0, 2, 4));
        assert_eq!(
            apply(TensorTransform::Unsqueezed(2), &[&x], &[1, 1, 6, 2]),
            x.view([1, 1, 6, 2])
        );
        let kernel = x.view([6, 2, 1, 1]);
        assert_eq!(apply(TensorTransform::Pointwise, &[&kernel], &[6, 2]), x);
        assert_eq!(apply(TensorTransform::Ones, &[], &[2]), Tensor::from_slice(&[1f32, 1.]));
        let halves = apply(TensorTransform::MeanOfHeads { second: "" }, &[&x, &x], &[6, 4]);
        assert_eq!(halves.sum_dim_intlist(1, false, None), x.sum_dim_intlist(1, false, None));
        // Columns of norms 5 and 13, scaled to 10 and 26.
        let v = Tensor::from_slice2(&[[3f32, 5.], [4., 12.]]);
        let g = Tensor::from_slice2(&[[10f32, 26.]]);
        let norm = TensorTransform::WeightNorm { g: "g", v: "v", dim: 1 };
        assert_eq!(apply(norm, &[&g, &v], &[2, 2]), v * 2.);
    }
}
