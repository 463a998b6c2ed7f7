//! Rows of the feature cache that several processes compute for each other: each has a part of the work, and
//! all have all of the rows, since the next epoch's order gives each process other samples.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::batches::RowPart;
use crate::distributed::{World, kind_name, kind_of};
use crate::error::{Error, Result};

/// A row that was computed, of a sample.
#[derive(Debug)]
pub(super) struct ComputedRow {
    pub(super) at: usize,
    pub(super) x: Tensor,
    pub(super) part: RowPart,
    pub(super) held: Option<[i64; 2]>,
    pub(super) positions: i64,
}

/// All of it but the values.
#[derive(Debug, Serialize, Deserialize)]
struct Described {
    at: usize,
    shape: Vec<i64>,
    kind: String,
    part: RowPart,
    held: Option<[i64; 2]>,
    positions: i64,
}

impl Described {
    fn of(row: &ComputedRow) -> Self {
        let ComputedRow { at, x, part, held, positions } = row;
        let (kind, part) = (kind_name(x), part.clone());
        Self { at: *at, shape: x.size(), kind, part, held: *held, positions: *positions }
    }

    fn bytes(&self) -> i64 {
        self.shape.iter().product::<i64>() * kind_of(&self.kind).elt_size_in_bytes() as i64
    }

    /// The row, with its values as bytes.
    fn with(self, bytes: &Tensor) -> ComputedRow {
        let Self { at, shape, kind, part, held, positions } = self;
        // A copy: a view would keep all rows in memory, and not begin where its kind may.
        let x = bytes.copy().view_dtype(kind_of(&kind)).view(&*shape);
        ComputedRow { at, x, part, held, positions }
    }
}

/// The rows of all processes, by rank.
///
/// # Errors
/// If another process has gone.
pub(super) fn exchange(world: &World, own: &[ComputedRow]) -> Result<Vec<ComputedRow>> {
    let unread = |e: serde_json::Error| Error::Distributed {
        problem: format!("what another process has cached cannot be read: {e}"),
    };
    let described: Vec<Described> = own.iter().map(Described::of).collect();
    let described = world.gather(&serde_json::to_vec(&described).map_err(unread)?)?;
    let described = described.iter().map(|all| serde_json::from_slice::<Vec<Described>>(all));
    let described = described.collect::<Result<Vec<_>, _>>().map_err(unread)?;
    let lengths: Vec<i64> =
        described.iter().map(|all| all.iter().map(Described::bytes).sum()).collect();
    let bytes: Vec<Tensor> =
        own.iter().map(|row| row.x.contiguous().view(-1).view_dtype(Kind::Uint8)).collect();
    let flat = if bytes.is_empty() { None } else { Some(Tensor::cat(&bytes, 0)) };
    let values = world.gather_bytes(flat.as_ref(), &lengths)?;
    let mut rows = vec![];
    for (described, values) in described.into_iter().zip(values) {
        let mut from = 0;
        for one in described {
            let length = one.bytes();
            rows.push(one.with(&values.narrow(0, from, length)));
            from += length;
        }
    }
    Ok(rows)
}
