//! The features that a model makes of samples.

use tch::{Kind, Tensor};

use super::rows::{check_finite, each_chunk, per_sample};
use crate::error::Result;
use crate::loader::{Mode, RawInputs, Samples, in_order, load_batches};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::{Batch, Pool};

/// Where in a model features are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureLevel {
    /// What the embedder hands to the trunk, averaged over positions.
    Embedded,
    /// What the trunk hands to the head, pooled as the model pools it.
    Pooled,
}

/// The features of all samples in order, `[N, D]`, f64 on the CPU: `batch_size` samples at a time,
/// without gradients or dropout. Of a sample in several windows, the features are averaged. The
/// samples are [plain](crate::loader::ReadMode::Inference) ones.
///
/// # Errors
/// If a sample can no longer be read, or if a feature of one is no number.
pub fn features<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    stage: FeatureLevel,
    batch_size: usize,
) -> Result<Tensor> {
    let lists = in_order(samples, batch_size);
    let source = RawInputs { modality, samples };
    let mut all = vec![];
    load_batches(&source, &lists, Mode::Eval, |chosen, prepared| {
        let classifier = model.classifier();
        let compute = |batch: &Batch| match stage {
            FeatureLevel::Embedded => Pool::Mean.forward(&classifier.encoder().embed(batch, false)),
            FeatureLevel::Pooled => classifier.features(batch, false),
        };
        let device = model.classifier().device();
        let rows = each_chunk(&prepared, &source, batch_size, device, compute);
        let rows = rows.to_kind(Kind::Double);
        let mean = |part: &Tensor| part.mean_dim([0].as_slice(), false, None);
        let rows = per_sample(rows, &prepared.rows, mean);
        check_finite(&rows, chosen, samples)?;
        all.push(rows);
        Ok(())
    })?;
    Ok(Tensor::f_cat(&all, 0)?)
}
