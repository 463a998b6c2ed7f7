//! Tables of inputs (paths, texts or the files themselves) and labels.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::columns::Columns;
use super::encoding;
use super::found::{Found, RawTarget};
use super::gathering::{Gathering, Purpose};
use super::item::{Input, Split};
use super::layout::{InputKind, Layout};
use super::lists;
use super::paths::Paths;
use super::schemes;
use super::stored::{Shard, Stored};
use super::table::{Cell, Fault, Row, START, Table, TableFormat, Wanted};
use super::tagged;
use super::webdataset;
use crate::error::{Error, Location, Result};
use crate::task::Task;

/// Whether a file in a folder is a table, by its ending; where a format is given, a text may be one,
/// too.
pub(super) fn is_table(path: &Path, layout: &Layout) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    TableFormat::of_ending(path).is_some()
        || ending == "tar"
        || tagged::is_named(path, layout)
        || (layout.format.is_some() && (ending == "txt" || ending == "json"))
}

/// The format of a file that a person named, by what it holds; `None` if it is no table.
///
/// # Errors
/// If it cannot be read, or is no regular file.
pub(super) fn format(path: &Path, layout: &Layout) -> Result<Option<TableFormat>> {
    if !path.is_file() {
        let problem = "is no regular file".into();
        return Err(Error::Data { path: path.to_path_buf(), problem });
    }
    if layout.format.is_some() {
        return Ok(layout.format);
    }
    let mut start = vec![];
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    file.take(START as u64).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    Ok(TableFormat::of(path, &start))
}

/// Everything that a table holds.
pub(super) fn gather(path: &Path, all: &mut Gathering<'_>) -> Result<()> {
    if all.layout.format.is_none() && webdataset::is_tar(path) {
        return webdataset::gather(path, all);
    }
    if let Some(problem) = webdataset::compressed(path) {
        return Err(Error::Data { path: path.to_path_buf(), problem });
    }
    if tagged::is_conll(path, all.layout, all.purpose)? {
        return tagged::gather(path, all);
    }
    let data = |problem: String| Error::Data { path: path.to_path_buf(), problem };
    let format = format(path, all.layout)?.ok_or_else(|| {
        data(
            "is neither a folder nor a table: its name ends in none of .csv, .tsv, .jsonl, .ndjson \
             and .parquet, and its lines are neither rows with tabs nor JSON objects; --format tells \
             what it is"
                .into(),
        )
    })?;
    // One path for all its rows.
    let shared: Arc<Path> = path.into();
    let place = |line| Location { path: shared.clone(), line };
    let faulty = |Fault { line, problem }: Fault| Error::Data {
        path: place(line).to_string().into(),
        problem,
    };
    let layout = all.layout;
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    let table = Table::open(file, format, layout.longest_line).map_err(faulty)?;
    let labelled = all.purpose == Purpose::Labelled;
    let columns = Columns::of(path, &table, layout, labelled)?;
    let shard = shard(path, &table, &columns, layout);
    let stored = shard.is_some().then_some(columns.input);
    let mut paths = Paths::of(path, layout.extensions);
    let mut behind = !columns.header;
    let mut rows = 0u64;
    let mut each = |row: Result<Row, Fault>| {
        let row = match row {
            // The header.
            Ok(_) if !behind => return behind = true,
            Ok(row) => row,
            Err(Fault { line, problem }) => {
                rows += 1;
                return all.refuse(place(line), problem);
            }
        };
        rows += 1;
        let place = place(Some(row.line));
        match sample(row, &columns, &mut paths, layout, shard.as_ref(), place.clone()) {
            Ok(found) => all.add(found),
            Err(problem) => all.refuse(place, problem),
        }
    };
    table.rows(Wanted::Columns(&columns.used()), stored, &mut each).map_err(faulty)?;
    if rows == 0 {
        return Err(data("the table has a header but no rows".into()));
    }
    if let Some(unused) = &columns.unused_pair {
        all.notes.push(format!("{} {unused}", path.display()));
    }
    if let Some(column) = &columns.unused_group {
        let note = format!(
            "a column {column} tells who speaks; --group-column {column} never splits one between \
             training and held-out data"
        );
        // Once for all parts of a data set.
        if !all.notes.contains(&note) {
            all.notes.push(note);
        }
    }
    if let Some(remark) = table.remark {
        all.notes.push(format!("{} {remark}", path.display()));
    }
    if let Some(folder) = &paths.elsewhere {
        all.notes.push(format!("{} names files below {}", path.display(), folder.display()));
    }
    all.tables.insert(path.to_path_buf());
    Ok(())
}

/// A table whose inputs are files in it, which are read when they are needed.
fn shard(path: &Path, table: &Table, columns: &Columns, layout: &Layout) -> Option<Arc<Shard>> {
    #[cfg(feature = "parquet")]
    if layout.inputs == InputKind::Files {
        let cells = table.stored(path, columns.input)?;
        return Some(Arc::new(Shard::Parquet(cells)));
    }
    let _ = (path, table, columns, layout);
    None
}

/// The sample in a row, or what is wrong with it.
fn sample(
    row: Row,
    columns: &Columns,
    paths: &mut Paths<'_>,
    layout: &Layout,
    shard: Option<&Arc<Shard>>,
    place: Location,
) -> Result<Found, String> {
    let width = row.cells.len();
    if let Some(most) = columns.most
        && width > most
    {
        return Err(format!(
            "the row has {width} cells, the first line {most}; put quotes around what has a \
             separator in it"
        ));
    }
    let cells = Cells { cells: &row.cells, names: None };
    let input = match (layout.inputs, row.cells.get(columns.input)) {
        (InputKind::Texts, _) => text(&cells, columns, layout)?,
        (InputKind::Files, Some(Cell::File { name, bytes })) => {
            Input::Bytes { name: name.clone().unwrap_or_default(), bytes: bytes.clone() }
        }
        (InputKind::Files, Some(Cell::Stored { name, row })) => {
            let shard = shard.ok_or("the file in the row is in no table")?;
            // Nothing else depends on it.
            let name = name.as_deref().filter(|_| layout.group_pattern.is_some());
            Input::Stored(Stored::new(shard, *row, 0, name))
        }
        (InputKind::Files, _) => {
            let file = paths.find(cells.text(columns.input, "path")?);
            Input::File(
                file.map_err(|path| format!("names a file that is not there: {}", path.display()))?,
            )
        }
    };
    let label = label(&cells, columns, layout, &input)?;
    let split = match columns.split {
        None => None,
        Some(at) => {
            let name = cells.text(at, "split")?;
            Some(Split::named(name).ok_or_else(|| {
                format!("the split is {name:?}, expected train, validation or test")
            })?)
        }
    };
    let group = columns.group.map(|at| cells.text(at, "group").map(str::to_string)).transpose()?;
    Ok(Found { input, place, label, split, group })
}

/// The cells of a row, or of what is read as one.
pub(super) struct Cells<'a> {
    pub(super) cells: &'a [Cell],
    /// What each is called, where they are in no columns.
    pub(super) names: Option<&'a [String]>,
}

impl Cells<'_> {
    /// Where one is, for messages.
    fn place(&self, at: usize) -> String {
        match self.names {
            Some(names) => names.get(at).cloned().unwrap_or_default(),
            None => format!("column {}", at + 1),
        }
    }

    fn none(&self, at: usize, what: &str) -> String {
        match self.names {
            Some(_) => format!("there is no {what} in {}", self.place(at)),
            None => format!("the row has no {what} in column {} of {}", at + 1, self.cells.len()),
        }
    }

    /// A text that is not blank.
    fn text(&self, at: usize, what: &str) -> Result<&str, String> {
        let other =
            |found: &str| Err(format!("the {what} in {} is {found}, not a text", self.place(at)));
        match self.cells.get(at) {
            Some(Cell::Text(text)) if !text.trim().is_empty() => Ok(text.trim()),
            Some(Cell::Text(_) | Cell::Missing) | None => Err(self.none(at, what)),
            Some(Cell::File { .. } | Cell::Stored { .. }) => other("a file"),
            Some(Cell::List(_)) => other("a list"),
            Some(Cell::Other(found)) => other(found),
        }
    }

    fn sentence(&self, at: usize, what: &str) -> Result<String, String> {
        match self.cells.get(at) {
            // Some writers do not mark their texts as such.
            Some(Cell::File { name: None, bytes }) => {
                let text = encoding::decode(bytes);
                text.map(str::to_string).map_err(|e| format!("the {what}: {e}"))
            }
            _ => self.text(at, what).map(str::to_string),
        }
    }

    fn list(&self, at: usize) -> Option<Vec<String>> {
        match self.cells.get(at) {
            Some(Cell::List(labels)) => Some(labels.clone()),
            Some(Cell::Text(text)) => lists::read(text),
            _ => None,
        }
    }
}

/// The text in a row, the two of a pair, or its words.
pub(super) fn text(cells: &Cells<'_>, columns: &Columns, layout: &Layout) -> Result<Input, String> {
    if layout.task == Task::Tagging {
        return match cells.list(columns.input) {
            Some(words) if words.is_empty() => {
                Err(format!("the list of words in {} is empty", cells.place(columns.input)))
            }
            Some(words) => Ok(Input::Words(words)),
            None => {
                let text = cells.sentence(columns.input, "text")?;
                Ok(schemes::input(text, !columns.labels.is_empty()))
            }
        };
    }
    let text = cells.sentence(columns.input, "text")?;
    Ok(match columns.pair {
        None => Input::Text(text),
        Some(pair) => Input::Pair([text, cells.sentence(pair, "second text")?]),
    })
}

/// The target in a row, of the input that is in it.
pub(super) fn label(
    cells: &Cells<'_>,
    columns: &Columns,
    layout: &Layout,
    input: &Input,
) -> Result<RawTarget, String> {
    let blank = |at: usize| match cells.cells.get(at) {
        Some(Cell::Text(text)) => text.trim().is_empty(),
        Some(Cell::Missing) => true,
        // Where rows are lines, one that ends early is broken; where they are objects, it has no
        // such key.
        None => columns.most.is_none(),
        Some(_) => false,
    };
    Ok(match (layout.task, &columns.labels[..]) {
        (_, []) => RawTarget::Missing(String::new()),
        (Task::SingleLabel, &[at, ..]) => match cells.list(at) {
            Some(_) => {
                return Err(format!(
                    "the label in {} is a list, not a text; --task multi-label takes lists",
                    cells.place(at)
                ));
            }
            None if blank(at) || cells.cells.len() <= at => {
                RawTarget::Missing(cells.none(at, "label"))
            }
            None => RawTarget::of(cells.text(at, "label")?, layout),
        },
        (Task::Transcription, &[at, ..]) if blank(at) => RawTarget::Missing(cells.none(at, "text")),
        (Task::Transcription, &[at, ..]) => RawTarget::Text(cells.sentence(at, "text")?),
        (Task::Tagging, &[at, ..]) if blank(at) => {
            RawTarget::Missing(cells.none(at, "list of labels"))
        }
        (Task::Tagging, &[at, ..]) => {
            let labels = cells
                .list(at)
                .map_or_else(|| cells.text(at, "list of labels").map(schemes::split), Ok);
            schemes::labelled(input, labels?)?
        }
        (Task::MultiLabel, &[at]) => match cells.list(at) {
            Some(labels) => RawTarget::Labels(labels),
            _ if blank(at) => RawTarget::Labels(vec![]),
            _ => RawTarget::of(cells.text(at, "label")?, layout),
        },
        (_, labels) => {
            let what = layout.task.answer();
            let text = |&at: &usize| match blank(at) {
                true => Ok(String::new()),
                false => cells.text(at, what).map(str::to_string),
            };
            let cells = labels.iter().map(text).collect::<Result<_, String>>()?;
            RawTarget::Cells { columns: columns.label_names.clone(), cells }
        }
    })
}
