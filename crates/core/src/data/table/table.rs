//! A table of any kind, opened.

use std::fs::File;
use std::io::BufReader;

use super::lines::Lines;
#[cfg(feature = "parquet")]
use super::parquet;
use super::row::{Fault, Kind, Row};
use super::{delimited, json};

/// A table whose column names are known, if it has any.
#[derive(Debug)]
pub(crate) struct Table {
    /// The names of the columns; `None` where the first row may hold them.
    pub(crate) names: Option<Vec<String>>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Rows(Vec<Row>),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Reader>),
}

impl Table {
    /// Opens a table: reads it, or of a Parquet file only the columns. Lines and records longer
    /// than `longest`, in bytes, are not read.
    pub(crate) fn open(file: File, kind: Kind, longest: usize) -> Result<Self, Fault> {
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

    /// The first row of a table that has been read.
    pub(crate) fn first(&self) -> Option<&Row> {
        match &self.body {
            Body::Rows(rows) => rows.first(),
            #[cfg(feature = "parquet")]
            Body::Parquet(_) => None,
        }
    }

    /// All rows. Cells outside of `columns` may be missing.
    pub(crate) fn rows(self, columns: &[usize]) -> Result<Vec<Row>, Fault> {
        let _ = columns;
        match self.body {
            Body::Rows(rows) => Ok(rows),
            #[cfg(feature = "parquet")]
            Body::Parquet(reader) => reader.rows(columns),
        }
    }
}
