//! Initialising a new embedder from data, before training.

use rand::SeedableRng;
use tch::Tensor;

use super::embedding_stats::EmbeddingStats;
use crate::error::Result;
use crate::loader::{ReadMode, Samples};
use crate::modality::Modality;
use crate::model::Model;
use crate::random::Rng;
use crate::weights::lora;

/// Initialises a new embedder from the inputs that it will see, before training, and matches its output
/// to the statistics that the trunk was trained on, where they are given; a pretrained one stays as it
/// is. Some hundred samples tell enough, fewer of large ones.
///
/// # Errors
/// If a sample can no longer be read.
pub fn init_from_data<M: Modality>(
    model: &Model,
    modality: &M,
    train: &Samples,
    stats: Option<&EmbeddingStats>,
) -> Result<()> {
    const SAMPLES: usize = 512;
    /// In all samples together.
    const VALUES: usize = 1 << 25;
    let report = model.report();
    let embedder = |name: &&String| name.starts_with("embed.") && !lora::is_adapter(name);
    if !report.fresh.iter().any(|name| embedder(&name)) || train.is_empty() {
        return Ok(());
    }
    let limit = (VALUES / train.mean_length()).clamp(1, SAMPLES);
    let some: Vec<Tensor> = train
        .subset(modality, ReadMode::Training, limit)?
        .iter()
        .map(|kept| modality.augment(kept, &mut Rng::seed_from_u64(0)))
        .collect();
    let batch = modality.batch(&some.iter().collect::<Vec<_>>());
    let batch = batch.to_device(model.classifier().device());
    let encoder = model.classifier().encoder();
    encoder.init_from_data(&batch);
    if let Some(stats) = stats {
        stats.match_to(encoder, &model.store().variables(), report, &batch);
    }
    Ok(())
}
