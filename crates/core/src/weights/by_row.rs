//! Parameters of several tunings of one model, of which each row of a batch has its own (S-LoRA, Sheng et
//! al. 2023; Punica, Chen et al. 2023).

use std::cell::RefCell;

use tch::{Kind, Tensor};

thread_local! {
    /// Whose the rows of the batch are that this thread passes through a model.
    static ROWS: RefCell<Option<Rows>> = const { RefCell::new(None) };
}

/// The tunings of a batch's rows.
#[derive(Debug)]
enum Rows {
    /// Of each row: `[B]`, i64.
    Each(Tensor),
    /// Of a batch whose rows lie one behind the other, `[1, N, …]`.
    Packed {
        /// The tuning of each position, `[N]`, i64.
        each: Tensor,
        /// The tunings that there are, i64.
        present: Tensor,
        /// 1 where a position has one of those, else 0: `[N, present, 1]`, f32.
        own: Tensor,
    },
}

/// Tells whose the rows of a batch are that this thread passes through a model, until it is dropped. Of
/// this thread alone: several may use a model at a time.
#[derive(Debug)]
pub(crate) struct RowGuard(Option<Rows>);

impl RowGuard {
    /// `tunings [B]`, i64, on the model's device: counted as the model was built of them.
    pub(crate) fn new(tunings: Tensor) -> Self {
        Self(ROWS.replace(Some(Rows::Each(tunings))))
    }

    /// The same rows one behind the other, of these `lengths [B]`, i64; `None`: all have the same
    /// parameters.
    pub(crate) fn packed(lengths: &Tensor) -> Option<Self> {
        let rows = ROWS.with_borrow(|rows| match rows {
            Some(Rows::Each(rows)) => Some(as_many(rows, lengths.size()[0])),
            _ => None,
        })?;
        let each = rows.repeat_interleave_self_tensor(lengths, 0, None);
        let (present, which, _) = each.internal_unique2(true, true, false);
        let own = which.one_hot(present.size()[0]).to_kind(Kind::Float).unsqueeze(2);
        Some(Self(ROWS.replace(Some(Rows::Packed { each, present, own }))))
    }
}

impl Drop for RowGuard {
    fn drop(&mut self) {
        ROWS.set(self.0.take());
    }
}

/// The tunings of `count` rows: a batch may have become more rows on the way, as many of each.
fn as_many(rows: &Tensor, count: i64) -> Tensor {
    match count / rows.size()[0].max(1) {
        each if each > 1 => rows.repeat_interleave_self_int(each, 0, None),
        _ => rows.shallow_clone(),
    }
}

/// What `with` makes of the rows that this thread passes through a model.
fn with_rows<T>(with: impl FnOnce(&Rows) -> T) -> T {
    ROWS.with_borrow(|rows| match rows {
        Some(rows) => with(rows),
        None => unreachable!(
            "a pass through several tunings has a guard that tells whose rows they are"
        ),
    })
}

/// A parameter.
#[derive(Debug)]
pub enum RowParam {
    /// All rows of a batch have the same.
    Same(Tensor),
    /// Each row has that of its tuning.
    ByRow(ByRow),
}

impl RowParam {
    /// The one that all rows have, if they do.
    pub fn same(&self) -> Option<&Tensor> {
        match self {
            Self::Same(value) => Some(value),
            Self::ByRow(_) => None,
        }
    }

    /// The one that a model by itself has, as it is exported.
    pub fn only(&self) -> &Tensor {
        match self {
            Self::Same(value) => value,
            Self::ByRow(_) => unreachable!("what is exported is one model, not several tunings"),
        }
    }

    /// Its value where all rows of `x [rows, …]` have the same, or else that of each row, with dimensions
    /// of 1 behind the rows: a vector `[D]` as `[rows, 1, …, D]`, which broadcasts to `x`. Of packed rows
    /// that of each position, `[1, …, N, D]`.
    pub fn of(&self, x: &Tensor) -> Tensor {
        let by_row = match self {
            Self::Same(value) => return value.shallow_clone(),
            Self::ByRow(by_row) => by_row,
        };
        let dims = x.dim();
        let (value, at) = with_rows(|rows| match rows {
            Rows::Each(rows) => (by_row.all.index_select(0, &as_many(rows, x.size()[0])), 0),
            Rows::Packed { each, .. } => (by_row.all.index_select(0, each), dims - 2),
        });
        let (mut shape, width) = (vec![1; dims], value.size()[1]);
        (shape[at], shape[dims - 1]) = (-1, width);
        value.view(shape.as_slice())
    }
}

/// A parameter of several tunings.
#[derive(Debug)]
pub struct ByRow {
    /// `[tunings, …]`.
    all: Tensor,
}

impl ByRow {
    /// Of the tunings' own, in order.
    pub(super) fn new(each: &[Tensor]) -> Self {
        Self { all: Tensor::stack(each, 0) }
    }

    /// `x · a · b`, with each row's own matrices: `x [rows, …, d_in]`, `a [d_in, r]` and `b [r, d_out]`.
    pub(crate) fn low_rank(a: &Self, b: &Self, x: &Tensor) -> Tensor {
        let added = with_rows(|rows| match rows {
            // Products of batches, which are faster than one product after the other for each tuning.
            Rows::Each(rows) => {
                let rows = as_many(rows, x.size()[0]);
                let flat = if x.dim() > 2 { x.flatten(1, -2) } else { x.unsqueeze(1) };
                flat.bmm(&a.all.index_select(0, &rows)).bmm(&b.all.index_select(0, &rows))
            }
            // The ranks of all tunings side by side, of which each position has its own: two products,
            // and no matrix is copied for a position.
            Rows::Packed { present, own, .. } => {
                let [a, b] = [a, b].map(|of| of.all.index_select(0, present));
                let &[tunings, d_in, rank] = a.size().as_slice() else {
                    unreachable!("a matrix for each tuning")
                };
                let low = x.reshape([-1, d_in]).matmul(&a.transpose(0, 1).flatten(1, 2));
                let low = low.view([-1, tunings, rank]) * own.to_kind(low.kind());
                low.flatten(1, 2).matmul(&b.flatten(0, 1))
            }
        });
        let mut shape = x.size();
        shape.pop();
        shape.push(added.size().last().copied().unwrap_or_default());
        added.view(shape.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn each_row_has_its_own() {
        let vector = |value: f64| Tensor::full([3], value, (Kind::Float, Device::Cpu));
        let param = RowParam::ByRow(ByRow::new(&[vector(1.), vector(2.)]));
        let rows = |rows: &[i64]| RowGuard::new(Tensor::from_slice(rows));
        let of = |shape: &[i64]| {
            let value = param.of(&Tensor::zeros(shape, (Kind::Float, Device::Cpu)));
            (value.size(), Vec::<f32>::try_from(value.select(-1, 0).view(-1)).unwrap())
        };
        let _guard = rows(&[1, 0, 1]);
        assert_eq!(of(&[3, 5, 3]), (vec![3, 1, 3], vec![2., 1., 2.]));
        assert_eq!(of(&[3, 3]), (vec![3, 3], vec![2., 1., 2.]));
        {
            let _inner = rows(&[0, 1]);
            // Two windows of each.
            assert_eq!(of(&[4, 5, 3]), (vec![4, 1, 3], vec![1., 1., 2., 2.]));
        }
        assert_eq!(of(&[3, 3]).1, [2., 1., 2.], "the inner guard is gone");
        let _packed = RowGuard::packed(&Tensor::from_slice(&[2i64, 0, 1]));
        assert_eq!(of(&[1, 3, 3]), (vec![1, 3, 3], vec![2., 2., 2.]));
        assert_eq!(of(&[1, 4, 3, 3]).0, [1, 1, 3, 3]);
    }

    #[test]
    fn packed_rows_have_their_own_products() {
        tch::manual_seed(1);
        let random =
            |shape: [i64; 3]| ByRow { all: Tensor::randn(shape, (Kind::Float, Device::Cpu)) };
        // Of four tunings three are present.
        let (a, b) = (random([4, 6, 2]), random([4, 2, 5]));
        let x = Tensor::randn([4, 3, 6], (Kind::Float, Device::Cpu));
        let _guard = RowGuard::new(Tensor::from_slice(&[3i64, 0, 1, 3]));
        let apart = ByRow::low_rank(&a, &b, &x);
        let lengths = [1, 3, 0, 2];
        let together = |x: &Tensor| {
            let rows = lengths.iter().zip(0..).map(|(&length, at)| x.get(at).narrow(0, 0, length));
            Tensor::cat(&rows.collect::<Vec<_>>(), 0).unsqueeze(0)
        };
        let _packed = RowGuard::packed(&Tensor::from_slice(&lengths)).unwrap();
        let packed = ByRow::low_rank(&a, &b, &together(&x));
        assert_eq!(packed.size(), [1, 6, 5]);
        assert!(packed.allclose(&together(&apart), 1e-5, 1e-5, false));
    }
}
