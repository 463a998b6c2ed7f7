//! Rows of cells, and what is wrong with a table.

use std::sync::Arc;

/// A row, which may have fewer cells than the table has columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The line where it begins, or the number of the row where there are no lines, from 1.
    pub(crate) line: u64,
    /// The cells, [`Cell::Missing`] where nobody asked for them.
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
    /// A file in the table that is read when it is needed.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "Parquet alone holds files"))]
    Stored {
        /// Its name.
        name: Option<String>,
        /// The row, counted from 0.
        row: u64,
    },
    /// Several texts, numbers or truth values.
    List(Vec<String>),
    /// A value without use here, and what it is called: `an object`.
    Other(&'static str),
}

/// A problem with a table, or with one of its rows.
#[derive(Debug, Clone, PartialEq)]
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

/// What is told of each row: the row, or what is wrong with it alone.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Result<Row, Fault>);

/// The columns whose cells are wanted, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// All.
    All,
    /// These.
    Columns(&'a [usize]),
}

impl Wanted<'_> {
    pub(super) fn has(self, column: usize) -> bool {
        match self {
            Self::All => true,
            Self::Columns(columns) => columns.contains(&column),
        }
    }
}
