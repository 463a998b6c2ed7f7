//! The tables of a comparison, and the small parts that they share.

use super::{
    chart,
    escape::{Escaped, Name},
};
use crate::{
    comparison::{Arm, ArmKind, Comparison},
    rates::Rates,
    stats::{Estimate, Verdict},
    summary::{Against, AtSize, Measured, Overall, Summary},
    words::{self, count, percent, points, points_span, span},
};

/// A verdict's sign, drawn: not every font has one.
pub(super) fn sign(verdict: Option<Verdict>) -> String {
    let shape = match verdict {
        Some(Verdict::Gain) => "<path d=\"M5 1L9.5 9h-9z\"/>",
        Some(Verdict::Loss) => "<path d=\"M5 9L9.5 1h-9z\"/>",
        Some(Verdict::NoGainShown) => "<circle cx=\"5\" cy=\"5\" r=\"3.4\" class=\"open\"/>",
        None => "<path d=\"M2 5h6\" class=\"open\"/>",
    };
    format!("<svg class=\"sign\" viewBox=\"0 0 10 10\" aria-hidden=\"true\">{shape}</svg>")
}

/// A verdict as a small label.
pub(super) fn chip(verdict: Option<Verdict>) -> String {
    let (_, said) = words::verdict(verdict);
    let class = match verdict {
        Some(Verdict::Gain) => " gain",
        Some(Verdict::Loss) => " loss",
        _ => "",
    };
    format!("<span class=\"chip{class}\">{} {said}</span>", sign(verdict))
}

/// The arms with their lines and marks; `more` is an item behind them.
pub(super) fn legend(kinds: &[ArmKind], more: &str) -> String {
    let item = |kind: &ArmKind| {
        format!(
            "<li title=\"{}\">{}{}</li>",
            Escaped(words::meaning(*kind)),
            chart::sample(*kind),
            words::arm(*kind)
        )
    };
    format!("<ul class=\"legend\">{}{more}</ul>", kinds.iter().map(item).collect::<String>())
}

/// A table that scrolls by itself where it is wider than the page, also by keyboard.
pub(super) fn scroll(label: &str, table: &str) -> String {
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{label}\" tabindex=\"0\">{table}</div>\n"
    )
}

/// A mean with its interval below.
fn figure(mean: &str, span: &str) -> String {
    if span.is_empty() { mean.to_owned() } else { format!("{mean}<small>{span}</small>") }
}

fn arm_head(kind: ArmKind) -> String {
    format!(
        "<th scope=\"row\" class=\"name\"><span class=\"{} arm\">{}</span></th>",
        kind.name(),
        words::arm(kind)
    )
}

/// What every arm reached, by size of training set.
pub(super) fn values(c: &Comparison, summary: &Summary) -> String {
    let samples = Name(&c.target.samples);
    let title = c.metric.title();
    let name = Escaped(&title);
    let mut body = String::new();
    for at in &summary.sizes {
        let rows: String = at.arms.iter().map(|arm| value_row(c, at, arm.kind)).collect();
        body += &format!(
            "<tbody><tr><th scope=\"rowgroup\" colspan=\"6\">{} {samples}, {} epoch{}</th></tr>{rows}</tbody>\n",
            count(at.size),
            at.epochs,
            if at.epochs == 1 { "" } else { "s" }
        );
    }
    let table = format!(
        "<table class=\"figures\"><thead><tr><th scope=\"col\">Arm</th>\
         <th scope=\"col\">{name}, %</th><th scope=\"col\">Transfer less this, points</th>\
         <th scope=\"col\">Jump-start, points</th>\
         <th scope=\"col\">{}</th><th scope=\"col\">Seeds</th></tr></thead>\n{body}</table>",
        Escaped(&capital(&c.metric.second))
    );
    scroll(&name.to_string(), &table)
}

fn value_row(c: &Comparison, at: &AtSize, kind: ArmKind) -> String {
    let Some(measured) = at.arm(kind) else { return String::new() };
    let against = at.against.iter().find(|against| against.control == kind);
    let difference = |estimate: Option<&Estimate>| match estimate {
        Some(estimate) => figure(&points(estimate.mean), &points_span(estimate)),
        None => "–".to_owned(),
    };
    let (difference, jump) = match against {
        Some(Against { difference: d, verdict, jump_start, .. }) => {
            let jump = jump_start.as_ref().map(|jump| &jump.difference);
            let both = format!("<span>{}</span>{}", difference(d.as_ref()), chip(*verdict));
            (format!("<div class=\"pair\">{both}</div>"), difference(jump))
        }
        None => (String::new(), String::new()),
    };
    let better = |other: &Measured| c.metric.is_better(other.value.mean, measured.value.mean);
    let best = !at.arms.iter().any(better);
    format!(
        "<tr>{}<td{}>{}</td><td>{difference}</td><td>{jump}</td><td>{:.3}</td><td>{}</td></tr>",
        arm_head(kind),
        if best { " class=\"best\"" } else { "" },
        figure(&percent(measured.value.mean), &span(&measured.value)),
        measured.second,
        measured.seeds,
    )
}

/// Areas, and what it takes to reach the threshold.
pub(super) fn curves(c: &Comparison, summary: &Summary) -> String {
    let threshold = summary.threshold.map(|value| format!("{} %", percent(value)));
    let threshold = threshold.unwrap_or_else(|| "the threshold".into());
    let rows: String = summary.overall.iter().map(overall_row).collect();
    let table = format!(
        "<table class=\"figures\"><thead><tr><th scope=\"col\">Arm</th>\
         <th scope=\"col\">Area over training size, %</th><th scope=\"col\">Area over epochs, %</th>\
         <th scope=\"col\">{} to {threshold}</th><th scope=\"col\">Time to {threshold}</th></tr></thead>\
         <tbody>\n{rows}</tbody></table>",
        Name(&capital(&c.target.samples))
    );
    scroll("Learning curves", &table)
}

fn overall_row(overall: &Overall) -> String {
    let area = |area: &Option<Estimate>| match area {
        Some(area) => figure(&percent(area.mean), &span(area)),
        None => "–".into(),
    };
    format!(
        "<tr>{}<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        arm_head(overall.kind),
        area(&overall.area_over_size),
        area(&overall.area_over_epochs),
        words::reach(overall.examples, |x| count(x.round() as usize)),
        words::reach(overall.seconds, words::duration),
    )
}

/// The rates, the parameters and the time of every arm, by size; closed until wanted.
pub(super) fn rates(c: &Comparison, summary: &Summary) -> String {
    let mut body = String::new();
    for at in &summary.sizes {
        let rows: String = c.arms.iter().filter_map(|arm| rates_row(c, at, arm)).collect();
        body += &format!(
            "<tbody><tr><th scope=\"rowgroup\" colspan=\"6\">{} {}</th></tr>{rows}</tbody>\n",
            count(at.size),
            Name(&c.target.samples)
        );
    }
    let table = format!(
        "<table class=\"figures\"><thead><tr><th scope=\"col\">Arm</th>\
         <th scope=\"col\">Rate: new / pretrained</th><th scope=\"col\">Training</th>\
         <th scope=\"col\">Trained</th><th scope=\"col\">Frozen</th>\
         <th scope=\"col\">Tried, with the {} on held-out samples</th></tr></thead>\n{body}</table>",
        Escaped(&c.metric.name)
    );
    format!(
        "<details><summary>Rates, parameters, time</summary>\n{}</details>\n",
        scroll("Rates", &table)
    )
}

fn rates_row(c: &Comparison, at: &AtSize, arm: &Arm) -> Option<String> {
    let rates = Rates::of(arm, at.size)?;
    let run = *arm.of_size(at.size).first()?;
    let edge = if rates.at_edge() { "<small>at the edge of its grid</small>" } else { "" };
    Some(format!(
        "<tr>{}<td>{}{edge}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"long\">{}</td></tr>",
        arm_head(arm.kind),
        rates.chosen_text(),
        words::duration(at.arm(arm.kind)?.seconds),
        count(run.trained),
        count(run.frozen),
        rates.trials_text(&c.metric),
    ))
}

/// The text with a capital at its beginning.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
