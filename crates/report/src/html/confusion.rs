//! Which classes were confused with which.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    escape::{Escaped, Name},
    tables,
};
use crate::{
    comparison::{ArmKind, Comparison},
    confusion::Confusion,
    summary::{AtSize, Summary},
    words,
};

/// The most classes for a table with numbers.
const TABLE: usize = 24;
/// The most classes for a picture of all; of more, none could be told from another.
const PICTURE: usize = 500;
/// How many of the most frequent confusions are listed instead of a table.
const LISTED: usize = 15;

/// The numbers of samples, above 0, by true class and answer.
type Cells = BTreeMap<(usize, usize), u64>;

/// The samples of a true class.
fn of_class(sum: &Cells, truth: usize) -> u64 {
    sum.range((truth, 0)..=(truth, usize::MAX)).map(|(_, n)| n).sum()
}

/// The transfer's confusions on the largest size, and its best control's.
pub(super) fn part(c: &Comparison, summary: &Summary) -> String {
    let Some(at) = summary.largest() else { return String::new() };
    // Of classes alone.
    if summary.majority.is_none() {
        return String::new();
    }
    let kinds = [Some(ArmKind::Transfer), at.best_control];
    let parts: String = kinds.into_iter().flatten().map(|kind| of_arm(c, at, kind)).collect();
    format!(
        "<h3>Confusions, {} {}</h3>\n<div class=\"confusions\">\n{parts}</div>\n",
        words::count(at.size),
        Name(&c.target.samples)
    )
}

fn of_arm(c: &Comparison, at: &AtSize, kind: ArmKind) -> String {
    let Some(arm) = c.arm(kind) else { return String::new() };
    let runs = arm.of_size(at.size);
    let classes = c.labels.len();
    let mut sum = Cells::new();
    for (truth, answer, n) in
        runs.iter().filter_map(|run| run.confusion.as_ref()).flat_map(Confusion::cells)
    {
        *sum.entry((truth, answer)).or_default() += u64::from(n);
    }
    let title = format!("{}, {}", words::arm(kind), words::seeds(runs.len()));
    let shown = if classes <= TABLE {
        tables::scroll(&format!("Confusion matrix: {title}"), &table(&c.labels, &sum))
    } else {
        let picture = if classes <= PICTURE { heat(classes, &sum) } else { String::new() };
        format!("{picture}{}", list(&c.labels, &sum))
    };
    format!("<div><h4 class=\"{} arm\">{title}</h4>\n{shown}</div>\n", kind.name())
}

/// Rows are true classes, columns answers; shaded by the fraction of the row.
fn table(labels: &[String], sum: &Cells) -> String {
    let heads: String = labels
        .iter()
        .map(|label| {
            format!(
                "<th scope=\"col\" title=\"{}\"><span>{}</span></th>",
                Escaped(label),
                Name(label)
            )
        })
        .collect();
    let mut body = String::new();
    for (truth, label) in labels.iter().enumerate() {
        let all = of_class(sum, truth);
        let _ =
            write!(body, "<tr><th scope=\"row\" title=\"{}\">{}</th>", Escaped(label), Name(label));
        for answer in 0..labels.len() {
            let n = sum.get(&(truth, answer)).copied().unwrap_or(0);
            let level = (n * 9).div_ceil(all.max(1));
            let right = if truth == answer { " right" } else { "" };
            let number = if n == 0 { String::new() } else { n.to_string() };
            let _ = write!(body, "<td class=\"h{level}{right}\">{number}</td>");
        }
        body += "</tr>\n";
    }
    format!(
        "<table class=\"confusion\"><thead><tr><th scope=\"col\"><span class=\"hidden\">true class \
         (rows), answer (columns)</span></th>{heads}</tr></thead><tbody>\n{body}</tbody></table>"
    )
}

/// The same without numbers, for many classes.
fn heat(classes: usize, sum: &Cells) -> String {
    let mut svg = format!(
        "<svg class=\"heat\" viewBox=\"0 0 {classes} {classes}\" role=\"img\" shape-rendering=\"crispEdges\" \
         aria-label=\"Confusion matrix: true classes from above, answers from the left; the list \
         has the most frequent.\">"
    );
    for (&(truth, answer), &n) in sum {
        let class = if truth == answer { " class=\"right\"" } else { "" };
        let opacity = 0.15 + 0.85 * n as f64 / of_class(sum, truth) as f64;
        let _ = write!(
            svg,
            "<rect{class} x=\"{answer}\" y=\"{truth}\" width=\"1\" height=\"1\" opacity=\"{opacity:.2}\"/>"
        );
    }
    svg + "</svg>\n"
}

/// The most frequent confusions.
fn list(labels: &[String], sum: &Cells) -> String {
    let wrong = sum.iter().filter(|((truth, answer), _)| truth != answer);
    let mut wrong: Vec<_> = wrong.map(|(&(truth, answer), &n)| (n, truth, answer)).collect();
    wrong.sort_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    if wrong.is_empty() {
        return "<p class=\"soft\">No wrong answer.</p>\n".into();
    }
    let row = |&(n, truth, answer): &(u64, usize, usize)| {
        let (truth, answer) = (Name(&labels[truth]), Name(&labels[answer]));
        format!("<tr><td>{truth}</td><td>{answer}</td><td>{n}</td></tr>")
    };
    let rows: String = wrong.iter().take(LISTED).map(row).collect();
    tables::scroll(
        "The most frequent confusions",
        &format!(
            "<table class=\"confused\"><thead><tr><th scope=\"col\">Is</th><th scope=\"col\">Answered</th>\
             <th scope=\"col\">Times</th></tr></thead><tbody>{rows}</tbody></table>"
        ),
    )
}
