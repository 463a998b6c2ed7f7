//! The report as one HTML file: no script, no network, light and dark.

use super::{
    direction,
    escape::Name,
    overview,
    page::{page, themes},
};
use crate::{
    comparison::{ArmKind, Comparison},
    matrix::Matrix,
    method,
    summary::Summary,
    words,
};

/// The report as one HTML file: the table of sources and targets, then for each comparison its
/// learning curves, tables, confusion matrices and worst errors, then the method.
pub fn html(matrix: &Matrix) -> String {
    let summaries: Vec<Summary> = matrix.comparisons().iter().map(Summary::of).collect();
    // One comparison is its own overview.
    let one = summaries.len() == 1;
    let (overview, back) = if one {
        (String::new(), "")
    } else {
        let back = "<a href=\"#overview\">Back to the overview</a> · ";
        (overview::section(matrix, &summaries), back)
    };
    let links = format!("{back}<a href=\"#method\">How this was measured</a>");
    let all = matrix.comparisons().iter().zip(&summaries).enumerate();
    let directions: String = all.map(|(at, (c, s))| direction::section(at, c, s, &links)).collect();
    let title = match matrix.comparisons() {
        [one] => format!("{}: what the transfer brought", one.name()),
        _ => "What the transfer brought".to_owned(),
    };
    let main = format!("{overview}\n{directions}{}", method_section());
    page(&title, &header(matrix), &main)
}

/// The title, when and where it was measured, and the choice of theme.
fn header(matrix: &Matrix) -> String {
    let distinct = |of: fn(&Comparison) -> &str| {
        let mut seen: Vec<&str> = matrix.comparisons().iter().map(of).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    let days = match distinct(|c| &c.made)[..] {
        [first, .., last] => format!("{} to {}", Name(first), Name(last)),
        [day] => Name(day).to_string(),
        [] => String::new(),
    };
    let list = |all: Vec<&str>| {
        all.into_iter().map(|one| Name(one).to_string()).collect::<Vec<_>>().join(", ")
    };
    format!(
        "<header>\n<div><h1>What the transfer brought</h1>\n\
         <p class=\"soft\">Measured {days} with Crosstune {}, on {}</p></div>\n{}\n</header>",
        list(distinct(|c| &c.version)),
        list(distinct(|c| &c.machine)),
        themes(),
    )
}

fn method_section() -> String {
    let arm = |kind: ArmKind| {
        format!(
            "<dt class=\"{} arm\">{}</dt><dd>{}</dd>\n",
            kind.name(),
            words::arm(kind),
            words::meaning(kind)
        )
    };
    let arms: String = ArmKind::ALL.into_iter().map(arm).collect();
    let part = |part: &method::Part| format!("<h3>{}</h3>\n<p>{}</p>\n", part.heading, part.text);
    let parts: String = method::PARTS.iter().map(part).collect();
    let reference = |text: &&str| format!("<li>{text}</li>\n");
    let references: String = method::REFERENCES.iter().map(reference).collect();
    format!(
        "<section id=\"method\" class=\"direction\" aria-labelledby=\"method-title\">\n\
         <h2 id=\"method-title\">Method</h2>\n<h3>Arms</h3>\n<dl>{arms}</dl>\n{parts}\
         <h3>References</h3>\n<ol>{references}</ol>\n</section>\n"
    )
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
