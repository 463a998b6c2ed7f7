//! Tables of inputs (paths, texts or the files themselves) and labels.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::cells::{self, Cells};
use super::columns::Columns;
use super::found::Found;
use super::gathering::{Gathering, Purpose};
use super::item::{Input, Split};
use super::layout::{InputKind, Layout};
use super::paths::Paths;
use super::stored::{Shard, Stored};
use super::table::{Cell, Fault, Row, START, Table, TableFormat, Wanted};
use super::tagged;
use super::webdataset;
use crate::error::{Error, Location, Result};

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
    let group = columns.unused_group.as_ref().map(|column| {
        format!(
            "a column {column} tells who speaks; --group-column {column} never splits one between \
             training and held-out data"
        )
    });
    for note in group.into_iter().chain(columns.others) {
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
    let row = Cells { cells: &row.cells, names: None };
    let input = match (layout.inputs, row.cells.get(columns.input)) {
        (InputKind::Texts, _) => cells::text(&row, columns, layout)?,
        (InputKind::Files, Some(Cell::File { name, bytes })) => {
            Input::Bytes { name: name.clone().unwrap_or_default(), bytes: bytes.clone() }
        }
        (InputKind::Files, Some(Cell::Stored { name, row: at })) => {
            let shard = shard.ok_or("the file in the row is in no table")?;
            // Nothing else depends on it.
            let name = name.as_deref().filter(|_| layout.group_pattern.is_some());
            Input::Stored(Stored::new(shard, *at, 0, name))
        }
        (InputKind::Files, _) => {
            let file = paths.find(row.text(columns.input, "path")?);
            Input::File(
                file.map_err(|path| format!("names a file that is not there: {}", path.display()))?,
            )
        }
    };
    let label = cells::label(&row, columns, layout, &input)?;
    let split = match columns.split {
        None => None,
        Some(at) => {
            let name = row.text(at, "split")?;
            Some(Split::named(name).ok_or_else(|| {
                format!("the split is {name:?}, expected train, validation or test")
            })?)
        }
    };
    let group = columns.group.map(|at| row.text(at, "group").map(str::to_string)).transpose()?;
    Ok(Found { input, place, label, split, group })
}
