//! A model's scores of samples, kept: to calibrate it by them, and to measure it after that.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::answer::{Answer, answers};
use super::score::score_lists;
use crate::distributed::several;
use crate::error::{Error, Result};
use crate::loader::{RawInputs, Samples, ordered, stretches};
use crate::modality::Modality;
use crate::model::Model;
use crate::task::ctc::Decoder;
use crate::task::{
    Calibration, CalibrationMethod, MetricAccumulator, Metrics, PredictionSets, Scores, SetMetrics,
    TaskConfig, ThresholdMethod,
};

/// A model's scores of samples that have one answer each, kept.
#[derive(Debug)]
pub struct ScoredSamples<'s> {
    samples: &'s Samples,
    /// The samples of each batch with their scores, `[B, answers]`.
    batches: Vec<(Vec<usize>, Tensor)>,
}

/// Scores all samples, `batch_size` at a time, as [`score`](crate::predict::score()) does. Processes that
/// [train together](crate::distributed) take every so many batches each, and all of them have the scores
/// of all.
///
/// # Errors
/// If a sample can no longer be read, if the model's answer to one is no number, or if its answers are
/// sequences.
pub fn scored<'s, M: Modality>(
    model: &Model,
    modality: &M,
    samples: &'s Samples,
    batch_size: usize,
) -> Result<ScoredSamples<'s>> {
    let lists = stretches(samples, batch_size).concat();
    let own = match several() {
        Some(world) => lists.iter().skip(world.rank()).step_by(world.size()).cloned().collect(),
        None => lists.clone(),
    };
    let mut batches = vec![];
    let inputs = RawInputs { modality, samples };
    score_lists(model, &inputs, &own, batch_size, |chosen, scores| match scores {
        Scores::Rows(rows) => {
            batches.push((chosen.to_vec(), rows));
            Ok(())
        }
        Scores::Sequences(_) => {
            let problem = format!("{} has no scores of whole samples", model.spec().task);
            Err(Error::setting("task", problem))
        }
    })?;
    if let Some(world) = several() {
        let unread = |e: serde_json::Error| Error::Distributed {
            problem: format!("what another process has scored cannot be read: {e}"),
        };
        let own = batches.iter().map(|(chosen, rows)| Sent::of(chosen, rows));
        let own = own.collect::<Result<Vec<_>>>()?;
        batches.clear();
        for one in world.gather(&serde_json::to_vec(&own).map_err(unread)?)? {
            let sent: Vec<Sent> = serde_json::from_slice(&one).map_err(unread)?;
            batches.extend(sent.into_iter().map(Sent::batch));
        }
        batches = ordered(&lists, batches);
    }
    Ok(ScoredSamples { samples, batches })
}

impl ScoredSamples<'_> {
    /// All scores, `[N, answers]`, and the samples that they are of.
    fn stacked(&self) -> Result<(Tensor, Vec<usize>)> {
        let rows: Vec<&Tensor> = self.batches.iter().map(|(_, rows)| rows).collect();
        let chosen = self.batches.iter().flat_map(|(chosen, _)| chosen.iter().copied());
        Ok((Tensor::f_cat(&rows, 0)?, chosen.collect()))
    }

    /// Fits a calibration to the scores: see [`Calibration::fit`].
    ///
    /// # Errors
    /// If the scores are not those of the task.
    pub fn calibration(
        &self,
        config: TaskConfig<'_>,
        method: CalibrationMethod,
        threshold: ThresholdMethod,
    ) -> Result<Option<Calibration>> {
        if self.batches.is_empty() {
            return Ok(None);
        }
        let (scores, chosen) = self.stacked()?;
        let targets = chosen.iter().map(|&at| &self.samples.targets()[at]);
        Calibration::fit(config.task, &scores, targets, method, threshold)
    }

    /// The metrics, the same as those of [`evaluate`](crate::predict::evaluate()).
    ///
    /// # Errors
    /// If the scores are not those of the task.
    pub fn metrics(&self, config: TaskConfig<'_>) -> Result<Metrics> {
        let mut tally = MetricAccumulator::new(config, &Decoder::Greedy);
        for (chosen, rows) in &self.batches {
            let targets = chosen.iter().map(|&at| &self.samples.targets()[at]);
            let groups = chosen.iter().map(|&at| self.samples.group(at));
            tally.add(&Scores::Rows(rows.shallow_clone()), targets, groups)?;
        }
        Ok(tally.finish())
    }

    /// How often the sets of a level hold the right class.
    ///
    /// # Errors
    /// If the scores are not those of classes.
    pub fn coverage(&self, config: TaskConfig<'_>, sets: &PredictionSets) -> Result<SetMetrics> {
        let mut found = vec![];
        for (chosen, rows) in &self.batches {
            let answers = answers(config, &Scores::Rows(rows.shallow_clone()))?;
            for (answer, &at) in answers.iter().zip(chosen) {
                let Answer::Classes(ranked) = answer else { continue };
                let (set, class) = (sets.of(ranked), self.samples.targets()[at].class());
                found.push((set.len(), set.iter().any(|&(one, _)| Some(one) == class)));
            }
        }
        Ok(SetMetrics::of(sets.level, found.into_iter()))
    }
}

/// A batch on its way to another process. Scores go as their bits: in digits, they might come back as
/// their neighbours.
#[derive(Serialize, Deserialize)]
struct Sent {
    chosen: Vec<usize>,
    bits: Vec<u32>,
}

impl Sent {
    fn of(chosen: &[usize], rows: &Tensor) -> Result<Self> {
        let numbers = Vec::<f32>::try_from(rows.flatten(0, -1).contiguous())?;
        let bits = numbers.into_iter().map(f32::to_bits).collect();
        Ok(Self { chosen: chosen.to_vec(), bits })
    }

    fn batch(self) -> (Vec<usize>, Tensor) {
        let numbers: Vec<f32> = self.bits.into_iter().map(f32::from_bits).collect();
        let rows = Tensor::from_slice(&numbers).view([self.chosen.len() as i64, -1]);
        (self.chosen, rows)
    }
}
