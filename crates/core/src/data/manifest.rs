//! Tables: CSV and TSV files of inputs (paths or texts) and labels, with or without a header.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::{Found, Input, InputKind, Layout, Place, Split};
use crate::{Error, Result};

/// Column names that are understood without being told.
const INPUT_NAMES: &[&str] =
    &["path", "file", "file_name", "filename", "image", "audio", "text", "sentence"];
const LABEL_NAMES: &[&str] = &["label", "class", "category", "target"];
const SPLIT_NAME: &str = "split";
/// How many missing files one message lists.
const LISTED: usize = 10;

/// Whether a file is a table, by its ending.
pub(super) fn is_table(path: &Path) -> bool {
    delimiter(path).is_some()
}

fn delimiter(path: &Path) -> Option<u8> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(b','),
        "tsv" | "tab" => Some(b'\t'),
        _ => None,
    }
}

/// The columns of a table, counted from 0.
struct Columns {
    header: bool,
    input: usize,
    label: usize,
    split: Option<usize>,
}

/// Everything that a table holds.
pub(super) fn gather(path: &Path, layout: &Layout) -> Result<Vec<Found>> {
    let data = |problem: String| Error::Data { path: path.to_path_buf(), problem };
    let delimiter = delimiter(path).ok_or_else(|| {
        data("is neither a folder nor a table; a table's name ends in .csv or .tsv".into())
    })?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        // Quotes in a TSV are part of the text, as in GLUE's files.
        .quoting(delimiter != b'\t')
        .has_headers(false)
        .flexible(true)
        .from_path(path)
        .map_err(|e| data(e.to_string()))?;
    let mut records = vec![];
    for record in reader.records() {
        let record = record.map_err(|e| table_error(path, &e))?;
        if record.iter().any(|cell| !cell.trim().is_empty()) {
            records.push(record);
        }
    }
    let first = records.first().ok_or_else(|| data("the table is empty".into()))?;
    let columns = columns(path, first, layout)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let (mut found, mut missing) = (vec![], vec![]);
    for record in records.iter().skip(usize::from(columns.header)) {
        let place = Place { path: path.to_path_buf(), line: record.position().map(|p| p.line()) };
        let row = row(record, &columns, base, layout, place)?;
        if let Input::File(file) = &row.input
            && !file.is_file()
        {
            missing.push(format!("{}: {}", row.place, file.display()));
        }
        found.push(row);
    }
    if !missing.is_empty() {
        let shown = missing.len().min(LISTED);
        let more = match missing.len() - shown {
            0 => String::new(),
            n => format!("\n  … and {n} more"),
        };
        return Err(data(format!(
            "names {} that {} not there (paths are relative to the table's folder):\n  {}{more}",
            if missing.len() == 1 { "a file".into() } else { format!("{} files", missing.len()) },
            if missing.len() == 1 { "is" } else { "are" },
            missing[..shown].join("\n  "),
        )));
    }
    if found.is_empty() {
        return Err(data("the table has a header but no rows".into()));
    }
    Ok(found)
}

fn columns(path: &Path, first: &StringRecord, layout: &Layout) -> Result<Columns> {
    let names: Vec<String> = first.iter().map(|c| c.trim().to_lowercase()).collect();
    let known = |wanted: &[&str]| names.iter().position(|n| wanted.contains(&n.as_str()));
    let setting = |setting, problem| Error::Setting { setting, problem };
    // A column given by number says nothing about a header; one given by name needs it.
    let given = |option: &'static str, column: &Option<String>| match column {
        None => Ok(None),
        Some(c) => match c.parse::<usize>() {
            Ok(n) if (1..=names.len()).contains(&n) => Ok(Some(n - 1)),
            _ => names.iter().position(|n| *n == c.to_lowercase()).map(Some).ok_or_else(|| {
                let columns = names.join(", ");
                let path = path.display();
                setting(option, format!("{path} has no column {c:?}; its first line is: {columns}"))
            }),
        },
    };
    let input = given("--input-column", &layout.input_column)?;
    let label = given("--label-column", &layout.label_column)?;
    let header = known(LABEL_NAMES).is_some()
        || [&layout.input_column, &layout.label_column]
            .into_iter()
            .flatten()
            .any(|c| names.contains(&c.to_lowercase()));
    if names.len() < 2 {
        return Err(Error::Data {
            path: path.to_path_buf(),
            problem: format!(
                "its first line has one column, {:?}; expected at least an input and a label",
                first.get(0).unwrap_or_default()
            ),
        });
    }
    let columns = Columns {
        header,
        input: input.or_else(|| known(INPUT_NAMES).filter(|_| header)).unwrap_or(0),
        label: label.or_else(|| known(LABEL_NAMES).filter(|_| header)).unwrap_or(names.len() - 1),
        split: names.iter().position(|n| n == SPLIT_NAME).filter(|_| header),
    };
    if columns.input == columns.label {
        let problem = format!("{}: the column of the labels is that of the inputs", path.display());
        return Err(setting("--label-column", problem));
    }
    Ok(columns)
}

fn row(
    record: &StringRecord,
    columns: &Columns,
    base: &Path,
    layout: &Layout,
    place: Place,
) -> Result<Found> {
    let bad = |problem: String| Error::Data { path: place.to_string().into(), problem };
    let cell = |at: usize, what: &str| {
        record.get(at).map(str::trim).filter(|c| !c.is_empty()).ok_or_else(|| {
            bad(format!("the row has no {what} in column {} of {}", at + 1, record.len()))
        })
    };
    let label = cell(columns.label, "label")?.to_string();
    let input = match layout.inputs {
        InputKind::Files => Input::File(base.join(cell(columns.input, "path")?)),
        InputKind::Texts => Input::Text(cell(columns.input, "text")?.to_string()),
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
    Ok(Found { input, place, label, split })
}

fn table_error(path: &Path, error: &csv::Error) -> Error {
    let line = error.position().map(|p| p.line());
    let place = Place { path: path.to_path_buf(), line };
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => {
            format!(
                "not UTF-8 from byte {} of field {} on; convert the file",
                err.valid_up_to() + 1,
                err.field() + 1
            )
        }
        _ => error.to_string(),
    };
    Error::Data { path: place.to_string().into(), problem }
}
