//! Tables in files, as they stand there: rows of cells. What the columns mean is not known here, nor
//! is libtorch, so that fuzz targets can compile these files by themselves.

mod delimited;
mod json;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;

use std::{fs::File, io::BufReader, path::Path, sync::Arc};

use lines::Lines;

/// A table whose column names are known, as far as it has any.
#[derive(Debug)]
pub(super) struct Table {
    /// The names of the columns; `None` where the first row may hold them.
    pub(super) names: Option<Vec<String>>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Rows(Vec<Row>),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Reader>),
}

/// A row, which may have fewer cells than the table has columns.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// The line that it begins in, or the number of the row where there are no lines, from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<Cell>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Nothing, or what stands for it.
    Missing,
    /// A text, a number, a truth value.
    Text(String),
    /// A file in the table.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "Parquet alone holds files"))]
    File {
        /// What it was called.
        name: Option<String>,
        bytes: Arc<[u8]>,
    },
    /// Several texts, numbers or truth values.
    List(Vec<String>),
    /// What has no use here, and what it is called: `an object`.
    Other(&'static str),
}

/// What is wrong with a table.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// The line or the row.
    pub(super) line: Option<u64>,
    pub(super) problem: String,
}

impl Fault {
    fn new(line: impl Into<Option<u64>>, problem: impl Into<String>) -> Self {
        Self { line: line.into(), problem: problem.into() }
    }
}

/// What a file is, by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// Tab-separated values. Quotes are part of the text, as in GLUE's files.
    Tsv,
    /// A JSON object in each line.
    JsonLines,
    /// Columns in the format of Apache Parquet, as Hugging Face's `datasets` writes it.
    Parquet,
}

impl Kind {
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

impl Table {
    /// Opens a table: reads it, or of a Parquet file what its columns are. Lines and records longer
    /// than `longest`, in bytes, are not read.
    pub(super) fn open(file: File, kind: Kind, longest: usize) -> Result<Self, Fault> {
        match kind {
            Kind::Csv | Kind::Tsv => {
                let rows = delimited::read(&mut Lines::new(BufReader::new(file), longest), kind)?;
                Ok(Self { names: None, body: Body::Rows(rows) })
            }
            Kind::JsonLines => {
                let (names, rows) = json::read(&mut Lines::new(BufReader::new(file), longest))?;
                Ok(Self { names: Some(names), body: Body::Rows(rows) })
            }
            #[cfg(feature = "parquet")]
            Kind::Parquet => {
                let reader = parquet::Reader::open(file)?;
                Ok(Self { names: Some(reader.names()), body: Body::Parquet(Box::new(reader)) })
            }
            #[cfg(not(feature = "parquet"))]
            Kind::Parquet => {
                let problem =
                    "a Parquet file, which crosstune-core reads with its feature `parquet`";
                Err(Fault::new(None, problem))
            }
        }
    }

    /// The first row of a table that is read already.
    pub(super) fn first(&self) -> Option<&Row> {
        match &self.body {
            Body::Rows(rows) => rows.first(),
            #[cfg(feature = "parquet")]
            Body::Parquet(_) => None,
        }
    }

    /// All rows. Cells outside of `columns` may be missing.
    pub(super) fn rows(self, columns: &[usize]) -> Result<Vec<Row>, Fault> {
        let _ = columns;
        match self.body {
            Body::Rows(rows) => Ok(rows),
            #[cfg(feature = "parquet")]
            Body::Parquet(reader) => reader.rows(columns),
        }
    }
}
