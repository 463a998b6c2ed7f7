//! What of a data set a comparison does without.

use anyhow::Result;
use crosstune_core::{
    Dataset, Modality, RecipePlan, Splits, Task, loader::refuse_bad, predict::too_short,
};

use super::args::CompareArgs;
use crate::{
    args::ModalityArgs,
    output::{progress, say_skipped, skipped},
    setup::{
        inputs,
        job::{Built, TransferJob},
    },
};

/// Leaves out of all splits what cannot be used, before samples are drawn: all arms, sizes and seeds
/// have the same to draw from. Returns how much that is.
///
/// # Errors
/// If nothing is left.
pub(super) fn leave_out<A: ModalityArgs>(
    args: &CompareArgs<A>,
    job: &TransferJob<'_>,
    modality: &A::Modality,
    data: &mut Dataset,
) -> Result<usize> {
    // As the trainings have them.
    data.train.append(&mut data.validation);
    let mut modality = modality.clone();
    let bar = progress::reading(data.items().count(), A::Modality::SAMPLES);
    let read = Splits::read(&mut modality, data, args.memory.0, || bar.inc(1));
    bar.finish_and_clear();
    let (splits, bad) = read?;
    let left = !splits.train.is_empty() && !splits.test.is_empty();
    let mut bad = refuse_bad(bad, true, left)?;
    if data.task == Task::Transcription {
        let (device, at_once) = (args.fit.device()?, args.fit.options().batch_size);
        // How many positions there are, no alignment changes.
        let plan = RecipePlan { align: false, ..job.plan.clone() };
        let Built { model, .. } = job.model(&plan, &modality, data, &splits, 0, device)?;
        let short = too_short(&model, &modality, &splits.train, at_once, 0)?;
        let left = short.len() < splits.train.len();
        let short = short.iter().map(|one| one.bad(&splits.train)).collect();
        bad.extend(refuse_bad(short, true, left)?);
    }
    let skipped = skipped(&data.bad, &bad);
    say_skipped(&skipped, A::Modality::SAMPLES);
    inputs::leave_out(&mut data.train, &bad);
    inputs::leave_out(&mut data.test, &bad);
    Ok(skipped.len())
}
