//! The table of sources and targets.

use super::{
    chart,
    escape::{Escaped, Name},
    tables,
};
use crate::{
    comparison::{ArmKind, Comparison},
    layout::Layout,
    matrix::Matrix,
    stats::Estimate,
    summary::Summary,
    words::{self, count, percent, points, points_span, span},
};

/// The tally, the table and its legend.
pub(super) fn section(matrix: &Matrix, summaries: &[Summary]) -> String {
    let layout = Layout::of(matrix);
    let head = |c: &&Comparison| {
        format!(
            "<th scope=\"col\" role=\"columnheader\">{} <span class=\"kind\">{}</span></th>",
            Name(&c.target.name),
            Escaped(&c.target.modality)
        )
    };
    let heads: String = layout.targets.iter().map(head).collect();
    let rows: String =
        (0..layout.sources.len()).map(|at| row(&layout, at, matrix, summaries)).collect();
    let kinds: Vec<ArmKind> = ArmKind::ALL
        .into_iter()
        .filter(|kind| matrix.comparisons().iter().any(|c| c.arm(*kind).is_some()))
        .collect();
    format!(
        "<section id=\"overview\" aria-labelledby=\"overview-title\">\n\
         <h2 id=\"overview-title\" class=\"hidden\">Overview</h2>\n<p class=\"lead\">{}</p>\n{}\n\
         <table class=\"overview\" role=\"table\">\n\
         <caption class=\"hidden\">What the transfer reached from each source (rows) to each target \
         (columns), at the largest training size</caption>\n\
         <thead role=\"rowgroup\"><tr role=\"row\"><th scope=\"col\" role=\"columnheader\">\
         <span class=\"kind\">from \\ to</span></th>{heads}</tr></thead>\n\
         <tbody role=\"rowgroup\">\n{rows}</tbody>\n</table>\n\
         <p class=\"soft note\">Each cell: the transfer&#39;s {} at the largest training size; all arms \
         with their 95 % intervals, on one scale per target; the difference to the best control; the \
         verdict on each training size. <a href=\"#method\">How this was measured</a></p>\n</section>\n",
        words::tally(summaries),
        tables::legend(&kinds, ""),
        Escaped(&words::metrics(matrix.comparisons())),
    )
}

fn row(layout: &Layout<'_>, at: usize, matrix: &Matrix, summaries: &[Summary]) -> String {
    let source = &layout.sources[at].source;
    let cells: String = layout.cells[at]
        .iter()
        .enumerate()
        .map(|(column, numbers)| {
            let target = &layout.targets[column].target.name;
            // One scale for all that have this target.
            let scale = scale(layout.cells.iter().flat_map(|row| &row[column]), summaries);
            let inner: String = numbers
                .iter()
                .map(|&n| cell(n, &matrix.comparisons()[n], &summaries[n], scale))
                .collect();
            let inner =
                if inner.is_empty() { "<p class=\"soft\">not run</p>".into() } else { inner };
            format!("<td role=\"cell\" data-target=\"{}\">{inner}</td>\n", Escaped(target))
        })
        .collect();
    format!(
        "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">{} <span class=\"kind\">{}</span></th>\n{cells}</tr>\n",
        Name(&source.name),
        Escaped(&source.modality)
    )
}

/// What the strips of some comparisons range over.
fn scale<'a>(numbers: impl Iterator<Item = &'a usize>, summaries: &[Summary]) -> (f64, f64) {
    let arms = numbers.filter_map(|&at| summaries[at].largest()).flat_map(|at| &at.arms);
    let values = arms.flat_map(|arm| chart::bounds(&arm.value));
    values.fold((1., 0.), |(low, high), value| (value.min(low), value.max(high)))
}

fn cell(at: usize, c: &Comparison, summary: &Summary, scale: (f64, f64)) -> String {
    let Some(largest) = summary.largest() else { return String::new() };
    let Some(transfer) = largest.arm(ArmKind::Transfer) else { return String::new() };
    let best = largest.best();
    let arms: Vec<(ArmKind, Estimate)> =
        largest.arms.iter().map(|arm| (arm.kind, arm.value)).collect();
    let difference = best.and_then(|best| Some((best, best.difference.as_ref()?)));
    let difference = match difference {
        Some((best, difference)) => format!(
            "{} points against {} ({})",
            points(difference.mean),
            words::arm(best.control),
            points_span(difference)
        ),
        None => "no control to compare with".to_owned(),
    };
    let verdicts: Vec<String> = summary
        .sizes
        .iter()
        .map(|at| {
            let verdict = at.best().and_then(|best| best.verdict);
            let (_, said) = words::verdict(verdict);
            format!(
                "{} <span title=\"{said}\">{}<span class=\"hidden\">{said}</span></span>",
                count(at.size),
                tables::sign(verdict)
            )
        })
        .collect();
    format!(
        "<a class=\"cell\" href=\"#c{at}\"><span class=\"top\"><span class=\"big\">{}<small> % \
         ({})</small></span>{}</span>{}<span class=\"soft\">{difference}</span>\
         <span class=\"soft\">{} {}</span></a>",
        percent(transfer.value.mean),
        span(&transfer.value),
        tables::chip(best.and_then(|best| best.verdict)),
        chart::strip(&arms, scale),
        verdicts.join(" · "),
        Name(&c.target.samples),
    )
}
