//! What is fitted on the validation split, once the model is trained.

use crosstune_core::predict::scored;
use crosstune_core::task::{
    Calibration, CalibrationMethod, CalibrationMetrics, Metrics, TaskConfig, ThresholdMethod,
};
use crosstune_core::{Error, Modality, Model, Result, Samples, Task, evaluate};

use crate::output::{
    format::{count, percent},
    say,
};

/// Measures a model on the validation split, with the parameters of the best epoch, and fits to the same
/// scores what makes its probabilities ones to act by.
pub(super) fn validated<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
    (method, threshold): (CalibrationMethod, ThresholdMethod),
) -> Result<(Option<Calibration>, Option<Metrics>)> {
    if samples.is_empty() {
        return Ok((None, None));
    }
    let config = model.spec().task_config();
    if !is_calibrated(config.task) {
        return Ok((None, Some(evaluate(model, modality, samples, batch_size)?)));
    }
    let scored = scored(model, modality, samples, batch_size)?;
    let fitted = scored.calibration(config, method, threshold)?;
    let metrics = scored.metrics(TaskConfig { calibration: fitted.as_ref(), ..config })?;
    Ok((fitted, Some(metrics)))
}

/// What was measured; nothing where that failed, which is told once the model is saved.
pub(super) fn or_later<T: Default>(
    done: Result<T>,
    processes: usize,
    failed: &mut Option<Error>,
) -> Result<T> {
    match done {
        // The others wait for this one.
        Err(e) if processes == 1 => {
            *failed = Some(e);
            Ok(T::default())
        }
        done => done,
    }
}

/// Whether the answers to a task have probabilities that are corrected.
fn is_calibrated(task: Task) -> bool {
    matches!(task, Task::SingleLabel | Task::MultiLabel)
}

/// Says what was fitted, and what it did; `validation` and `test` are with it.
pub(super) fn say_calibration(
    config: TaskConfig<'_>,
    method: CalibrationMethod,
    validation: Option<&Metrics>,
    test: Option<&Metrics>,
) {
    if !is_calibrated(config.task) {
        return;
    }
    let Some(fitted) = config.calibration else {
        if validation.is_none() && method == CalibrationMethod::Temperature {
            say("calibrated", "no: there is no validation split to fit a temperature on");
        }
        return;
    };
    let samples = count(fitted.samples);
    match (fitted.temperature, method) {
        (Some(temperature), _) => {
            let on = [(test, "on test"), (validation, "on validation, which it was fitted on")];
            let on = on.into_iter().find_map(|(of, on)| Some((of?.calibration()?, on)));
            let effect = on.map(|(of, on)| format!("; {} {on}", errors(of))).unwrap_or_default();
            let interval = fitted
                .temperature_interval
                .map(|[low, high]| format!(" (95 % interval {low:.2} to {high:.2})"));
            let interval = interval.unwrap_or_default();
            say(
                "calibrated",
                format!(
                    "temperature {temperature:.3}{interval} by {samples} validation samples{effect}"
                ),
            );
            if fitted.temperature_interval.is_some_and(|[low, high]| low < 1. && 1. < high) {
                say(
                    "note",
                    format!(
                        "{samples} validation samples do not tell this temperature from 1: the correction \
                         may do nothing or harm; with a larger --validation it is surer, and \
                         --calibrate none leaves it out"
                    ),
                );
            }
        }
        (None, CalibrationMethod::Temperature) => {
            let text = format!(
                "no: of {samples} validation samples none is answered wrongly, so that no temperature fits"
            );
            say("calibrated", text);
        }
        (None, CalibrationMethod::None) => {}
    }
    if !fitted.thresholds.is_empty() {
        say("thresholds", thresholds(&fitted.thresholds));
    }
}

/// `ECE 6.1 % → 2.0 %`.
fn errors(of: &CalibrationMetrics) -> String {
    let before = percent(of.uncalibrated.ece);
    match &of.calibrated {
        Some(after) => format!("ECE {before} → {}", percent(after.ece)),
        None => format!("ECE {before}"),
    }
}

/// How many labels have a threshold of their own, and from where to where they go.
fn thresholds(all: &[f64]) -> String {
    let own: Vec<f64> = all.iter().copied().filter(|&t| t != 0.5).collect();
    let [low, high] = [f64::min as fn(f64, f64) -> f64, f64::max]
        .map(|of| own.iter().copied().reduce(of).unwrap_or(0.5));
    match own.len() {
        0 => "0.5 for all labels: none has 10 validation samples with it and 10 without".into(),
        n => format!(
            "of the best F1 on validation for {} of {} labels ({low:.2} to {high:.2}), 0.5 for the \
             others",
            count(n),
            count(all.len())
        ),
    }
}
