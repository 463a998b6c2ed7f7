//! The rows of a batch, some at a time, and what several rows of one sample come to: windows make
//! batches long.

use tch::{Device, Tensor};

use crate::error::{Error, Result};
use crate::loader::Samples;
use crate::nn::Batch;

/// What `compute` makes of all rows of a batch, `at_once` at a time, on `device` and without
/// gradients: `[rows, …]` on the CPU.
pub(super) fn each_chunk(
    batch: &Batch,
    at_once: usize,
    device: Device,
    compute: impl Fn(&Batch) -> Tensor,
) -> Tensor {
    let compute = |chunk: &Batch| compute(chunk).to_device(Device::Cpu);
    Tensor::cat(&chunks(batch, at_once, device, compute), 0)
}

/// What `compute` makes of each part of a batch, of `at_once` rows, on `device` and without gradients.
pub(super) fn chunks<T>(
    batch: &Batch,
    at_once: usize,
    device: Device,
    compute: impl Fn(&Batch) -> T,
) -> Vec<T> {
    let rows = batch.x.size()[0];
    let step = at_once.clamp(1, rows.max(1) as usize);
    let chunk = |from: i64| {
        let narrow = |x: &Tensor| x.narrow(0, from, (step as i64).min(rows - from));
        let attention_mask = batch.attention_mask.as_ref().map(narrow);
        let chunk = Batch { x: narrow(&batch.x), attention_mask }.to_device(device);
        tch::no_grad(|| compute(&chunk))
    };
    (0..rows).step_by(step).map(chunk).collect()
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
