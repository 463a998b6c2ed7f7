//! Several models of one architecture as the source of another, which all of them go through.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use tch::Tensor;

use super::by_row::{ByRow, RowParam};
use super::lora::{A, B, Lora};
use crate::error::{Error, Result};

/// The parameters of one model.
#[derive(Debug)]
pub(crate) struct Member<'m> {
    pub(crate) values: HashMap<String, Tensor>,
    pub(crate) lora: Option<&'m Lora>,
}

/// The parameters of several models whose rows a model is built for: one storage where they share it,
/// and by row where a layer can have it so. Everything else is the first one's.
#[derive(Debug)]
pub(crate) struct Members<'m> {
    each: Vec<Member<'m>>,
    /// The names that layers can have by row.
    by_row: RefCell<BTreeSet<String>>,
}

impl<'m> Members<'m> {
    pub(crate) fn new(each: Vec<Member<'m>>) -> Self {
        Self { each, by_row: RefCell::default() }
    }

    /// The names of which each row can have its own, of a model that was built of these.
    pub(crate) fn names_by_row(self) -> BTreeSet<String> {
        self.by_row.into_inner()
    }

    /// The first one's parameter of this name: the same memory, in which nothing of it trains.
    ///
    /// # Errors
    /// If it has none of this shape.
    pub(super) fn value(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let value = self.each.first().and_then(|member| member.values.get(name));
        match value.filter(|value| value.size() == shape) {
            Some(value) => Ok(value.detach()),
            None => {
                let problem = format!("a model of several tunings has no `{name}` of {shape:?}");
                Err(Error::setting("tunings", problem))
            }
        }
    }

    /// The parameter of this name, of which `first` is the first one's.
    pub(super) fn param(&self, name: &str, first: Tensor) -> RowParam {
        self.by_row.borrow_mut().insert(name.into());
        let all = self.each.iter().map(|member| member.values.get(name));
        match all.map(|value| value.map(Tensor::detach)).collect::<Option<Vec<_>>>() {
            Some(all) if all.iter().any(|one| one.data_ptr() != first.data_ptr()) => {
                RowParam::ByRow(ByRow::new(&all))
            }
            _ => RowParam::Same(first),
        }
    }

    /// The adapters of a layer: `Aᵀ [d_in, r]` and `(α/r) Bᵀ [r, d_out]` of each, with the largest `r` of
    /// all; zeros where one has none. `None`: none has.
    pub(crate) fn adapters(&self, layer: &str, d_in: i64, d_out: i64) -> Option<[ByRow; 2]> {
        let names = [A, B].map(|leaf| format!("{layer}.{leaf}"));
        self.by_row.borrow_mut().extend(names.iter().cloned());
        let adapter = |member: &Member<'_>| {
            let [a, b] = [0, 1].map(|at| member.values.get(&names[at]));
            Some((a?.detach(), b?.detach() * member.lora?.scale()))
        };
        let all: Vec<_> = self.each.iter().map(adapter).collect();
        let (a, _) = all.iter().flatten().next()?;
        let rank = all.iter().flatten().map(|(a, _)| a.size()[0]).max()?;
        let zeros = |shape: [i64; 2]| Tensor::zeros(shape, (a.kind(), a.device()));
        let padded = all.iter().map(|adapter| match adapter {
            Some((a, b)) => {
                let missing = rank - a.size()[0];
                [a.tr().constant_pad_nd([0, missing]), b.tr().constant_pad_nd([0, 0, 0, missing])]
            }
            None => [zeros([d_in, rank]), zeros([rank, d_out])],
        });
        let (a, b): (Vec<_>, Vec<_>) = padded.map(|[a, b]| (a, b)).unzip();
        Some([ByRow::new(&a), ByRow::new(&b)])
    }
}
