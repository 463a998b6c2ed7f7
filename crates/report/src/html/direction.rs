//! One comparison's section.

use super::{
    chart::{self, Axis, Chart, Dot, Series},
    confusion, errors,
    escape::{Escaped, Name},
    reliability, tables,
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
    let majority = format!("<li>{}most frequent class</li>", chart::MAJORITY);
    format!(
        "<section class=\"direction\" id=\"c{at}\" aria-labelledby=\"c{at}-title\">\n{}{}{}{}\n\
         <h3>{} by training size</h3>\n{}<h3>Learning</h3>\n{}{}{}{}{}\
         <p class=\"back soft\">{links}</p>\n</section>\n",
        heading(at, c, summary),
        finding.unwrap_or_default(),
        tables::legend(&kinds, &summary.majority.map(|_| majority).unwrap_or_default()),
        charts(c, summary),
        Escaped(&c.metric.title()),
        tables::values(c, summary),
        tables::curves(c, summary),
        tables::rates(c, summary),
        reliability::part(c, summary),
        confusion::part(c, summary),
        errors::part(c),
    )
}

fn heading(at: usize, c: &Comparison, summary: &Summary) -> String {
    format!(
        "<h2 id=\"c{at}-title\">{} <span class=\"kind\">{}</span> <span class=\"kind\">to</span> {} <span class=\"kind\">{}</span></h2>\n\
         <p class=\"soft wide\">{} · recipe {} · frozen: {} · {} {} · {} test samples{}{}</p>\n",
        Name(&c.source.name),
        Escaped(&c.source.modality),
        Name(&c.target.name),
        Escaped(&c.target.modality),
        Name(&c.source.family),
        Name(&c.recipe),
        Name(&c.freeze),
        words::count(c.labels.len()),
        words::labels(c),
        words::count(c.test_samples),
        words::left_out(c, " · "),
        words::majority(summary, " · "),
    )
}

/// The metric over training size, and over epochs on each size, the largest first.
fn charts(c: &Comparison, summary: &Summary) -> String {
    let title = c.metric.title();
    let name = Escaped(&title);
    let mut figures =
        vec![figure(&format!("{name} (%) over training size"), over_size(c, summary))];
    for at in summary.sizes.iter().rev() {
        let title = format!(
            "{name} (%) over epochs, {} {}",
            words::count(at.size),
            Name(&c.target.samples)
        );
        figures.push(figure(&title, over_epochs(c, summary, at)));
    }
    format!("<div class=\"charts\">\n{}</div>", figures.concat())
}

fn figure(title: &str, chart: Option<String>) -> String {
    let Some(chart) = chart else { return String::new() };
    format!("<figure><figcaption>{title}</figcaption>{chart}</figure>\n")
}

fn over_size(c: &Comparison, summary: &Summary) -> Option<String> {
    let series = |kind: ArmKind| {
        let dot = |at: &AtSize| Some(Dot { x: at.size, value: at.arm(kind)?.value });
        Series { kind, dots: summary.sizes.iter().filter_map(dot).collect() }
    };
    let says = format!(
        "{} over training size, a line for each arm; the table below has the numbers.",
        c.metric.title()
    );
    Chart {
        axis: Axis::Sizes,
        says,
        below: c.target.samples.clone(),
        series: ArmKind::ALL.map(series).into(),
        majority: summary.majority,
    }
    .svg()
}

fn over_epochs(c: &Comparison, summary: &Summary, at: &AtSize) -> Option<String> {
    let series = |arm: &Measured| {
        let dots = arm.curve.iter().map(|point| Dot { x: point.epoch, value: point.value });
        Series { kind: arm.kind, dots: dots.collect() }
    };
    let ends = at.arms.iter().filter_map(|arm| {
        let (first, last) = (arm.curve.first()?, arm.curve.last()?);
        let percent = words::percent;
        let (from, to) = (percent(first.value.mean), percent(last.value.mean));
        Some(format!("{} from {from} to {to} %", words::arm(arm.kind)))
    });
    let ends: Vec<_> = ends.collect();
    Chart {
        axis: Axis::Epochs,
        says: format!("{} over epochs: {}.", c.metric.title(), ends.join(", ")),
        below: "epochs".into(),
        series: at.arms.iter().map(series).collect(),
        majority: summary.majority,
    }
    .svg()
}
