//! Parameters of several tunings of one model, of which each row of a batch has its own (S-LoRA, Sheng et
//! al. 2023; Punica, Chen et al. 2023).

use std::cell::RefCell;

use tch::Tensor;

thread_local! {
    /// The tuning of each row of the batch that this thread passes through a model: `[B]`, i64.
    static ROWS: RefCell<Option<Tensor>> = const { RefCell::new(None) };
}

/// Tells whose the rows of a batch are that this thread passes through a model, until it is dropped. Of
/// this thread alone: several may use a model at a time.
#[derive(Debug)]
pub(crate) struct RowGuard(Option<Tensor>);

impl RowGuard {
    /// `tunings [B]`, i64, on the model's device: counted as the model was built of them.
    pub(crate) fn new(tunings: Tensor) -> Self {
        Self(ROWS.replace(Some(tunings)))
    }
}

impl Drop for RowGuard {
    fn drop(&mut self) {
        ROWS.set(self.0.take());
    }
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
    /// of 1 behind the rows: a vector `[D]` as `[rows, 1, …, D]`, which broadcasts to `x`.
    pub fn of(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Same(value) => value.shallow_clone(),
            Self::ByRow(each) => {
                let value = each.of(x);
                let (mut shape, width) = (vec![1; x.dim()], value.size()[1]);
                (shape[0], shape[x.dim() - 1]) = (-1, width);
                value.view(shape.as_slice())
            }
        }
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

    /// That of each row of `x [rows, …]`: `[rows, …]`. A batch may have become more rows on the way, as
    /// many of each.
    pub(crate) fn of(&self, x: &Tensor) -> Tensor {
        let rows = ROWS.with_borrow(|rows| rows.as_ref().map(Tensor::shallow_clone));
        let Some(rows) = rows else {
            unreachable!(
                "a pass through several tunings has a guard that tells whose rows they are"
            )
        };
        let each = x.size()[0] / rows.size()[0].max(1);
        let rows = if each > 1 { rows.repeat_interleave_self_int(each, 0, None) } else { rows };
        self.all.index_select(0, &rows)
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
    }
}
