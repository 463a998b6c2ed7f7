//! Rows of cells, and what is wrong with a table.

use std::path::Path;
use std::sync::Arc;

/// A row, which may have fewer cells than the table has columns.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    /// The line where it begins, or the number of the row where there are no lines, from 1.
    pub(crate) line: u64,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Nothing, or an encoding of it.
    Missing,
    /// A text, a number, a truth value.
    Text(String),
    /// A file in the table.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "Parquet alone holds files"))]
    File {
        /// Its name.
        name: Option<String>,
        bytes: Arc<[u8]>,
    },
    /// Several texts, numbers or truth values.
    List(Vec<String>),
    /// A value without use here, and what it is called: `an object`.
    Other(&'static str),
}

/// A problem with a table.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    /// The line or the row.
    pub(crate) line: Option<u64>,
    pub(crate) problem: String,
}

impl Fault {
    pub(super) fn new(line: impl Into<Option<u64>>, problem: impl Into<String>) -> Self {
        Self { line: line.into(), problem: problem.into() }
    }
}

/// The kind of a table, by its file extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// Tab-separated values, quoted as comma-separated ones are.
    Tsv,
    /// A JSON object in each line.
    JsonLines,
    /// Columns in the format of Apache Parquet, as Hugging Face's `datasets` writes it.
    Parquet,
}

impl Kind {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}
