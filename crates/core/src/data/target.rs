//! What samples are to be answered with: a class, several labels, or numbers; and how that is found in
//! the words of a data set.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use tch::Tensor;

use super::{Found, Item, Layout};
use crate::{Error, Result, Task};

/// How many things that are wrong one message lists.
const LISTED: usize = 10;

/// What a model is to answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Target {
    /// Not known: what is predicted.
    #[default]
    Unknown,
    /// The class, an index into the data set's labels.
    Class(usize),
    /// Of each of the data set's labels, whether it applies.
    Labels(Vec<bool>),
    /// A finite number for each of the data set's values, in the unit it was given in.
    Values(Vec<f64>),
}

impl Target {
    /// The targets of a batch: classes `[B]`, i64; labels `[B, labels]`, f32, 0 or 1; values
    /// `[B, values]`, f64. What is not known stands as class 0.
    pub fn stack<'t>(targets: impl IntoIterator<Item = &'t Self>) -> Tensor {
        let targets: Vec<&Self> = targets.into_iter().collect();
        let rows = targets.len() as i64;
        match targets.first() {
            Some(Self::Labels(labels)) => {
                let all = targets.iter().flat_map(|target| match target {
                    Self::Labels(labels) => labels.as_slice(),
                    _ => &[],
                });
                let all: Vec<f32> = all.map(|&applies| f32::from(u8::from(applies))).collect();
                Tensor::from_slice(&all).view([rows, labels.len() as i64])
            }
            Some(Self::Values(values)) => {
                let all = targets.iter().flat_map(|target| match target {
                    Self::Values(values) => values.as_slice(),
                    _ => &[],
                });
                let all: Vec<f64> = all.copied().collect();
                Tensor::from_slice(&all).view([rows, values.len() as i64])
            }
            _ => {
                let classes = targets.iter().map(|target| target.class().unwrap_or(0) as i64);
                Tensor::from_slice(&classes.collect::<Vec<_>>())
            }
        }
    }

    /// The one class, where there is one.
    pub fn class(&self) -> Option<usize> {
        match self {
            Self::Class(class) => Some(*class),
            _ => None,
        }
    }

    /// Whether it says something of the label or value of this index that a model can learn from.
    pub fn has(&self, label: usize) -> bool {
        match self {
            Self::Unknown => false,
            Self::Class(class) => *class == label,
            Self::Labels(labels) => labels.get(label).copied().unwrap_or(false),
            Self::Values(values) => label < values.len(),
        }
    }

    /// What of it a split is to have its share of: the class; each label that applies, or that none
    /// does; of values nothing, so that all are alike.
    pub(super) fn strata(&self) -> Vec<usize> {
        match self {
            Self::Class(class) => vec![*class],
            Self::Labels(labels) if labels.contains(&true) => {
                (0..labels.len()).filter(|&label| labels[label]).collect()
            }
            Self::Labels(labels) => vec![labels.len()],
            Self::Values(_) | Self::Unknown => vec![0],
        }
    }

    /// As people write it: `cat`, `cat|dog`, `0.5`.
    pub fn named(&self, labels: &[String]) -> String {
        let name = |label: usize| labels.get(label).map_or("?", String::as_str);
        match self {
            Self::Unknown => "?".into(),
            Self::Class(class) => name(*class).into(),
            Self::Labels(_) => {
                let applying = (0..labels.len()).filter(|&label| self.has(label)).map(name);
                applying.collect::<Vec<_>>().join("|")
            }
            Self::Values(values) => {
                values.iter().map(ToString::to_string).collect::<Vec<_>>().join("|")
            }
        }
    }
}

/// A target as it was found.
#[derive(Debug, Clone)]
pub(super) enum Words {
    /// The names of the labels that apply.
    Labels(Vec<String>),
    /// What stands in columns of which each is a label or a value.
    Cells {
        /// The names of the columns.
        columns: Arc<[String]>,
        /// As many as there are columns; blank where there is nothing.
        cells: Vec<String>,
    },
}

impl Words {
    /// What a folder's name, a part of a file's name or one cell says.
    pub(super) fn of(text: &str, layout: &Layout) -> Self {
        match layout.task {
            Task::SingleLabel => Self::Labels(vec![text.into()]),
            Task::MultiLabel => {
                let parts = text.split(&layout.label_separator).map(str::trim);
                Self::Labels(parts.filter(|part| !part.is_empty()).map(str::to_string).collect())
            }
            Task::Regression => {
                Self::Cells { columns: Arc::new(["value".into()]), cells: vec![text.into()] }
            }
        }
    }
}

/// The labels, or the names of the values, that the training split has.
pub(super) fn labels(task: Task, train: &[Found], path: &Path) -> Result<Vec<String>> {
    let refused = |problem: String| Err(Error::Data { path: path.to_path_buf(), problem });
    let Some(first) = train.first() else {
        return refused("the training split is empty".into());
    };
    if let Words::Cells { columns, .. } = &first.label {
        return Ok(columns.to_vec());
    }
    let names: BTreeSet<&str> = train
        .iter()
        .flat_map(|found| match &found.label {
            Words::Labels(names) => names.as_slice(),
            Words::Cells { columns, .. } => columns,
        })
        .map(String::as_str)
        .collect();
    let mut labels: Vec<String> = names.into_iter().map(str::to_string).collect();
    if labels.iter().all(|l| l.parse::<i64>().is_ok()) {
        labels.sort_by_key(|l| l.parse::<i64>().ok());
    }
    match (task, &labels[..]) {
        (Task::SingleLabel, [one]) => {
            refused(format!("all samples have the label {one:?}; two classes are the least"))
        }
        (Task::MultiLabel, []) => refused("no training sample has a label".into()),
        _ => Ok(labels),
    }
}

/// Turns words into targets.
///
/// # Errors
/// All words that cannot be, each with its place.
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
    let listed: Vec<_> = wrong.iter().map(|(place, what)| format!("{place}: {what}")).collect();
    let shown = listed.len().min(LISTED);
    let more = match listed.len() - shown {
        0 => String::new(),
        n => format!("\n  … and {n} more"),
    };
    Err(Error::Data {
        path: place.path.clone(),
        problem: format!(
            "{} {} cannot be used:\n  {}{more}",
            listed.len(),
            if task == Task::Regression { "values" } else { "labels" },
            listed[..shown].join("\n  ")
        ),
    })
}

/// One target, or all that is wrong with its words.
fn target(task: Task, words: &Words, labels: &[String]) -> Result<Target, Vec<String>> {
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
        (Task::SingleLabel, Words::Labels(names)) => {
            let name = names.first().cloned().unwrap_or_default();
            number(&name).map(Target::Class).map_err(|problem| vec![problem])
        }
        (Task::MultiLabel, Words::Labels(names)) => {
            let numbers = all(names.iter().map(number))?;
            Ok(Target::Labels((0..labels.len()).map(|label| numbers.contains(&label)).collect()))
        }
        (Task::MultiLabel, Words::Cells { columns, cells }) => {
            let applies = |(column, cell): (&String, &String)| {
                Ok((number(column)?, truth(cell).ok_or_else(|| unusable(column, cell, "0 or 1"))?))
            };
            let numbers = all(columns.iter().zip(cells).map(applies))?;
            let applies = |label| numbers.contains(&(label, true));
            Ok(Target::Labels((0..labels.len()).map(applies).collect()))
        }
        (Task::Regression, Words::Cells { columns, cells }) if columns.len() == labels.len() => {
            let finite = |(column, cell): (&String, &String)| {
                let value = cell.trim().parse::<f64>().ok().filter(|value| value.is_finite());
                value.ok_or_else(|| unusable(column, cell, "a finite number"))
            };
            all(columns.iter().zip(cells).map(finite)).map(Target::Values)
        }
        (_, Words::Cells { columns, .. }) => Err(vec![format!(
            "{} ({}), but the training split has {} ({})",
            counted(columns.len()),
            columns.join(", "),
            labels.len(),
            labels.join(", ")
        )]),
        (Task::Regression, Words::Labels(_)) => Err(vec!["labels, expected numbers".into()]),
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
