//! Tables of inputs (paths, texts or the files themselves) and labels: what their columns mean.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::encoding;
use super::found::{Found, RawTarget};
use super::item::{Input, Split};
use super::layout::{InputKind, Layout};
use super::table::{Cell, Fault, Kind, Row, Table};
use crate::error::{Error, Location, Result};
use crate::task::Task;

/// Column names that are recognised.
const FILE_NAMES: &[&str] =
    &["path", "file", "file_name", "filename", "image", "img", "audio", "picture", "recording"];

const TEXT_NAMES: &[&str] = &["text", "sentence", "sentence1", "premise"];

const LABEL_NAMES: &[&str] = &["label", "class", "category", "target"];

const LABELS_NAMES: &[&str] = &["labels", "tags", "label", "classes", "categories"];

const VALUE_NAMES: &[&str] = &["label", "target", "value", "score"];

const SPLIT_NAME: &str = "split";

/// Whether a file is a table, by its ending.
pub(super) fn is_table(path: &Path) -> bool {
    Kind::of(path).is_some()
}

/// The columns of a table, counted from 0.
struct Columns {
    /// Whether the first row holds the names.
    header: bool,
    /// The most cells that a row may have.
    most: Option<usize>,
    input: usize,
    pair: Option<usize>,
    /// One, unless each is a label or a value of its own.
    labels: Vec<usize>,
    /// What they are called.
    label_names: Arc<[String]>,
    split: Option<usize>,
    group: Option<usize>,
}

/// Everything that a table holds.
pub(super) fn gather(path: &Path, layout: &Layout) -> Result<Vec<Found>> {
    let data = |problem: String| Error::Data { path: path.to_path_buf(), problem };
    let faulty = |Fault { line, problem }: Fault| {
        let place = Location { path: path.to_path_buf(), line };
        Error::Data { path: place.to_string().into(), problem }
    };
    let kind = Kind::of(path).ok_or_else(|| {
        let endings = ".csv, .tsv, .jsonl, .ndjson or .parquet";
        data(format!("is neither a folder nor a table; a table's name ends in {endings}"))
    })?;
    if !path.is_file() {
        return Err(data("is no regular file".into()));
    }
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    let table = Table::open(file, kind, layout.longest_line).map_err(faulty)?;
    let columns = columns(path, &table, layout)?;
    let rows = table.rows(&columns.used()).map_err(faulty)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let (mut found, mut missing) = (vec![], vec![]);
    for row in rows.into_iter().skip(usize::from(columns.header)) {
        let place = Location { path: path.to_path_buf(), line: Some(row.line) };
        let row = sample(row, &columns, base, layout, place)?;
        if let Input::File(file) = &row.input
            && !file.is_file()
        {
            missing.push(format!("{}: {}", row.place, file.display()));
        }
        found.push(row);
    }
    if !missing.is_empty() {
        let problem = format!(
            "names {} that {} not there (paths are relative to the table's folder)",
            if missing.len() == 1 { "a file".into() } else { format!("{} files", missing.len()) },
            if missing.len() == 1 { "is" } else { "are" },
        );
        return Err(Error::DataList { path: path.to_path_buf(), problem, items: missing });
    }
    if found.is_empty() {
        return Err(data("the table has a header but no rows".into()));
    }
    Ok(found)
}

impl Columns {
    fn used(&self) -> Vec<usize> {
        let others = [self.pair, self.split, self.group];
        others
            .into_iter()
            .flatten()
            .chain([self.input])
            .chain(self.labels.iter().copied())
            .collect()
    }
}

/// The names in a table's first row, or of its columns, in lower case.
struct Names<'a> {
    path: &'a Path,
    names: Vec<String>,
    /// As they are written.
    written: Vec<String>,
}

impl Names<'_> {
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
        let Some(given) = &layout.label_column else { return Ok(None) };
        // A name may have a comma in it.
        if layout.task == Task::SingleLabel || self.names.contains(&given.to_lowercase()) {
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

fn columns(path: &Path, table: &Table, layout: &Layout) -> Result<Columns> {
    let data = |problem: String| Error::Data { path: path.to_path_buf(), problem };
    let words = |cells: &[Cell]| -> Vec<String> {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.trim().to_string(),
            _ => String::new(),
        };
        cells.iter().map(text).collect()
    };
    let written = match (&table.names, table.first()) {
        (Some(names), _) if !names.is_empty() => names.clone(),
        (None, Some(first)) => words(&first.cells),
        _ => return Err(data("the table is empty".into())),
    };
    let names = written.iter().map(|name| name.to_lowercase()).collect();
    let names = Names { path, names, written };
    // A column given by number says nothing about a header; one given by name requires it.
    let options = [&layout.input_column, &layout.pair_column, &layout.group_column];
    let given = options.into_iter().flatten().map(String::as_str);
    let labels = layout.label_column.iter().flat_map(|all| all.split(',').chain([all.as_str()]));
    let named = given
        .chain(labels)
        .map(str::trim)
        .any(|c| names.numbered(c).is_none() && names.names.contains(&c.to_lowercase()));
    let input = names.given(&layout.input_column, "--input-column")?;
    let pair = names.given(&layout.pair_column, "--pair-column")?;
    let group = names.given(&layout.group_column, "--group-column")?;
    let labels = names.labels(layout)?;
    let label_names = match layout.task {
        Task::SingleLabel => LABEL_NAMES,
        Task::MultiLabel => LABELS_NAMES,
        Task::Regression => VALUE_NAMES,
    };
    let has = |wanted: &[&str]| names.names.iter().any(|n| wanted.contains(&n.as_str()));
    let named = table.names.is_some() || has(label_names) || named;
    let width = names.names.len();
    if width < 2 {
        return Err(data(format!(
            "its first line has one column, {:?}; expected at least an input and a label",
            names.list()
        )));
    }
    let split = if named { names.known(&[SPLIT_NAME], "--data")? } else { None };
    let labels = match labels {
        Some(labels) => labels,
        None if named => {
            let missing =
                || names.missing(&format!("no column named {}", label_names[0]), "--label-column");
            vec![names.known(label_names, "--label-column")?.ok_or_else(missing)?]
        }
        None => vec![width - 1],
    };
    let inputs = match layout.inputs {
        InputKind::Files => FILE_NAMES,
        InputKind::Texts => TEXT_NAMES,
    };
    let input = match input {
        Some(input) => input,
        None if !named => 0,
        None => match names.known(inputs, "--input-column")? {
            Some(input) => input,
            // With a single column left, its name does not matter.
            None => {
                let used: BTreeSet<_> =
                    [split, pair].into_iter().flatten().chain(labels.iter().copied()).collect();
                let free: Vec<_> = (0..width).filter(|column| !used.contains(column)).collect();
                match free[..] {
                    [one] => one,
                    _ => {
                        let what = format!("no column named {}", inputs.join(" or "));
                        return Err(names.missing(&what, "--input-column"));
                    }
                }
            }
        },
    };
    let clash = |setting, what| {
        let problem = format!("{}: the column of the {what} is that of the inputs", path.display());
        Err(Error::setting(setting, problem))
    };
    match (labels.contains(&input), pair) {
        (true, _) => return clash("--label-column", "labels"),
        (_, Some(pair)) if pair == input => return clash("--pair-column", "second sentences"),
        (_, Some(_)) if layout.inputs == InputKind::Files => {
            let (path, samples) = (path.display(), layout.samples);
            let problem = format!("{path}: {samples} have no pairs");
            return Err(Error::setting("--pair-column", problem));
        }
        _ => {}
    }
    let header = named && table.names.is_none();
    let name = |&column: &usize| match named {
        true => names.written[column].clone(),
        false if labels.len() == 1 => layout.task.answer().to_string(),
        false => format!("{} {}", layout.task.answer(), column + 1),
    };
    Ok(Columns {
        header,
        most: table.names.is_none().then_some(width),
        input,
        pair,
        label_names: labels.iter().map(name).collect(),
        labels,
        split,
        group,
    })
}

/// The sample in a row.
fn sample(
    row: Row,
    columns: &Columns,
    base: &Path,
    layout: &Layout,
    place: Location,
) -> Result<Found> {
    let bad = |problem: String| Error::Data { path: place.to_string().into(), problem };
    let width = row.cells.len();
    if let Some(most) = columns.most
        && width > most
    {
        return Err(bad(format!(
            "the row has {width} cells, the first line {most}; put quotes around what has a \
             separator in it"
        )));
    }
    let none = |at: usize, what: &str| {
        bad(format!("the row has no {what} in column {} of {width}", at + 1))
    };
    let cell = |at: usize, what: &str| match row.cells.get(at) {
        Some(Cell::Text(text)) if !text.trim().is_empty() => Ok(text.trim()),
        Some(Cell::Text(_) | Cell::Missing) | None => Err(none(at, what)),
        Some(Cell::File { .. }) => {
            Err(bad(format!("the {what} in column {} is a file, not a text", at + 1)))
        }
        Some(Cell::List(_)) => {
            Err(bad(format!("the {what} in column {} is a list, not a text", at + 1)))
        }
        Some(Cell::Other(found)) => {
            Err(bad(format!("the {what} in column {} is {found}, not a text", at + 1)))
        }
    };
    let sentence = |at: usize, what: &str| match row.cells.get(at) {
        // Some writers do not mark their texts as such.
        Some(Cell::File { name: None, bytes }) => {
            let text = encoding::decode(bytes);
            text.map(str::to_string).map_err(|e| bad(format!("the {what}: {e}")))
        }
        _ => cell(at, what).map(str::to_string),
    };
    let input = match (layout.inputs, row.cells.get(columns.input)) {
        (InputKind::Files, Some(Cell::File { name, bytes })) => {
            Input::Bytes { name: name.clone().unwrap_or_default(), bytes: bytes.clone() }
        }
        (InputKind::Files, _) => Input::File(base.join(cell(columns.input, "path")?)),
        (InputKind::Texts, _) => {
            let text = sentence(columns.input, "text")?;
            match columns.pair {
                None => Input::Text(text),
                Some(pair) => Input::Pair([text, sentence(pair, "second text")?]),
            }
        }
    };
    let blank = |at: usize| match row.cells.get(at) {
        Some(Cell::Text(text)) => text.trim().is_empty(),
        Some(Cell::Missing) => true,
        // Where rows are lines, one that ends early is broken; where they are objects, it has no
        // such key.
        None => columns.most.is_none(),
        Some(_) => false,
    };
    let label = match (layout.task, &columns.labels[..]) {
        (Task::SingleLabel, &[at, ..]) => RawTarget::of(cell(at, "label")?, layout),
        (Task::MultiLabel, &[at]) => match row.cells.get(at) {
            Some(Cell::List(labels)) => RawTarget::Labels(labels.clone()),
            _ if blank(at) => RawTarget::Labels(vec![]),
            _ => RawTarget::of(cell(at, "label")?, layout),
        },
        (_, labels) => {
            let what = layout.task.answer();
            let text = |&at: &usize| match blank(at) {
                true => Ok(String::new()),
                false => cell(at, what).map(str::to_string),
            };
            let cells = labels.iter().map(text).collect::<Result<_>>()?;
            RawTarget::Cells { columns: columns.label_names.clone(), cells }
        }
    };
    let split = match columns.split {
        None => None,
        Some(at) => {
            let name = cell(at, "split")?;
            Some(Split::named(name).ok_or_else(|| {
                bad(format!("the split is {name:?}, expected train, validation or test"))
            })?)
        }
    };
    let group = columns.group.map(|at| cell(at, "group").map(str::to_string)).transpose()?;
    Ok(Found { input, place, label, split, group })
}
