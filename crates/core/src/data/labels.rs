//! From raw targets to targets.

use std::collections::BTreeSet;
use std::path::Path;

use super::found::{Found, RawTarget};
use super::item::Item;
use super::mapping::{MAP_LABELS, mismatch, shown};
use super::unusable::Unusable;
use crate::error::{Error, Result};
use crate::task::{Encoder, Target, Task, TaskConfig};

/// What is wrong where there is nothing to train on.
pub(super) const EMPTY: &str = "the training split is empty";

/// The labels or the names of the values of the training split, without what is `bad` and was left
/// out: that may be why there are too few.
pub(super) fn labels(
    task: Task,
    train: &[Found],
    bad: &[Unusable],
    path: &Path,
) -> Result<Vec<String>> {
    let left_out = bad.first().map_or(String::new(), |first| {
        let were = if bad.len() == 1 { "sample was" } else { "samples were" };
        format!("; {} {were} left out, the first: {first}", bad.len())
    });
    let refused = |problem: String| {
        let problem = format!("{problem}{left_out}");
        Err(Error::Data { path: path.to_path_buf(), problem })
    };
    let Some(first) = train.first() else { return refused(EMPTY.into()) };
    if let RawTarget::Cells { columns, .. } = &first.label {
        return Ok(columns.to_vec());
    }
    let labels = in_order(train.iter().flat_map(|found| found.label.labels()));
    match (task, &labels[..]) {
        (Task::SingleLabel, [one]) => {
            refused(format!("all samples have the label {one:?}; at least two classes are needed"))
        }
        (Task::MultiLabel, []) => refused("no training sample has a label".into()),
        (Task::Tagging, [one]) => {
            refused(format!("all words have the label {one:?}; at least two labels are needed"))
        }
        _ => Ok(labels),
    }
}

/// The problem where labels are none of a model's, and may be other names of those.
pub(super) fn other_names(found: &[Found], model: &[String]) -> Option<String> {
    mismatch(&in_order(found.iter().flat_map(|found| found.label.labels())), model)
}

/// Different names in the order of labels: numbers by size, else alphabetical.
pub(super) fn in_order<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let names: BTreeSet<&String> = names.collect();
    let mut labels: Vec<String> = names.into_iter().cloned().collect();
    if labels.iter().all(|l| l.parse::<i64>().is_ok()) {
        labels.sort_by_key(|l| l.parse::<i64>().ok());
    }
    labels
}

/// Turns raw targets into targets. Samples whose targets cannot be used go to `bad`, if they may be
/// left out.
///
/// # Errors
/// Else lists all of them, each with its location.
pub(super) fn items(
    config: TaskConfig<'_>,
    found: Vec<Found>,
    bad: Option<&mut Vec<Unusable>>,
) -> Result<Vec<Item>> {
    let task = config.task;
    let encoder = config.vocabulary.map(|vocabulary| vocabulary.encoder(config.labels));
    let mut wrong = vec![];
    // In the same memory: they may be many.
    let items =
        found.into_iter().filter_map(|Found { input, place, label, group, .. }| {
            match target(config, encoder.as_ref(), &label) {
                Ok(target) => Some(Item { input, place, target, group }),
                Err(problems) => {
                    wrong.extend(problems.into_iter().map(|problem| (place.clone(), problem)));
                    None
                }
            }
        });
    let items: Vec<Item> = items.collect();
    if let Some(bad) = bad {
        bad.extend(wrong.into_iter().map(|(place, problem)| Unusable { place, problem }));
        return Ok(items);
    }
    let [(place, problem), rest @ ..] = &wrong[..] else { return Ok(items) };
    if task == Task::Tagging && !rest.is_empty() {
        let problem =
            format!("{problem} ({} more sentences are so; --skip-bad leaves them out)", rest.len());
        return Err(Error::Data { path: place.to_string().into(), problem });
    }
    if rest.is_empty() || task == Task::SingleLabel {
        let problem = format!("{problem}; --skip-bad leaves such samples out");
        return Err(Error::Data { path: place.to_string().into(), problem });
    }
    if wrong.iter().all(|(_, problem)| problem.ends_with(DECIMAL_POINT)) {
        // One decision made them all.
        let problem = format!("{problem} ({} more are so)", rest.len());
        return Err(Error::Data { path: place.to_string().into(), problem });
    }
    let what = match task {
        Task::Regression => "values",
        Task::Transcription => "texts",
        _ => "labels",
    };
    Err(Error::DataList {
        path: place.path.to_path_buf(),
        problem: format!("{} {what} cannot be used (--skip-bad leaves them out)", wrong.len()),
        items: wrong.iter().map(|(place, what)| format!("{place}: {what}")).collect(),
    })
}

/// One target, or all problems with it.
fn target(
    config: TaskConfig<'_>,
    encoder: Option<&Encoder<'_>>,
    words: &RawTarget,
) -> Result<Target, Vec<String>> {
    let TaskConfig { task, labels, .. } = config;
    let number = |name: &String| {
        labels.iter().position(|label| label == name).ok_or_else(|| {
            format!(
                "the label {name:?} is not among those of the training split ({}); give it training \
                 samples, a name of theirs by {MAP_LABELS}, or leave it out",
                shown(labels)
            )
        })
    };
    match (task, words) {
        (Task::SingleLabel, RawTarget::Labels(names)) => {
            let name = names.first().cloned().unwrap_or_default();
            number(&name).map(Target::Class).map_err(|problem| vec![problem])
        }
        (Task::MultiLabel, RawTarget::Labels(names)) => {
            let numbers = all(names.iter().map(number))?;
            Ok(Target::Labels((0..labels.len()).map(|label| numbers.contains(&label)).collect()))
        }
        (Task::MultiLabel, RawTarget::Cells { columns, cells }) => {
            let applies = |(column, cell): (&String, &String)| {
                Ok((number(column)?, truth(cell).ok_or_else(|| unusable(column, cell, "0 or 1"))?))
            };
            let numbers = all(columns.iter().zip(cells).map(applies))?;
            let applies = |label| numbers.contains(&(label, true));
            Ok(Target::Labels((0..labels.len()).map(applies).collect()))
        }
        (Task::Regression, RawTarget::Cells { columns, cells })
            if columns.len() == labels.len() =>
        {
            let finite = |(column, cell): (&String, &String)| {
                let value = cell.trim().parse::<f64>().ok().filter(|value| value.is_finite());
                value.ok_or_else(|| match has_decimal_comma(cell) {
                    true => unusable(column, cell, DECIMAL_POINT),
                    false => unusable(column, cell, "a finite number"),
                })
            };
            all(columns.iter().zip(cells).map(finite)).map(Target::Values)
        }
        (_, RawTarget::Cells { columns, .. }) => Err(vec![format!(
            "{} ({}), but the training split has {} ({})",
            counted(columns.len()),
            columns.join(", "),
            labels.len(),
            labels.join(", ")
        )]),
        (_, RawTarget::Missing(problem)) => Err(vec![problem.clone()]),
        (_, RawTarget::Text(text)) => {
            let Some(encoder) = encoder else {
                return Err(vec!["a text, and there are no symbols".into()]);
            };
            Ok(Target::Text { text: text.clone(), symbols: encoder.encode(text).0 })
        }
        (_, RawTarget::Tags(names)) => {
            let numbers = names.iter().enumerate().map(|(at, name)| {
                number(name).map_err(|problem| vec![format!("word {}: {problem}", at + 1)])
            });
            // The first says it: a span has several.
            numbers.collect::<Result<_, _>>().map(Target::Tags)
        }
        (_, RawTarget::Labels(_)) => Err(vec!["labels, expected numbers".into()]),
    }
}

fn counted(columns: usize) -> String {
    match columns {
        1 => "1 column of values".into(),
        n => format!("{n} columns of values"),
    }
}

/// All, or all that failed.
fn all<T>(results: impl Iterator<Item = Result<T, String>>) -> Result<Vec<T>, Vec<String>> {
    let (mut fine, mut wrong) = (vec![], vec![]);
    for result in results {
        match result {
            Ok(one) => fine.push(one),
            Err(problem) => wrong.push(problem),
        }
    }
    if wrong.is_empty() { Ok(fine) } else { Err(wrong) }
}

fn truth(cell: &str) -> Option<bool> {
    match cell.trim().to_ascii_lowercase().as_str() {
        "0" | "0.0" | "false" => Some(false),
        "1" | "1.0" | "true" => Some(true),
        _ => None,
    }
}

/// What is wanted where numbers are written as in `1,5`.
const DECIMAL_POINT: &str = "a number with a decimal point; write the table with points";

fn has_decimal_comma(cell: &str) -> bool {
    cell.matches(',').count() == 1 && cell.trim().replace(',', ".").parse::<f64>().is_ok()
}

fn unusable(column: &str, cell: &str, wanted: &str) -> String {
    match cell.trim() {
        "" => format!("the column {column:?} is empty, expected {wanted}"),
        cell => format!("the column {column:?} has {cell:?}, expected {wanted}"),
    }
}
