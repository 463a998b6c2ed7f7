//! A table of any format, opened.

use std::fs::File;
#[cfg(feature = "parquet")]
use std::path::Path;

use super::detect::{dialect, rewound};
use super::dialect::Dialect;
use super::format::TableFormat;
use super::lines::Lines;
#[cfg(feature = "parquet")]
use super::parquet;
use super::row::{Each, Fault, Row, Wanted};
#[cfg(feature = "parquet")]
use super::stored::StoredCells;
use super::{delimited, json};

/// A table whose column names are known, if it has any.
#[derive(Debug)]
pub(crate) struct Table {
    /// The names of the columns; `None` where the first row may hold them.
    pub(crate) names: Option<Vec<String>>,
    /// The columns that hold files rather than their names, counted from 0.
    pub(crate) files: Vec<usize>,
    /// The first rows, where names may be among them.
    pub(crate) head: Vec<Row>,
    /// How it was read, where a person may not expect that: `is separated by semicolons`.
    pub(crate) remark: Option<&'static str>,
    body: Body,
    longest: usize,
}

#[derive(Debug)]
enum Body {
    Delimited(File, Dialect),
    JsonLines(File, json::Keys),
    #[cfg(feature = "parquet")]
    Parquet(Box<parquet::Reader>),
}

impl Table {
    /// Opens a table, and finds out about its columns. Lines and records longer than `longest`, in
    /// bytes, are not read.
    pub(crate) fn open(file: File, format: TableFormat, longest: usize) -> Result<Self, Fault> {
        #[cfg_attr(not(feature = "parquet"), allow(unused_mut))]
        let mut files = vec![];
        let (names, head, remark, body) = match format {
            TableFormat::Csv | TableFormat::Tsv => {
                let (dialect, head) = dialect(&file, format, longest)?;
                (None, head, dialect.remark(format), Body::Delimited(file, dialect))
            }
            TableFormat::JsonLines => {
                let keys = json::Keys::of(&mut Lines::new(rewound(&file)?, longest))?;
                (Some(keys.names.clone()), vec![], None, Body::JsonLines(file, keys))
            }
            TableFormat::Conll => {
                return Err(Fault::new(None, "a CoNLL file; --task tag reads such files"));
            }
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => {
                let reader = parquet::Reader::open(file)?;
                files = reader.files();
                (Some(reader.names()), vec![], None, Body::Parquet(Box::new(reader)))
            }
            #[cfg(not(feature = "parquet"))]
            TableFormat::Parquet => {
                let problem =
                    "a Parquet file, which crosstune-core reads with its feature `parquet`";
                return Err(Fault::new(None, problem));
            }
        };
        Ok(Self { names, files, head, remark, body, longest })
    }

    /// The files of a column of the table at `path`, to be read when they are needed; `None`: there are
    /// none in it.
    #[cfg(feature = "parquet")]
    pub(crate) fn stored(&self, path: &Path, column: usize) -> Option<StoredCells> {
        match &self.body {
            Body::Parquet(reader) => reader.stored(path, column),
            Body::Delimited(..) | Body::JsonLines(..) => None,
        }
    }

    /// Reads all rows, one by one, and tells `each` of it, or of what is wrong with a row alone. Cells
    /// that are not wanted may be missing. Of the files in the column `stored`, it is only told where they
    /// are: they are read when they are [needed](Self::stored).
    ///
    /// # Errors
    /// If nothing that follows can be read.
    pub(crate) fn rows(
        &self,
        wanted: Wanted<'_>,
        stored: Option<usize>,
        each: Each<'_>,
    ) -> Result<(), Fault> {
        #[cfg(not(feature = "parquet"))]
        let _ = stored;
        let lines = |file| Ok::<_, Fault>(Lines::new(rewound(file)?, self.longest));
        match &self.body {
            Body::Delimited(file, dialect) => {
                delimited::read(&mut lines(file)?, *dialect, wanted, each)
            }
            Body::JsonLines(file, keys) => json::read(&mut lines(file)?, keys, wanted, each),
            #[cfg(feature = "parquet")]
            Body::Parquet(reader) => reader.rows(wanted, stored, each),
        }
    }
}
