//! Whether the parts of a comparison fit each other: a file from elsewhere may be wrong.

use std::collections::HashSet;

use crate::{
    blob::Blob,
    comparison::{ArmKind, Comparison, ErrorExample, Media, Run},
    error::{Error, Result},
    reliability::Reliability,
};

/// The most classes.
const MOST_CLASSES: usize = 100_000;

/// How far a run's accuracy may lie from that of its confusion matrix, for rounding.
const ROUNDING: f64 = 1e-4;

/// What is wrong, without the place.
type Check<T = ()> = std::result::Result<T, String>;

impl Comparison {
    /// Checks that the parts fit each other: lengths, ranges, and references to labels, sizes and runs.
    ///
    /// # Errors
    /// The first part that does not fit.
    pub fn validate(&self) -> Result<()> {
        comparison(self)
    }
}

fn comparison(c: &Comparison) -> Result<()> {
    let name = c.name();
    let at = |part: &str| {
        let place = if part.is_empty() { name.clone() } else { format!("{name}, {part}") };
        move |problem| Error::Invalid { place, problem }
    };
    frame(c).map_err(at(""))?;
    for kind in ArmKind::ALL {
        let arms: Vec<_> = c.arms.iter().filter(|arm| arm.kind == kind).collect();
        if arms.len() > 1 {
            return Err(at("")(format!("the arm {kind} is there {} times", arms.len())));
        }
        let Some(arm) = arms.first() else { continue };
        for (number, trial) in arm.trials.iter().enumerate() {
            let place = format!("{kind}, trial {}", number + 1);
            rate("lr", trial.lr)
                .and(rate("pretrained-lr", trial.pretrained_lr))
                .and(value(c, "held-out", trial.held_out))
                .map_err(at(&place))?;
        }
        let mut seen = HashSet::new();
        for (number, run) in arm.runs.iter().enumerate() {
            let place = format!("{kind}, run {}", number + 1);
            self::run(c, run).map_err(at(&place))?;
            if !seen.insert((run.size, run.seed)) {
                let problem = format!("size {} with seed {} is there twice", run.size, run.seed);
                return Err(at(&place)(problem));
            }
        }
    }
    for (number, shown) in c.error_examples.iter().enumerate() {
        example(c, shown).map_err(at(&format!("error example {}", number + 1)))?;
    }
    Ok(())
}

/// What is said once of the comparison.
fn frame(c: &Comparison) -> Check {
    let (classes, sizes) = (c.labels.len(), &c.budgets);
    check((2..=MOST_CLASSES).contains(&classes), || {
        format!("{classes} labels, but 2 to {MOST_CLASSES} are wanted")
    })?;
    check(c.test_samples > 0, || "test-samples is 0".into())?;
    value(c, "threshold", c.threshold.unwrap_or(0.))?;
    check(!sizes.is_empty(), || "budgets is empty".into())?;
    check(sizes.iter().all(|budget| budget.size > 0), || "a budget has size 0".into())?;
    check(sizes.windows(2).all(|pair| pair[0].size < pair[1].size), || {
        "the sizes in budgets do not grow".into()
    })?;
    let transfer = c.arm(ArmKind::Transfer).is_some_and(|arm| !arm.runs.is_empty());
    check(transfer, || "the arm transfer has no runs".into())
}

fn run(c: &Comparison, run: &Run) -> Check {
    check(c.budgets.iter().any(|budget| budget.size == run.size), || {
        format!("size {} is not in budgets", run.size)
    })?;
    rate("lr", run.lr)?;
    rate("pretrained-lr", run.pretrained_lr)?;
    value(c, "value", run.value)?;
    value(c, "second", run.second)?;
    amount("loss", run.loss)?;
    amount("seconds", run.seconds)?;
    confusion(c, run)?;
    if let Some(of) = &run.calibration {
        for of in [Some(&of.uncalibrated), of.calibrated.as_ref()].into_iter().flatten() {
            reliability(c, of)?;
        }
        let temperature = of.temperature.unwrap_or(1.);
        check(temperature.is_finite() && temperature > 0., || {
            format!("temperature is {temperature}, but a number above 0 is wanted")
        })?;
    }
    for point in &run.curve {
        value(c, "value in curve", point.value)?;
        amount("seconds in curve", point.seconds)?;
    }
    let ordered = run.curve.windows(2).all(|pair| {
        let (a, b) = (pair[0], pair[1]);
        a.epoch < b.epoch && a.seconds <= b.seconds
    });
    check(ordered, || "the curve's epochs and seconds do not grow".into())
}

fn confusion(c: &Comparison, run: &Run) -> Check {
    let classes = c.labels.len();
    let counted = run.counts.is_empty() || run.counts.len() == c.test_samples;
    check(counted, || {
        format!(
            "counts are of {} samples, but test-samples is {}",
            run.counts.len(),
            c.test_samples
        )
    })?;
    let Some(confusion) = &run.confusion else {
        return check(!c.metric.of_samples, || "confusion is missing".into());
    };
    check(confusion.classes() == classes, || {
        format!("confusion is not {classes} × {classes}, as there are labels")
    })?;
    let samples: u64 = confusion.cells().map(|(.., n)| u64::from(n)).sum();
    check(samples == c.test_samples as u64, || {
        format!("confusion counts {samples} samples, but test-samples is {}", c.test_samples)
    })?;
    let right = confusion.cells().filter(|(truth, answer, _)| truth == answer);
    let right: u64 = right.map(|(.., n)| u64::from(n)).sum();
    let accuracy = right as f64 / samples as f64;
    check((accuracy - run.value).abs() < ROUNDING, || {
        format!("value is {}, but {accuracy} by the confusion", run.value)
    })
}

fn reliability(c: &Comparison, of: &Reliability) -> Check {
    fraction("ece", of.ece)?;
    amount("brier", of.brier)?;
    amount("nll", of.nll)?;
    for bin in &of.bins {
        fraction("confidence of a bin", bin.confidence)?;
        fraction("accuracy of a bin", bin.accuracy)?;
    }
    let forecasts = of.bins.iter().map(|bin| bin.forecasts).sum::<usize>();
    check(forecasts == c.test_samples, || {
        format!("bins count {forecasts} samples, but test-samples is {}", c.test_samples)
    })
}

fn example(c: &Comparison, shown: &ErrorExample) -> Check {
    let class = |what: &str, class: usize| {
        check(class < c.labels.len(), || {
            format!("{what} is {class}, but there are {} labels", c.labels.len())
        })
    };
    match &shown.sentence {
        Some(sentence) => check(sentence.is_whole(), || "a stretch is none of the words".into())?,
        None => {
            check(shown.truth.is_some(), || "truth is missing".into())?;
            check(!shown.answers.is_empty(), || "answers is empty".into())?;
        }
    }
    class("truth", shown.truth.unwrap_or(0))?;
    for answer in &shown.answers {
        class("class", answer.class)?;
        fraction("probability", f64::from(answer.probability))?;
    }
    let known = c.arm(shown.arm).is_some_and(|arm| {
        arm.runs.iter().any(|run| run.size == shown.size && run.seed == shown.seed)
    });
    check(known, || {
        let ErrorExample { arm, size, seed, .. } = shown;
        format!("there is no run of {arm} with size {size} and seed {seed}")
    })?;
    match &shown.media {
        Media::Picture { png } => is_png(png),
        Media::Sound { wav, spectrogram_png } => {
            let riff = wav.0.starts_with(b"RIFF") && wav.0.get(8..12) == Some(b"WAVE");
            check(riff, || "wav is not a WAV file".into())?;
            is_png(spectrogram_png)
        }
        Media::Text(_) => Ok(()),
    }
}

fn is_png(blob: &Blob) -> Check {
    check(blob.0.starts_with(b"\x89PNG\r\n\x1a\n"), || "png is not a PNG file".into())
}

/// A learning rate: 0 if no such parameter trains.
fn rate(what: &str, value: f64) -> Check {
    check(value.is_finite() && value >= 0., || {
        format!("{what} is {value}, but a rate from 0 on is wanted")
    })
}

fn fraction(what: &str, value: f64) -> Check {
    check((0. ..=1.).contains(&value), || format!("{what} is {value}, but 0 to 1 is wanted"))
}

/// A value of the metric: an error rate may be above 1, as words may be put in.
fn value(c: &Comparison, what: &str, value: f64) -> Check {
    if c.metric.lower_is_better { amount(what, value) } else { fraction(what, value) }
}

fn amount(what: &str, value: f64) -> Check {
    check(value.is_finite() && value >= 0., || {
        format!("{what} is {value}, but a number from 0 on is wanted")
    })
}

fn check(holds: bool, problem: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(problem()) }
}
