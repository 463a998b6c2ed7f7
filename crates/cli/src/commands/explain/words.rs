//! What is said of an explanation.

use crosstune_core::Baseline;
use crosstune_core::error::printable;
use crosstune_core::predict::{Answer, ExplainMethod, Explanation, Occluder};
use crosstune_report::{Drawing, Mark};

use crate::output::format::{number, percent};

/// What a model says of an input: `positive 98.2 %`.
pub(super) fn said(answer: &Answer, labels: &[String], text: Option<&str>) -> String {
    let label = |at: usize| labels.get(at).map_or("", String::as_str);
    let one = |(at, p): &(usize, f64)| format!("{} {}", label(*at), percent(*p));
    let several = |all: Vec<String>| if all.is_empty() { "–".into() } else { all.join(", ") };
    match answer {
        Answer::Classes(ranked) => several(ranked.iter().take(1).map(one).collect()),
        Answer::Labels(ranked) => {
            several(ranked.iter().take_while(|(_, p)| *p > 0.5).map(one).collect())
        }
        Answer::Values(values) => {
            let value = |(at, value): (usize, &f64)| format!("{} {}", label(at), number(*value));
            several(values.iter().enumerate().map(value).collect())
        }
        Answer::Transcript(heard) => several(vec![heard.text.clone()]),
        Answer::Entities(found) => {
            let one = |found: &crosstune_core::predict::Entity| {
                let written = found.written(text).unwrap_or_default();
                format!("{} {written} {}", found.label, percent(found.probability))
            };
            several(found.iter().map(one).collect())
        }
    }
}

/// How explanations were made, in a sentence.
pub(super) fn method(method: ExplainMethod, baseline: Baseline, unit: &str) -> String {
    let what = match baseline {
        Baseline::Padding => "padding in the place of its tokens",
        Baseline::Black => "a black picture",
        Baseline::Mean => "its mean",
        Baseline::Blurred => "the same picture, blurred",
        Baseline::Silence => "silence",
        Baseline::Zero => "no embedding at all",
    };
    match method {
        ExplainMethod::IntegratedGradients { .. } => format!(
            "What each part of an input adds to the answer’s {unit}, beside {what}: integrated gradients \
             (Sundararajan et al. 2017) at the embedder’s output."
        ),
        ExplainMethod::Occlusion(by) => {
            let share = match by {
                Occluder::Share(share) => {
                    format!(", {} of each side of what is no text", percent(share))
                }
                Occluder::Exact { .. } => String::new(),
            };
            format!(
                "What the answer’s {unit} loses where a part of the input is covered by {what}{share}: \
                 occlusion (Zeiler and Fergus 2014)."
            )
        }
    }
}

/// What the numbers add up to.
pub(super) fn sum(of: &Explanation, unit: &str) -> String {
    let signed = |x: f64| format!("{x:+.3}").replace('-', "−");
    let Some(baseline) = of.baseline_score else {
        return format!("{unit} {}, without {} parts, one at a time", signed(of.score), of.steps);
    };
    let shown: f64 = of.attributions.values().iter().sum();
    let rest = match of.rest.abs() > 5e-4 {
        true => format!(", special tokens and padding {}", signed(of.rest)),
        false => String::new(),
    };
    let off = match of.converged {
        true => format!("{} off, {} steps", number(of.residual.abs()), of.steps),
        false => format!(
            "they do not add up: {} off after {} steps; more --steps may help",
            number(of.residual.abs()),
            of.steps
        ),
    };
    format!(
        "{unit} {}: of {} alone {}, the parts shown {}{rest} ({off})",
        signed(of.score),
        of.baseline,
        signed(baseline),
        signed(shown)
    )
}

/// The parts that count most, for a line: `great +1.20`.
pub(super) fn foremost(drawing: &Drawing) -> String {
    const SHOWN: usize = 4;
    let (Drawing::Words(marks) | Drawing::Heat { spots: marks, .. }) = drawing;
    let mut found: Vec<(&Mark, f64)> =
        marks.iter().filter_map(|mark| Some((mark, mark.value?))).collect();
    found.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    let one = |(mark, value): (&Mark, f64)| format!("{} {value:+.2}", printable(&mark.text));
    found.into_iter().take(SHOWN).map(one).collect::<Vec<_>>().join("  ")
}
