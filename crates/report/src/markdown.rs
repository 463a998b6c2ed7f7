//! The report as Markdown.

use std::fmt;

use crate::{
    comparison::{Arm, ArmKind, Comparison},
    hidden::is_hidden,
    layout::Layout,
    matrix::Matrix,
    method,
    rates::Rates,
    reliability::Calibration,
    stats::Estimate,
    summary::{AtSize, Overall, Summary},
    words::{self, count, percent, points, points_span, span},
};

/// The report as Markdown, for people and for other programs' pages: the table of sources and
/// targets, then each comparison's tables, then the method.
pub fn markdown(matrix: &Matrix) -> String {
    let summaries: Vec<Summary> = matrix.comparisons().iter().map(Summary::of).collect();
    let mut text = "# What the transfer brought\n\n".to_owned();
    // One comparison is its own overview.
    if summaries.len() > 1 {
        text += &format!("{}\n\n{}", words::tally(&summaries), overview(matrix, &summaries));
    }
    for (c, summary) in matrix.comparisons().iter().zip(&summaries) {
        text += &comparison(c, summary);
    }
    text + &method_part()
}

/// Text from elsewhere on one line, with nothing in it that Markdown or HTML would act on.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' | '!' => {
                    write!(f, "\\{c}")?;
                }
                '\n' | '\r' | '\t' => f.write_str(" ")?,
                c if is_hidden(c) => f.write_str("\u{FFFD}")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// A table of Markdown: its first row is the head.
fn table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        text += &format!("| {} |\n", row.join(" | "));
        if at == 0 {
            text += &format!("|{}\n", "---|".repeat(row.len()));
        }
    }
    text + "\n"
}

fn overview(matrix: &Matrix, summaries: &[Summary]) -> String {
    let layout = Layout::of(matrix);
    let head =
        |c: &&Comparison| format!("{} ({})", Plain(&c.target.name), Plain(&c.target.modality));
    let mut rows = vec![vec!["source \\ target".to_owned()]];
    rows[0].extend(layout.targets.iter().map(head));
    for (source, cells) in layout.sources.iter().zip(&layout.cells) {
        let name = &source.source;
        let mut row = vec![format!("**{}** ({})", Plain(&name.name), Plain(&name.modality))];
        let cell = |numbers: &Vec<usize>| {
            let parts = numbers.iter().map(|&at| cell(&matrix.comparisons()[at], &summaries[at]));
            parts.collect::<Vec<_>>().join("<br>")
        };
        row.extend(cells.iter().map(cell));
        rows.push(row);
    }
    table(&rows)
}

/// What a cell of the overview says: the largest size, and the verdict on each.
fn cell(c: &Comparison, summary: &Summary) -> String {
    let Some(at) = summary.largest() else { return String::new() };
    let mut text =
        at.arm(ArmKind::Transfer).map(|arm| estimate_text(&arm.value)).unwrap_or_default();
    if let Some(best) = at.best() {
        let (sign, said) = words::verdict(best.verdict);
        if let Some(difference) = &best.difference {
            let control = words::arm(best.control);
            text += &format!("<br>{} against {control}", difference_text(difference));
        }
        text += &format!("<br>**{sign} {said}**");
    }
    let verdicts = summary.sizes.iter().map(|at| {
        let (sign, _) = words::verdict(at.best().and_then(|best| best.verdict));
        format!("{} {sign}", count(at.size))
    });
    let verdicts: Vec<_> = verdicts.collect();
    format!("{text}<br>{} {}", verdicts.join(", "), Plain(&c.target.samples))
}

/// `97.1 % (96.5 to 97.7)`.
fn estimate_text(estimate: &Estimate) -> String {
    let span = span(estimate);
    let span = if span.is_empty() { span } else { format!(" ({span})") };
    format!("{} %{span}", percent(estimate.mean))
}

/// `+3.8 (+2.1 to +5.5)`.
fn difference_text(estimate: &Estimate) -> String {
    let span = points_span(estimate);
    let span = if span.is_empty() { span } else { format!(" ({span})") };
    format!("{}{span}", points(estimate.mean))
}

fn comparison(c: &Comparison, summary: &Summary) -> String {
    let mut text = format!(
        "## {} ({}) → {} ({})\n\nFamily {}, recipe {}, frozen: {}; {} {}, {} test samples{}{}. \
         Crosstune {}, {}, on {}.\n\n",
        Plain(&c.source.name),
        Plain(&c.source.modality),
        Plain(&c.target.name),
        Plain(&c.target.modality),
        Plain(&c.source.family),
        Plain(&c.recipe),
        Plain(&c.freeze),
        c.labels.len(),
        words::labels(c),
        count(c.test_samples),
        words::left_out(c, "; "),
        words::majority(summary, "; "),
        Plain(&c.version),
        Plain(&c.made),
        Plain(&c.machine),
    );
    for at in &summary.sizes {
        text += &format!("{}\n\n", words::finding(c, at));
    }
    text += &format!("### {}\n\n", Plain(&c.metric.title()));
    text += &values(c, summary);
    text += &over_all(summary);
    text + &reliability(c, summary)
}

fn values(c: &Comparison, summary: &Summary) -> String {
    let (value, second) =
        (format!("{}, %", Plain(&c.metric.name)), Plain(&c.metric.second).to_string());
    let head = [
        "training samples",
        "epochs",
        "arm",
        "seeds",
        &value,
        "transfer less this, points",
        "verdict",
        "jump-start, points",
        &second,
        "loss, nats",
        "training",
        "rate (new / pretrained)",
        "trained / frozen",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for at in &summary.sizes {
        rows.extend(c.arms.iter().filter_map(|arm| arm_row(at, arm)));
    }
    table(&rows)
}

fn arm_row(at: &AtSize, arm: &Arm) -> Option<Vec<String>> {
    let measured = at.arm(arm.kind)?;
    let against = at.against.iter().find(|against| against.control == arm.kind);
    let difference = against.and_then(|against| against.difference.as_ref());
    let jump = against.and_then(|against| against.jump_start.as_ref());
    let verdict = against.map(|against| words::verdict(against.verdict));
    let rates = Rates::of(arm, at.size)?;
    let edge = if rates.at_edge() { " (edge of its grid)" } else { "" };
    let run = *arm.of_size(at.size).first()?;
    Some(vec![
        count(at.size),
        at.epochs.to_string(),
        words::arm(arm.kind).into(),
        measured.seeds.to_string(),
        estimate_text(&measured.value).replace(" %", ""),
        difference.map(difference_text).unwrap_or_default(),
        verdict.map(|(sign, said)| format!("{sign} {said}")).unwrap_or_default(),
        jump.map(|jump| difference_text(&jump.difference)).unwrap_or_default(),
        format!("{:.3}", measured.second),
        format!("{:.3}", measured.loss),
        words::duration(measured.seconds),
        format!("{}{edge}", rates.chosen_text()),
        format!("{} / {}", count(run.trained), count(run.frozen)),
    ])
}

fn over_all(summary: &Summary) -> String {
    let mut text = "### Learning curves\n\n".to_owned();
    if let Some(threshold) = summary.threshold {
        text += &format!("The threshold is {} %.\n\n", percent(threshold));
    }
    let head = [
        "arm",
        "area over training size, %",
        "area over epochs, %",
        "samples to the threshold",
        "time to the threshold",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(summary.overall.iter().map(overall_row));
    text + &table(&rows)
}

fn overall_row(overall: &Overall) -> Vec<String> {
    let area = |area: &Option<Estimate>| match area {
        Some(area) => estimate_text(area).replace(" %", ""),
        None => "–".into(),
    };
    vec![
        words::arm(overall.kind).into(),
        area(&overall.area_over_size),
        area(&overall.area_over_epochs),
        words::reach(overall.examples, |x| count(x.round() as usize)),
        words::reach(overall.seconds, words::duration),
    ]
}

/// How far the probabilities of the arms can be trusted on the largest size, if that was measured.
fn reliability(c: &Comparison, summary: &Summary) -> String {
    let Some(at) = summary.largest() else { return String::new() };
    let row = |arm: &Arm| {
        let runs = arm.of_size(at.size);
        let runs: Vec<_> = runs.iter().filter_map(|run| run.calibration.as_ref()).collect();
        let cells = words::calibration(&Calibration::pooled(&runs)?);
        Some([words::arm(arm.kind).to_owned()].into_iter().chain(cells).collect::<Vec<_>>())
    };
    let mut rows: Vec<_> = c.arms.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = ["arm"].into_iter().chain(words::CALIBRATION);
    rows.insert(0, heads.map(str::to_owned).collect());
    format!("### Reliability, {} {}\n\n{}", count(at.size), Plain(&c.target.samples), table(&rows))
}

fn method_part() -> String {
    let mut text = "## Method\n\n".to_owned();
    for kind in ArmKind::ALL {
        text += &format!("- **{}**: {}\n", words::arm(kind), words::meaning(kind));
    }
    text += "\n";
    for part in &method::PARTS {
        text += &format!("**{}.** {}\n\n", part.heading, part.text);
    }
    for (at, reference) in method::REFERENCES.iter().enumerate() {
        text += &format!("{}. {reference}\n", at + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn nine_directions_are_a_table_and_nine_parts() {
        let text = markdown(&sample::matrix());
        let rows = text.lines().filter(|line| line.starts_with("| **")).count();
        assert_eq!(rows, 3);
        assert_eq!(text.lines().filter(|line| line.starts_with("## ")).count(), 10);
        // Every row of a table has as many cells as its head.
        let mut columns = None;
        for line in text.lines() {
            let cells = line.starts_with('|').then(|| line.matches('|').count());
            if cells.is_some() && columns.is_some() {
                assert_eq!(cells, columns, "{line}");
            }
            columns = cells;
        }
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut c = sample::comparison(sample::SOURCES[0], sample::TARGETS[1]);
        c.source.name = "<script>alert(1)</script>|`x`\n# big\u{1b}[2J\u{202e}\u{2028}".into();
        let text = markdown(&Matrix::new(vec![c]).expect("valid"));
        assert!(!text.contains("<script"));
        assert!(!text.contains("\n# big"));
        assert!(!text.replace('\n', "").contains(is_hidden));
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\|\\`x\\` \\# big"));
    }
}
