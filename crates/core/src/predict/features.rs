//! The features that a model makes of samples.

use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::loader::{Mode, RawInputs, Samples, load_batches};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::{Batch, Pool};

/// Where in a model features are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureLevel {
    /// What the embedder hands to the trunk, the mean over its places.
    Embedded,
    /// What the trunk hands to the head, pooled as the model pools it.
    Pooled,
}

/// The features of all samples in order, `[N, D]`, f64 on the CPU: `batch_size` samples at a time,
/// without gradients or dropout. Of a sample in several windows, the features are averaged. The
/// samples are [plain](crate::loader::ReadMode::Inference) ones.
///
/// # Errors
/// If a sample can no longer be read.
pub fn features<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    stage: FeatureLevel,
    batch_size: usize,
) -> Result<Tensor> {
    let order: Vec<usize> = (0..samples.len()).collect();
    let lists: Vec<_> = order.chunks(batch_size.max(1)).map(<[_]>::to_vec).collect();
    let mut all = vec![];
    load_batches(&RawInputs { modality, samples }, &lists, Mode::Eval, |_, prepared| {
        let rows = rows(model, &prepared.batch, stage, batch_size as i64);
        all.push(if prepared.rows.iter().all(|&rows| rows == 1) {
            rows
        } else {
            let parts = rows.split_with_sizes(&prepared.rows, 0);
            let mean = |part: &Tensor| part.mean_dim([0].as_slice(), false, None);
            Tensor::stack(&parts.iter().map(mean).collect::<Vec<_>>(), 0)
        });
        Ok(())
    })?;
    Ok(Tensor::f_cat(&all, 0)?)
}

/// The same of each row of a batch, `at_once` at a time: windows make batches long.
fn rows(model: &Model, batch: &Batch, stage: FeatureLevel, at_once: i64) -> Tensor {
    let encoder = model.classifier().encoder();
    let count = batch.x.size()[0];
    let part = |from: i64| {
        let narrow = |x: &Tensor| x.narrow(0, from, at_once.min(count - from));
        let part = Batch {
            x: narrow(&batch.x),
            attention_mask: batch.attention_mask.as_ref().map(narrow),
        };
        let part = part.to_device(model.classifier().device());
        let features = tch::no_grad(|| match stage {
            FeatureLevel::Embedded => Pool::Mean.forward(&encoder.embed(&part, false)),
            FeatureLevel::Pooled => encoder.forward(&part, false),
        });
        features.to_device(Device::Cpu).to_kind(Kind::Double)
    };
    let step = usize::try_from(at_once).unwrap_or(1).max(1);
    Tensor::cat(&(0..count).step_by(step).map(part).collect::<Vec<_>>(), 0)
}
