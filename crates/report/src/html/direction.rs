//! One comparison's section.

use super::{
    chart::{self, Axis, Chart, Dot, Series},
    confusion, errors,
    escape::{Escaped, Name},
    tables,
};
use crate::{
    comparison::{ArmKind, Comparison},
    summary::{AtSize, Measured, Summary},
    words,
};

/// The section of the comparison with this number.
///
/// It ends with `links`.
pub(super) fn section(at: usize, c: &Comparison, summary: &Summary, links: &str) -> String {
    let kinds: Vec<ArmKind> = summary.overall.iter().map(|overall| overall.kind).collect();
    let finding = summary.largest().map(|largest| {
        let verdict = largest.best().and_then(|best| best.verdict);
        format!("<p>{} {}</p>\n", tables::chip(verdict), words::finding(c, largest))
    });
    format!(
        "<section class=\"direction\" id=\"c{at}\" aria-labelledby=\"c{at}-title\">\n{}{}{}{}\n\
         <h3>Accuracy by training size</h3>\n{}<h3>Learning</h3>\n{}{}{}{}\
         <p class=\"back soft\">{links}</p>\n</section>\n",
        heading(at, c, summary),
        finding.unwrap_or_default(),
        tables::legend(&kinds, &format!("<li>{}most frequent class</li>", chart::MAJORITY)),
        charts(c, summary),
        tables::accuracy(c, summary),
        tables::curves(c, summary),
        tables::rates(c, summary),
        confusion::part(c, summary),
        errors::part(c),
    )
}

fn heading(at: usize, c: &Comparison, summary: &Summary) -> String {
    format!(
        "<h2 id=\"c{at}-title\">{} <span class=\"kind\">{}</span> <span class=\"kind\">to</span> {} <span class=\"kind\">{}</span></h2>\n\
         <p class=\"soft wide\">{} · recipe {} · frozen: {} · {} classes · {} test samples · always the \
         most frequent class: {} %</p>\n",
        Name(&c.source.name),
        Escaped(&c.source.modality),
        Name(&c.target.name),
        Escaped(&c.target.modality),
        Name(&c.source.family),
        Name(&c.recipe),
        Name(&c.freeze),
        words::count(c.labels.len()),
        words::count(c.test_samples),
        words::percent(summary.majority),
    )
}

/// Accuracy over training size, and over epochs on each size, the largest first.
fn charts(c: &Comparison, summary: &Summary) -> String {
    let mut figures = vec![figure("Accuracy (%) over training size", over_size(c, summary))];
    for at in summary.sizes.iter().rev() {
        let title = format!(
            "Accuracy (%) over epochs, {} {}",
            words::count(at.size),
            Name(&c.target.samples)
        );
        figures.push(figure(&title, over_epochs(summary, at)));
    }
    format!("<div class=\"charts\">\n{}</div>", figures.concat())
}

fn figure(title: &str, chart: Option<String>) -> String {
    let Some(chart) = chart else { return String::new() };
    format!("<figure><figcaption>{title}</figcaption>{chart}</figure>\n")
}

fn over_size(c: &Comparison, summary: &Summary) -> Option<String> {
    let series = |kind: ArmKind| {
        let dot = |at: &AtSize| Some(Dot { x: at.size, accuracy: at.arm(kind)?.accuracy });
        Series { kind, dots: summary.sizes.iter().filter_map(dot).collect() }
    };
    let says = "Accuracy over training size, a line for each arm; the table below has the numbers.";
    Chart {
        axis: Axis::Sizes,
        says: says.into(),
        below: c.target.samples.clone(),
        series: ArmKind::ALL.map(series).into(),
        majority: summary.majority,
    }
    .svg()
}

fn over_epochs(summary: &Summary, at: &AtSize) -> Option<String> {
    let series = |arm: &Measured| {
        let dots = arm.curve.iter().map(|point| Dot { x: point.epoch, accuracy: point.accuracy });
        Series { kind: arm.kind, dots: dots.collect() }
    };
    let ends = at.arms.iter().filter_map(|arm| {
        let (first, last) = (arm.curve.first()?, arm.curve.last()?);
        let percent = |accuracy| words::percent(accuracy);
        let (from, to) = (percent(first.accuracy.mean), percent(last.accuracy.mean));
        Some(format!("{} from {from} to {to} %", words::arm(arm.kind)))
    });
    let ends: Vec<_> = ends.collect();
    Chart {
        axis: Axis::Epochs,
        says: format!("Accuracy over epochs: {}.", ends.join(", ")),
        below: "epochs".into(),
        series: at.arms.iter().map(series).collect(),
        majority: summary.majority,
    }
    .svg()
}
