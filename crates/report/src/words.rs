//! Numbers and findings in words, the same in HTML and Markdown.

use crate::{
    comparison::{ArmKind, Comparison},
    curve::Reach,
    reliability::{Calibration, Reliability},
    stats::{Estimate, Over, Verdict},
    summary::{Against, AtSize, Summary},
};

/// A fraction as percent, with one decimal: `97.1`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1}", fraction * 100.)
}

/// A difference of fractions in percentage points, with its sign: `+3.8`.
pub(crate) fn points(difference: f64) -> String {
    let mut size = format!("{:.1}", (difference * 100.).abs());
    if size == "0.0" {
        // The sign decides the verdict, so it must be seen.
        size = format!("{:.2}", (difference * 100.).abs());
    }
    match (size == "0.00", difference < 0.) {
        (true, _) => "0.0".into(),
        (false, true) => format!("−{size}"),
        (false, false) => format!("+{size}"),
    }
}

/// The interval of an accuracy: `96.5 to 97.7`; empty if there is none.
pub(crate) fn span(estimate: &Estimate) -> String {
    let interval = estimate.interval;
    interval.map(|i| format!("{} to {}", percent(i.low), percent(i.high))).unwrap_or_default()
}

/// The interval of a difference: `+2.1 to +5.5`; empty if there is none.
pub(crate) fn points_span(estimate: &Estimate) -> String {
    let interval = estimate.interval;
    interval.map(|i| format!("{} to {}", points(i.low), points(i.high))).unwrap_or_default()
}

/// A whole number with commas: `2,700`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 seed`, `3 seeds`.
pub(crate) fn seeds(number: usize) -> String {
    format!("{number} seed{}", if number == 1 { "" } else { "s" })
}

/// A duration with its unit: `0.4 s`, `12 s`, `3.1 min`, `2.5 h`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 5970. => format!("{:.1} min", s / 60.),
        s => format!("{:.1} h", s / 3600.),
    }
}

/// A learning rate: `0.003`, `3e-5`.
pub(crate) fn rate(rate: f64) -> String {
    // Three digits: what is behind them is rounding.
    let rate = format!("{rate:.2e}").parse().unwrap_or(rate);
    if rate == 0. || rate >= 1e-3 { rate.to_string() } else { format!("{rate:e}") }
}

/// What it takes to reach the threshold, in a unit that `say` writes.
pub(crate) fn reach(reach: Option<Reach>, say: impl Fn(f64) -> String) -> String {
    match reach {
        Some(Reach::By(x)) => format!("≤ {}", say(x)),
        Some(Reach::At(x)) => say(x),
        Some(Reach::NotUpTo(x)) => format!("not reached by {}", say(x)),
        None => "–".into(),
    }
}

/// An arm's name in a sentence.
pub(crate) fn arm(kind: ArmKind) -> &'static str {
    match kind {
        ArmKind::Transfer => "transfer",
        ArmKind::Scratch => "scratch",
        ArmKind::RandomFrozen => "random frozen",
        ArmKind::Shuffled => "shuffled",
    }
}

/// What an arm is.
pub(crate) fn meaning(kind: ArmKind) -> &'static str {
    match kind {
        ArmKind::Transfer => "the pretrained trunk, trained by the recipe",
        ArmKind::Scratch => {
            "the same network with random weights, all of them trained: what it learns without a source"
        }
        ArmKind::RandomFrozen => {
            "the same recipe and freezing on random weights: what the architecture does without \
             pretraining"
        }
        ArmKind::Shuffled => {
            "the pretrained values shuffled within each tensor, under the same recipe: what their \
             scale does without their order"
        }
    }
}

/// The metrics of some comparisons: `accuracy`, `accuracy or WER`.
pub(crate) fn metrics(all: &[Comparison]) -> String {
    let mut names: Vec<&str> = vec![];
    for c in all {
        if !names.contains(&c.metric.name.as_str()) {
            names.push(&c.metric.name);
        }
    }
    names.join(" or ")
}

/// What the labels of a comparison are.
pub(crate) fn labels(c: &Comparison) -> &'static str {
    match (c.metric.of_samples, c.metric.lower_is_better) {
        (true, _) => "classes",
        (false, true) => "symbols",
        (false, false) => "labels of words",
    }
}

/// The heads of what [`calibration`] says.
pub(crate) const CALIBRATION: [&str; 4] = ["ECE, %", "Brier", "NLL, nats", "temperature"];

/// An arm's figures, before and after calibration: `6.1 → 2.0`.
pub(crate) fn calibration(of: &Calibration) -> [String; 4] {
    let both = |say: &dyn Fn(&Reliability) -> String| {
        let after = of.calibrated.as_ref().map(|after| format!(" → {}", say(after)));
        say(&of.uncalibrated) + &after.unwrap_or_default()
    };
    [
        both(&|of| percent(of.ece)),
        both(&|of| format!("{:.3}", of.brier)),
        both(&|of| format!("{:.3}", of.nll)),
        of.temperature.map_or("–".into(), |temperature| format!("{temperature:.2}")),
    ]
}

/// What always answering the most frequent class reaches, if there are classes.
pub(crate) fn majority(summary: &Summary, before: &str) -> String {
    let said = |share| format!("{before}always the most frequent class: {} %", percent(share));
    summary.majority.map(said).unwrap_or_default()
}

/// How many samples could not be used, after what stands before it; nothing if all could.
pub(crate) fn left_out(c: &Comparison, before: &str) -> String {
    match c.left_out {
        0 => String::new(),
        bad => format!("{before}left out as they cannot be used: {}", count(bad)),
    }
}

/// A verdict in words, with a sign before them that does without colour.
pub(crate) fn verdict(verdict: Option<Verdict>) -> (&'static str, &'static str) {
    match verdict {
        Some(Verdict::Gain) => ("▲", "gain"),
        Some(Verdict::Loss) => ("▼", "loss"),
        Some(Verdict::NoGainShown) => ("○", "no gain shown"),
        None => ("–", "not compared"),
    }
}

/// What one size showed, in sentences without labels or names.
pub(crate) fn finding(c: &Comparison, at: &AtSize) -> String {
    let Some(transfer) = at.arm(ArmKind::Transfer) else { return String::new() };
    let over = match transfer.value.over {
        Over::Seeds(n) => format!("{} over {}", span(&transfer.value), seeds(n)),
        Over::TestSamples(_) => {
            format!("{} by the test set alone, {}", span(&transfer.value), seeds(transfer.seeds))
        }
    };
    let over = match span(&transfer.value).is_empty() {
        true => format!("no interval, {}", seeds(transfer.seeds)),
        false => format!("95 % interval {over}"),
    };
    let (size, value) = (count(at.size), percent(transfer.value.mean));
    let samples = count(c.test_samples);
    let reached = match c.metric.of_samples {
        true => format!("classifies {value} % of {samples} test samples correctly"),
        false => format!("has a {} of {value} % on {samples} test samples", c.metric.name),
    };
    let lower = if c.metric.lower_is_better { " Lower is better." } else { "" };
    format!(
        "With {size} training samples the transfer {reached} ({over}).{lower} {}",
        conclusion(at)
    )
}

/// The conclusion on the transfer and its best control.
fn conclusion(at: &AtSize) -> String {
    let Some(best) = at.best() else {
        return "No control was run, so nothing can be said of a gain.".into();
    };
    let name = arm(best.control);
    let Against { difference: Some(difference), verdict: Some(verdict), .. } = best else {
        return format!("Its best control, {name}, has no seed in common with it: no comparison.");
    };
    let (by, span) = (points(difference.mean), points_span(difference));
    let said = match verdict {
        Verdict::Gain => "a gain",
        Verdict::Loss => "a loss",
        Verdict::NoGainShown => "no gain is shown",
    };
    let doubt = match difference.over {
        Over::Seeds(_) => "",
        Over::TestSamples(_) => {
            " The interval is that of the test set alone: how other seeds would turn out is not known."
        }
    };
    format!(
        "That is {by} points against its best control, {name} (95 % interval {span}): {said}.{doubt}"
    )
}

/// How the comparisons turned out, at their largest and at their smallest sizes.
pub(crate) fn tally(summaries: &[Summary]) -> String {
    let largest = counts(summaries.iter().map(Summary::largest));
    let several = summaries.iter().any(|summary| summary.sizes.len() > 1);
    let smallest = if several {
        let smallest = counts(summaries.iter().map(|summary| summary.sizes.first()));
        format!(" At the smallest: {smallest}.")
    } else {
        String::new()
    };
    format!(
        "{} comparisons, each against its best control. At the largest training size: {largest}.{smallest}",
        summaries.len()
    )
}

/// `a gain in 2, no gain shown in 6, a loss in 1`.
fn counts<'a>(sizes: impl Iterator<Item = Option<&'a AtSize>>) -> String {
    let verdicts: Vec<_> = sizes.map(|at| at?.best()?.verdict).collect();
    let number = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    let mut parts = vec![
        format!("a gain in {}", number(Some(Verdict::Gain))),
        format!("no gain shown in {}", number(Some(Verdict::NoGainShown))),
        format!("a loss in {}", number(Some(Verdict::Loss))),
    ];
    if number(None) > 0 {
        parts.push(format!("not compared in {}", number(None)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact() {
        assert_eq!(
            [count(0), count(999), count(2700), count(1_234_567)],
            ["0", "999", "2,700", "1,234,567"]
        );
        assert_eq!([points(0.038), points(-0.0004), points(1e-9)], ["+3.8", "−0.04", "0.0"]);
        assert_eq!([percent(0.971), percent(1.)], ["97.1", "100.0"]);
        assert_eq!([rate(0.003), rate(0.1 * 3e-4), rate(0.)], ["0.003", "3e-5", "0"]);
        assert_eq!([0.42, 12.3, 186., 9000.].map(duration), ["0.4 s", "12 s", "3.1 min", "2.5 h"]);
        assert_eq!(reach(Some(Reach::By(100.)), |x| x.to_string()), "≤ 100");
    }
}
