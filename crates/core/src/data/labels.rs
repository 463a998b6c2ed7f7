//! From raw targets to targets.

use std::collections::BTreeSet;
use std::path::Path;

use super::found::{Found, RawTarget};
use super::item::Item;
use crate::error::{Error, Result};
use crate::task::{Target, Task};

/// The labels, or the names of the values, of the training split.
pub(super) fn labels(task: Task, train: &[Found], path: &Path) -> Result<Vec<String>> {
    let refused = |problem: String| Err(Error::Data { path: path.to_path_buf(), problem });
    let Some(first) = train.first() else {
        return refused("the training split is empty".into());
    };
    if let RawTarget::Cells { columns, .. } = &first.label {
        return Ok(columns.to_vec());
    }
    let names: BTreeSet<&str> = train
        .iter()
        .flat_map(|found| match &found.label {
            RawTarget::Labels(names) => names.as_slice(),
            RawTarget::Cells { columns, .. } => columns,
        })
        .map(String::as_str)
        .collect();
    let mut labels: Vec<String> = names.into_iter().map(str::to_string).collect();
    if labels.iter().all(|l| l.parse::<i64>().is_ok()) {
        labels.sort_by_key(|l| l.parse::<i64>().ok());
    }
    match (task, &labels[..]) {
        (Task::SingleLabel, [one]) => {
            refused(format!("all samples have the label {one:?}; at least two classes are needed"))
        }
        (Task::MultiLabel, []) => refused("no training sample has a label".into()),
        _ => Ok(labels),
    }
}

/// Turns raw targets into targets.
///
/// # Errors
/// Lists all that cannot be used, each with its location.
pub(super) fn items(task: Task, found: Vec<Found>, labels: &[String]) -> Result<Vec<Item>> {
    let (mut items, mut wrong) = (Vec::with_capacity(found.len()), vec![]);
    for found in found {
        match target(task, &found.label, labels) {
            Ok(target) => items.push(Item {
                input: found.input,
                place: found.place,
                target,
                group: found.group,
            }),
            Err(problems) => {
                wrong.extend(problems.into_iter().map(|problem| (found.place.clone(), problem)));
            }
        }
    }
    let [(place, problem), rest @ ..] = &wrong[..] else { return Ok(items) };
    if rest.is_empty() || task == Task::SingleLabel {
        return Err(Error::Data { path: place.to_string().into(), problem: problem.clone() });
    }
    let what = if task == Task::Regression { "values" } else { "labels" };
    Err(Error::DataList {
        path: place.path.clone(),
        problem: format!("{} {what} cannot be used", wrong.len()),
        items: wrong.iter().map(|(place, what)| format!("{place}: {what}")).collect(),
    })
}

/// One target, or all problems with it.
fn target(task: Task, words: &RawTarget, labels: &[String]) -> Result<Target, Vec<String>> {
    let number = |name: &String| {
        labels.iter().position(|label| label == name).ok_or_else(|| {
            format!(
                "the label {name:?} is not among those of the training split ({}); give it \
                 training samples or leave it out",
                labels.join(", ")
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
                value.ok_or_else(|| unusable(column, cell, "a finite number"))
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
        (Task::Regression, RawTarget::Labels(_)) => Err(vec!["labels, expected numbers".into()]),
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

fn unusable(column: &str, cell: &str, wanted: &str) -> String {
    match cell.trim() {
        "" => format!("the column {column:?} is empty, expected {wanted}"),
        cell => format!("the column {column:?} has {cell:?}, expected {wanted}"),
    }
}
