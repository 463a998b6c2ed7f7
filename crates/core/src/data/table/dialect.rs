//! How a table's values are separated and quoted.

use super::format::TableFormat;

/// How values are separated and quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: char,
    pub(super) quotes: Quotes,
}

/// What a quote at the beginning of a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// It stands around the cell, as in CSV.
    Around,
    /// There is none.
    Absent,
    /// A character like any other (Python's `csv.QUOTE_NONE`).
    Within,
}

impl Dialect {
    /// What a person may not expect of a table in this format; `None`: nothing.
    pub(super) fn remark(self, format: TableFormat) -> Option<&'static str> {
        match (format, self.delimiter, self.quotes) {
            (TableFormat::Tsv, '\t', Quotes::Around) => {
                Some("is read with quotes around its cells")
            }
            (_, '\t', Quotes::Within) => Some(
                "is read without quoting: quotes that begin its cells are no pairs around them",
            ),
            (TableFormat::Csv, '\t', _) => Some("is separated by tabs"),
            (_, ';', _) => Some("is separated by semicolons"),
            (TableFormat::Tsv, ',', _) => Some("is separated by commas"),
            _ => None,
        }
    }
}
