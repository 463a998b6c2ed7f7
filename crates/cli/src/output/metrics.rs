//! Metrics for people to read.

use std::collections::BTreeMap;

use crosstune_core::{
    Metrics, Task,
    error::printable,
    task::{
        ClassificationMetrics, Edits, GroupMetrics, MultiLabelMetrics, RegressionMetrics, Scheme,
        TaggingMetrics, TranscriptionMetrics,
    },
};

use super::format::{count, number, percent, score};

/// The primary metric of a task: in percent, or R² as it is.
pub(crate) fn primary(task: Task, primary_metric: f64) -> String {
    match task {
        Task::Regression => score(primary_metric),
        _ => percent(primary_metric),
    }
}

/// The figures that metrics consist of, by name; what is of classes, labels or groups is left out.
pub(crate) fn figures(e: &Metrics) -> BTreeMap<String, f64> {
    let value = serde_json::to_value(e).unwrap_or_default();
    let numbers = value.as_object().into_iter().flatten();
    let numbers =
        numbers.filter(|(name, _)| !["samples", "repaired", "unanswered"].contains(&name.as_str()));
    numbers.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}

/// All metrics in a line.
pub(crate) fn summary(e: &Metrics, samples: &str) -> String {
    let optional = |x: Option<f64>| x.map_or("–".into(), score);
    let said = match e {
        Metrics::SingleLabel(e) => {
            format!("accuracy {}, macro F1 {}", percent(e.accuracy), percent(e.macro_f1))
        }
        Metrics::MultiLabel(e) => format!(
            "macro F1 {}, micro F1 {}, mean average precision {}, exact match {}",
            percent(e.macro_f1),
            percent(e.micro_f1),
            e.mean_average_precision.map_or("–".into(), percent),
            percent(e.exact_match)
        ),
        Metrics::Regression(e) => format!(
            "R² {}, mean absolute error {}, Pearson {}, Spearman {}",
            score(e.r2),
            number(e.mae),
            optional(e.pearson),
            optional(e.spearman)
        ),
        Metrics::Transcription(e) => {
            let [wer, cer] = [(e.wer, e.wer_interval), (e.cer, e.cer_interval)].map(rate);
            format!("word error rate {wer}, character error rate {cer}")
        }
        Metrics::Tagging(e) if e.scheme == Scheme::Plain => format!(
            "word accuracy {}, macro F1 {}",
            with_interval(e.word_accuracy, e.span_f1_interval),
            percent(e.macro_f1)
        ),
        Metrics::Tagging(e) => format!(
            "span F1 {}, precision {}, recall {}, macro F1 {}, words right {}",
            with_interval(e.span_f1, e.span_f1_interval),
            percent(e.precision),
            percent(e.recall),
            percent(e.macro_f1),
            percent(e.word_accuracy)
        ),
    };
    format!("{said}, loss {} on {} {samples}", score(e.loss()), count(e.samples()))
}

/// All metrics in a line, then a table of classes, labels or values.
pub(crate) fn table(e: &Metrics, labels: &[String], samples: &str) -> String {
    let table = match e {
        Metrics::SingleLabel(e) => classes(e, labels, samples),
        Metrics::MultiLabel(e) => of_labels(e, samples),
        Metrics::Regression(e) => values(e),
        Metrics::Transcription(e) => edits(e),
        Metrics::Tagging(e) => spans(e),
    };
    format!("{}\n\n{table}", summary(e, samples))
}

/// The width of a column of names.
fn width<'l>(names: impl Iterator<Item = &'l String>) -> usize {
    names.map(|name| printable(name).chars().count()).max().unwrap_or(0).max(5)
}

/// `12.3 % (95 %: 10.1 – 14.2 %)`
fn rate((rate, interval): (f64, Option<[f64; 2]>)) -> String {
    let [low, high] = interval.unwrap_or_default().map(|x| 100. * x);
    let interval = interval.map(|_| format!(" (95 %: {low:.1} – {high:.1} %)"));
    percent(rate) + &interval.unwrap_or_default()
}

/// The groups with the highest word error rates, and those with the lowest.
fn groups(groups: &[GroupMetrics]) -> String {
    const SHOWN: usize = 10;
    if groups.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&GroupMetrics> = groups.iter().collect();
    sorted.sort_by(|a, b| b.wer.total_cmp(&a.wer));
    let width = width(groups.iter().map(|group| &group.name));
    let mut text =
        format!("\n{:<width$}  {:>10}  words wrong  characters wrong\n", "group", "samples");
    let left_out = sorted.len().saturating_sub(2 * SHOWN);
    for (at, GroupMetrics { name, samples, wer, cer }) in sorted.into_iter().enumerate() {
        if left_out > 0 && at == SHOWN {
            text += &format!("… {} between\n", count(left_out));
        }
        if !(SHOWN..SHOWN + left_out).contains(&at) {
            let [wer, cer] = [*wer, *cer].map(percent);
            text += &format!("{:<width$}  {samples:>10}  {wer:>11}  {cer:>16}\n", printable(name));
        }
    }
    text
}

fn edits(e: &TranscriptionMetrics) -> String {
    let mut text = format!(
        "{:<10}  {:>10}  {:>10}  {:>10}  {:>10}\n",
        "", "right", "replaced", "left out", "put in"
    );
    for (name, edits) in [("words", &e.words), ("characters", &e.characters)] {
        let Edits { hits, substitutions, deletions, insertions } = edits;
        text += &format!(
            "{name:<10}  {hits:>10}  {substitutions:>10}  {deletions:>10}  {insertions:>10}\n"
        );
    }
    text + &groups(&e.groups)
}

fn spans(e: &TaggingMetrics) -> String {
    let averages = [
        ("micro", [e.precision, e.recall, e.span_f1]),
        ("macro", [e.macro_precision, e.macro_recall, e.macro_f1]),
        ("weighted", [e.weighted_precision, e.weighted_recall, e.weighted_f1]),
    ];
    let width = width(e.types.iter().map(|of| &of.name)).max(8);
    let (what, counted) = match e.scheme {
        Scheme::Plain => ("label", "words"),
        _ => ("type", "spans"),
    };
    let mut text = format!("{what:<width$}  {counted:>10}  precision   recall       F1\n");
    let row = |name: &str, support: usize, scores: [f64; 3]| {
        let [precision, recall, f1] = scores.map(percent);
        format!("{name:<width$}  {:>10}  {precision:>9}  {recall:>7}  {f1:>7}\n", count(support))
    };
    for of in &e.types {
        text += &row(&printable(&of.name), of.support, [of.precision, of.recall, of.f1]);
    }
    let all = e.types.iter().map(|of| of.support).sum();
    for (name, scores) in averages {
        text += &row(name, all, scores);
    }
    if e.repaired > 0 {
        let repaired = count(e.repaired);
        text +=
            &format!("\n{repaired} of the model's labels break {}, and were repaired\n", e.scheme);
    }
    if e.unanswered > 0 {
        let unanswered = count(e.unanswered);
        text +=
            &format!("\n{unanswered} words have no place in the model's input, and count as O\n");
    }
    text
}

/// `61.2 % (60.1 to 62.3)`, the second the 95 % interval.
fn with_interval(fraction: f64, interval: Option<[f64; 2]>) -> String {
    let shown = percent(fraction);
    match interval {
        None => shown,
        Some([low, high]) => format!("{shown} ({:.1} to {:.1})", 100. * low, 100. * high),
    }
}

fn classes(e: &ClassificationMetrics, labels: &[String], samples: &str) -> String {
    let width = width(labels.iter());
    let mut text =
        format!("{:<width$}  {samples:>10}  correct  most often confused with\n", "class");
    for (truth, label) in labels.iter().enumerate() {
        let label = printable(label);
        let row = || e.confusion.row(truth);
        let all: u32 = row().map(|(_, samples)| samples).sum();
        let confused = row().filter(|(c, _)| *c != truth).max_by_key(|(_, samples)| *samples);
        let confused =
            confused.map(|(c, n)| format!("{} ({n})", printable(&labels[c]))).unwrap_or_default();
        let correct = f64::from(e.confusion.get(truth, truth)) / f64::from(all.max(1));
        text += &format!("{label:<width$}  {all:>10}  {:>5.0} %  {confused}\n", 100. * correct);
    }
    text
}

fn of_labels(e: &MultiLabelMetrics, samples: &str) -> String {
    let width = width(e.labels.iter().map(|l| &l.label));
    // Where none was fitted, it is 0.5.
    let told = e.labels.iter().any(|l| l.threshold != 0.5);
    let threshold = |text: String| if told { format!("  {text:>9}") } else { String::new() };
    let mut text = format!(
        "{:<width$}  {samples:>10}  precision  recall      F1  average precision{}\n",
        "label",
        threshold("threshold".into())
    );
    for l in &e.labels {
        text += &format!(
            "{:<width$}  {:>10}  {:>9}  {:>6}  {:>6}  {:>17}{}\n",
            printable(&l.label),
            count(l.support),
            percent(l.precision),
            percent(l.recall),
            percent(l.f1),
            l.average_precision.map_or("–".into(), percent),
            threshold(percent(l.threshold)),
        );
    }
    text
}

fn values(e: &RegressionMetrics) -> String {
    let width = width(e.values.iter().map(|v| &v.value));
    let optional = |x: Option<f64>| x.map_or("–".into(), score);
    let mut text =
        format!("{:<width$}      R²  squared error  absolute error  Pearson  Spearman\n", "value");
    for v in &e.values {
        text += &format!(
            "{:<width$}  {:>6}  {:>13}  {:>14}  {:>7}  {:>8}\n",
            printable(&v.value),
            score(v.r2),
            number(v.mse),
            number(v.mae),
            optional(v.pearson),
            optional(v.spearman),
        );
    }
    text
}
