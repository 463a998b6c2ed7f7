//! The training itself, and what is told on the way.

use std::{mem, time::Instant};

use crosstune_core::{
    CheckpointEvery, Checkpoints, Error, FitOptions, FitReport, Modality, Model, Progress,
    RunWriter, Splits, error::one_line, fit_resumable,
};
use serde_json::json;

use super::board::Board;
use super::log::{StepLog, say_resumed, show_epoch};
use crate::{
    output::{
        format::{percent, score},
        note, progress,
    },
    process::{self, signals},
};

/// What a training came to.
pub(super) struct Fitted {
    pub(super) history: FitReport,
    /// Seconds to the first step.
    pub(super) first_batch: f64,
    /// The median of the seconds of a step.
    pub(super) step: f64,
}

/// Trains.
pub(super) fn fitted<M: Modality>(
    model: &Model,
    modality: &M,
    splits: &Splits,
    options: &FitOptions,
    every: CheckpointEvery,
    mut run: Option<&mut RunWriter>,
    mut board: Option<&mut Board>,
) -> Result<Fitted, Error> {
    let of_epoch = splits.train.len().div_ceil(options.global_batch_size());
    let bar = progress::training(options.batches(splits.train.len()));
    let first_batch = process::age().as_secs_f64();
    let (mut last, mut times, mut cached, mut told) = (Instant::now(), vec![], 0, false);
    let mut steps_told = StepLog::default();
    let samples = [&splits.train, &splits.validation];
    // Only the first of several processes writes.
    let folder = run.as_ref().map_or_else(std::env::temp_dir, |run| run.checkpoints());
    let checkpoints = Checkpoints::new(folder)
        .every(every)
        .conditions(&json!({ "test": splits.test.digest() }))?
        .stop_when(|| signals::asked().is_some());
    let watch = (every != CheckpointEvery::Never).then(signals::Watch::begin);
    let history = fit_resumable(model, modality, samples, options, &checkpoints, &mut |p| {
        if let Some(board) = &mut board {
            bar.suspend(|| board.told(&p, model));
        }
        match p {
            Progress::Cached { samples } => {
                cached += samples;
                bar.set_message(format!("features of {cached} {} cached", M::SAMPLES));
            }
            Progress::Uncached { error } => bar.suspend(|| {
                note(&format!("warning: {}; features are not cached", one_line(error)));
            }),
            Progress::Resumed { epochs, step } => {
                bar.inc((epochs.len() * of_epoch) as u64);
                bar.inc(step as u64);
                bar.suspend(|| say_resumed(epochs.len(), step));
                if let Some(run) = &mut run {
                    epochs.iter().try_for_each(|record| run.metric(record))?;
                }
            }
            Progress::Unsaved { error } => bar.suspend(|| {
                note(&format!("warning: {}; training goes on", one_line(error)));
            }),
            Progress::Step { epoch, loss, accuracy, .. } => {
                times.push(last.elapsed().as_secs_f64());
                steps_told.step(&p);
                bar.set_prefix(format!("epoch {epoch}/{}", options.epochs));
                let accuracy = accuracy.map(|accuracy| format!("  accuracy {}", percent(accuracy)));
                bar.set_message(format!("loss {}{}", score(loss), accuracy.unwrap_or_default()));
                bar.inc(1);
            }
            // The report of the epoch follows.
            Progress::Validated(_) => {}
            Progress::Epoch(record) => {
                // It is written again with the model.
                if let Some(run) = &mut run
                    && let Err(e) = run.metric(record)
                    && !mem::replace(&mut told, true)
                {
                    bar.suspend(|| note(&format!("warning: {}; training goes on", one_line(&e))));
                }
                show_epoch(&bar, record, options.epochs, model.spec().task_config());
            }
        }
        last = Instant::now();
        Ok(())
    });
    drop(watch);
    bar.finish_and_clear();
    times.sort_by(f64::total_cmp);
    let step = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(Fitted { history: history?, first_batch, step })
}
