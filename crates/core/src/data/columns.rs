//! What the columns of a table mean.

use std::path::Path;
use std::sync::Arc;

use super::layout::{InputKind, Layout};
use super::names::{
    FILE_NAMES, GROUP_NAMES, INDEX_NAMES, LABEL_NAMES, LABELS_NAMES, PAIR_NAMES, SPLIT_NAME,
    TAGS_NAMES, TEXT_NAMES, TRANSCRIPT_NAMES, VALUE_NAMES, WORDS_NAMES, WRITTEN_NAMES,
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
        let input = match input {
            Some(input) => input,
            None if !named => {
                let least = labels.len() + pair.iter().len() + 1;
                usize::from(width > least && numbers_rows(&table.head))
            }
            // Beside the files themselves, others write what they were called.
            None if whole.is_some() => whole.unwrap_or_default(),
            None => match names.known(inputs, "--input-column")? {
                Some(input) => input,
                None => names.only((0..width).filter(|column| !used(column)), inputs)?,
            },
        };
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

/// The names in a table's first row, or of its columns, in lower case.
struct Names<'a> {
    path: &'a Path,
    names: Vec<String>,
    /// As they are written.
    written: Vec<String>,
}

impl Names<'_> {
    /// Whether a column is given by a name that the first row holds, which then is a header. One given
    /// by number says nothing.
    fn is_named_by(&self, layout: &Layout) -> bool {
        let options =
            [&layout.input_column, &layout.pair_column, &layout.group_column, &layout.text_column];
        let given = options.into_iter().flatten().map(String::as_str);
        let labels = layout.label_column.iter();
        let labels = labels.flat_map(|all| all.split(',').chain([all.as_str()]));
        given
            .chain(labels)
            .map(str::trim)
            .any(|c| self.numbered(c).is_none() && self.names.contains(&c.to_lowercase()))
    }

    /// The column that has one of these names.
    fn known(&self, wanted: &[&str], option: &'static str) -> Result<Option<usize>> {
        let mut found = (0..self.names.len()).filter(|&i| wanted.contains(&&*self.names[i]));
        let Some(first) = found.next() else { return Ok(None) };
        match found.find(|&other| self.names[other] == self.names[first]) {
            None => Ok(Some(first)),
            Some(_) => Err(Error::setting(
                option,
                format!(
                    "{} has several columns {:?}; give the number of one, counted from 1",
                    self.path.display(),
                    self.names[first]
                ),
            )),
        }
    }

    /// The column of inputs where none has a known name: the only one that is left.
    fn only(&self, free: impl Iterator<Item = usize>, inputs: &[&str]) -> Result<usize> {
        let free: Vec<_> = free.collect();
        let index = |column: &&usize| INDEX_NAMES.contains(&&*self.names[**column]);
        let others: Vec<_> = free.iter().filter(|column| !index(column)).collect();
        match (&free[..], &others[..]) {
            (&[one], _) | (_, &[&one]) => Ok(one),
            _ => {
                let what = format!("no column named {}", inputs.join(" or "));
                Err(self.missing(&what, "--input-column"))
            }
        }
    }

    /// The column of second sentences where nobody gave it.
    fn pair(&self, named: bool, input: usize) -> Result<usize> {
        let known = self.known(PAIR_NAMES, "--pair-column")?.filter(|_| named);
        let next = (!named && input + 1 < self.names.len()).then_some(input + 1);
        known.or(next).ok_or_else(|| {
            let what = "no second column of sentences, and the model was trained on pairs";
            self.missing(what, "--pair-column")
        })
    }

    /// What to say of second sentences that nobody asked for: by the name of their column or, where
    /// there are no names and no labels, by the spaces in it.
    fn unused_pair(
        &self,
        named: bool,
        labelled: bool,
        input: usize,
        labels: &[usize],
    ) -> Option<String> {
        let is_pair = |&at: &usize| match named {
            true => PAIR_NAMES.contains(&&*self.names[at]),
            false => !labelled && at == input + 1 && self.names[at].contains(' '),
        };
        let mut others = (0..self.names.len()).filter(|at| *at != input && !labels.contains(at));
        let at = others.find(is_pair)?;
        let column = if named { self.written[at].clone() } else { (at + 1).to_string() };
        Some(format!(
            "does not use its column {column}; --pair-column {column} makes pairs of sentences"
        ))
    }

    /// The column that a number counted from 1 means.
    fn numbered(&self, column: &str) -> Option<usize> {
        column.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < self.names.len())
    }

    /// The column that a person gave, by name or by number.
    fn given(&self, column: &Option<String>, option: &'static str) -> Result<Option<usize>> {
        let Some(column) = column else { return Ok(None) };
        if let Some(at) = self.numbered(column) {
            return Ok(Some(at));
        }
        match self.known(&[&column.to_lowercase()], option)? {
            Some(at) => Ok(Some(at)),
            None => Err(self.missing(&format!("no column {column:?}"), option)),
        }
    }

    /// The columns of labels that a person gave: one, or several with commas between.
    fn labels(&self, layout: &Layout) -> Result<Option<Vec<usize>>> {
        const OPTION: &str = "--label-column";
        if let (Task::Transcription, Some(_)) = (layout.task, &layout.text_column) {
            let column = self.given(&layout.text_column, "--text-column")?;
            return Ok(column.map(|column| vec![column]));
        }
        let Some(given) = &layout.label_column else { return Ok(None) };
        // A name may have a comma in it.
        if !matches!(layout.task, Task::MultiLabel | Task::Regression)
            || self.names.contains(&given.to_lowercase())
        {
            return Ok(self.given(&layout.label_column, OPTION)?.map(|column| vec![column]));
        }
        let mut columns = vec![];
        for column in given.split(',') {
            let column = column.trim().to_string();
            let at = self.given(&Some(column.clone()), OPTION)?;
            if at.is_some_and(|at| columns.contains(&at)) {
                let problem = format!("names the column {column:?} twice");
                return Err(Error::setting(OPTION, problem));
            }
            columns.extend(at);
        }
        Ok(Some(columns))
    }

    fn missing(&self, what: &str, option: &'static str) -> Error {
        let problem =
            format!("{} has {what}; its columns are: {}", self.path.display(), self.list());
        Error::setting(option, problem)
    }

    fn list(&self) -> String {
        self.names.join(", ")
    }
}
