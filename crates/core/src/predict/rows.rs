//! The rows of a batch, some at a time, and what several rows of one sample come to: windows make
//! batches long.

use tch::{Device, Tensor};

use crate::error::{Error, Result};
use crate::loader::{BatchSource, PreparedBatch, Samples};
use crate::nn::Batch;

/// What `compute` makes of all rows of a batch of `source`, `at_once` at a time, on `device` and without
/// gradients: `[rows, …]` on the CPU.
pub(super) fn each_chunk(
    prepared: &PreparedBatch,
    source: &dyn BatchSource,
    at_once: usize,
    device: Device,
    compute: impl Fn(&Batch) -> Tensor,
) -> Tensor {
    let chunks = prepared.chunks(source, at_once, device);
    let compute = |(batch, _)| tch::no_grad(|| compute(&batch)).to_device(Device::Cpu);
    Tensor::cat(&chunks.map(compute).collect::<Vec<_>>(), 0)
}

/// One row for each sample, of which `rows` tells how many it has: `combine` makes it of several,
/// `[rows, …]`.
pub(super) fn per_sample(all: Tensor, rows: &[i64], combine: impl Fn(&Tensor) -> Tensor) -> Tensor {
    if rows.iter().all(|&rows| rows == 1) {
        return all;
    }
    let parts = all.split_with_sizes(rows, 0);
    Tensor::stack(&parts.iter().map(combine).collect::<Vec<_>>(), 0)
}

/// Checks what a model made of the samples `chosen`, a row for each.
///
/// # Errors
/// If something is no finite number: the first such sample.
pub(super) fn check_finite(rows: &Tensor, chosen: &[usize], samples: &Samples) -> Result<()> {
    let finite = rows.f_isfinite()?.f_flatten(1, -1)?.f_all_dim(1, false)?;
    let finite = Vec::<bool>::try_from(finite)?;
    let Some((row, &at)) = chosen.iter().enumerate().find(|&(row, _)| !finite[row]) else {
        return Ok(());
    };
    let nan = rows.f_get(row as i64)?.f_isnan()?.f_any()?.f_int64_value(&[])? != 0;
    let found = if nan { "NaN" } else { "infinity" };
    Err(Error::NoAnswer { place: samples.place(at).clone(), found })
}
