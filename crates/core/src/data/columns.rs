//! What the columns of a table mean.

use std::path::Path;
use std::sync::Arc;

use super::header::Names;
use super::layout::{InputKind, Layout};
use super::names::{
    FILE_NAMES, GROUP_NAMES, LABEL_NAMES, LABELS_NAMES, SPLIT_NAME, TAGS_NAMES, TEXT_NAMES,
    TRANSCRIPT_NAMES, VALUE_NAMES, WORDS_NAMES, WRITTEN_NAMES,
};
use super::table::{Cell, Row, Table};
use crate::error::{Error, Result};
use crate::task::Task;

/// So many rows with numbers in order are no chance.
const NUMBERED: usize = 3;

/// The columns of a table, counted from 0.
pub(super) struct Columns {
    /// Whether the first row holds the names.
    pub(super) header: bool,
    /// The most cells that a row may have.
    pub(super) most: Option<usize>,
    pub(super) input: usize,
    pub(super) pair: Option<usize>,
    /// One, unless each is a label or a value of its own; none where nobody asks for labels.
    pub(super) labels: Vec<usize>,
    /// What they are called.
    pub(super) label_names: Arc<[String]>,
    pub(super) split: Option<usize>,
    pub(super) group: Option<usize>,
    /// What should be said of a column that holds second sentences and is not used.
    pub(super) unused_pair: Option<String>,
    /// A column that tells who speaks, and is not used.
    pub(super) unused_group: Option<String>,
    /// What should be said where other columns could have been meant.
    pub(super) others: Vec<String>,
}

impl Columns {
    /// Finds them in a table; those of labels only if it has to be `labelled`.
    ///
    /// # Errors
    /// If one cannot be found, with the option that names it.
    pub(super) fn of(path: &Path, table: &Table, layout: &Layout, labelled: bool) -> Result<Self> {
        let data = |problem: String| Error::Data { path: path.to_path_buf(), problem };
        let written = match (&table.names, table.head.first()) {
            (Some(names), _) if !names.is_empty() => names.clone(),
            (None, Some(first)) => words(&first.cells),
            _ => return Err(data("the table is empty".into())),
        };
        let names = written.iter().map(|name| name.to_lowercase()).collect();
        let names = Names { path, names, written };
        // Two sentences in each line have no names, whatever those of the training were.
        let bare = !labelled
            && layout.pairs
            && table.names.is_none()
            && names.names.len() == 2
            && !names.is_named_by(layout);
        let (input, pair) = match bare {
            true => (None, None),
            false => (
                names.given(&layout.input_column, "--input-column")?,
                names.given(&layout.pair_column, "--pair-column")?,
            ),
        };
        let (label_names, inputs) = (label_names(layout), input_names(layout));
        let has = |wanted: &[&str]| names.names.iter().any(|n| wanted.contains(&n.as_str()));
        let named =
            table.names.is_some() || has(label_names) || has(inputs) || names.is_named_by(layout);
        let width = names.names.len();
        if width < 2 && labelled {
            return Err(data(format!(
                "its first line has one column, {:?}; expected at least an input and a label",
                names.list()
            )));
        }
        let (group, labels) = match labelled {
            true => (names.given(&layout.group_column, "--group-column")?, names.labels(layout)?),
            // Those that are there are no inputs.
            false => (None, names.labels(layout).unwrap_or_default()),
        };
        let option = match layout.task {
            Task::Transcription => "--text-column",
            _ => "--label-column",
        };
        let split = if named { names.known(&[SPLIT_NAME], "--data")? } else { None };
        let labels_given = labels.is_some();
        let labels = match labels {
            Some(labels) => labels,
            None if named => match names.known(label_names, option) {
                Ok(Some(label)) => vec![label],
                _ if !labelled => vec![],
                Err(several) => return Err(several),
                Ok(None) => {
                    let what = format!("no column named {}", label_names[0]);
                    return Err(names.missing(&what, option));
                }
            },
            None => labelled.then(|| width - 1).into_iter().collect(),
        };
        let used = |column: &usize| {
            labels.contains(column) || [split, pair, group].contains(&Some(*column))
        };
        let mut whole = table.files.iter().copied();
        let whole = match layout.inputs {
            InputKind::Files => whole.find(|&at| inputs.contains(&&*names.names[at])),
            InputKind::Texts => None,
        };
        let input_given = input.is_some();
        let input = match input {
            Some(input) => input,
            None if !named => {
                let least = labels.len() + pair.iter().len() + 1;
                usize::from(width > least && numbers_rows(&table.head))
            }
            // Beside the files themselves, others write what they were called.
            None if whole.is_some() => whole.unwrap_or_default(),
            None => match names.known_but(inputs, "--input-column", used)? {
                Some(input) => input,
                // The only one that is known may be something else already: that is said below.
                None => match names.known(inputs, "--input-column")? {
                    Some(input) => input,
                    None => names.only((0..width).filter(|column| !used(column)), inputs)?,
                },
            },
        };
        let mut others = vec![];
        if named && labelled && !labels_given {
            let what = match layout.task {
                Task::Regression => "values",
                Task::Transcription => "texts",
                _ => "labels",
            };
            let taken = |at: &usize| used(at) || *at == input;
            others.extend(names.others(labels[0], label_names, taken, [what, option]));
        }
        // Beside the files themselves, names are none.
        if named && !input_given && whole.is_none() {
            let said = [layout.samples, "--input-column"];
            others.extend(names.others(input, inputs, used, said));
        }
        let pair = match pair {
            None if layout.pairs && !labelled => Some(names.pair(named, input)?),
            pair => pair,
        };
        let unused_pair = match (pair, layout.inputs) {
            (None, InputKind::Texts) => names.unused_pair(named, labelled, input, &labels),
            _ => None,
        };
        let unused_group = match (layout.task, group, &layout.group_pattern) {
            (Task::Transcription, None, None) if named && labelled => {
                (0..width).find(|&at| GROUP_NAMES.contains(&&*names.names[at]) && !used(&at))
            }
            _ => None,
        };
        let clash = |setting, what| {
            let path = path.display();
            let problem = format!("{path}: the column of the {what} is that of the inputs");
            Err(Error::setting(setting, problem))
        };
        match (labels.contains(&input), pair) {
            (true, _) if labelled && layout.task == Task::Transcription => {
                return clash(option, "texts");
            }
            (true, _) if labelled => return clash(option, "labels"),
            (_, Some(pair)) if pair == input => return clash("--pair-column", "second sentences"),
            (_, Some(_)) if layout.inputs == InputKind::Files => {
                let (path, samples) = (path.display(), layout.samples);
                let problem = format!("{path}: {samples} have no pairs");
                return Err(Error::setting("--pair-column", problem));
            }
            _ => {}
        }
        let name = |&column: &usize| match named {
            true => names.written[column].clone(),
            false if labels.len() == 1 => layout.task.answer().to_string(),
            false => format!("{} {}", layout.task.answer(), column + 1),
        };
        Ok(Self {
            header: named && table.names.is_none(),
            most: table.names.is_none().then_some(width),
            input,
            pair,
            label_names: labels.iter().map(name).collect(),
            labels: if labelled { labels } else { vec![] },
            split,
            group,
            unused_pair,
            unused_group: unused_group.map(|at| names.written[at].clone()),
            others,
        })
    }

    /// All that are used.
    pub(super) fn used(&self) -> Vec<usize> {
        let others = [self.pair, self.split, self.group].into_iter().flatten();
        others.chain([self.input]).chain(self.labels.iter().copied()).collect()
    }
}

fn label_names(layout: &Layout) -> &'static [&'static str] {
    match layout.task {
        Task::SingleLabel => LABEL_NAMES,
        Task::MultiLabel => LABELS_NAMES,
        Task::Regression => VALUE_NAMES,
        Task::Transcription if layout.inputs == InputKind::Texts => WRITTEN_NAMES,
        Task::Transcription => TRANSCRIPT_NAMES,
        Task::Tagging => TAGS_NAMES,
    }
}

fn input_names(layout: &Layout) -> &'static [&'static str] {
    match layout.inputs {
        _ if layout.task == Task::Tagging => WORDS_NAMES,
        InputKind::Files => FILE_NAMES,
        InputKind::Texts => TEXT_NAMES,
    }
}

fn words(cells: &[Cell]) -> Vec<String> {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.trim().to_string(),
        _ => String::new(),
    };
    cells.iter().map(text).collect()
}

/// Whether the first column counts the rows, as pandas writes its index.
fn numbers_rows(head: &[Row]) -> bool {
    let number = |row: &Row| words(&row.cells[..1]).concat().parse::<i64>().ok();
    let numbers: Option<Vec<i64>> = head.iter().map(number).collect();
    numbers.is_some_and(|numbers| {
        numbers.len() >= NUMBERED && numbers.is_sorted_by(|a, b| a.checked_add(1) == Some(*b))
    })
}
