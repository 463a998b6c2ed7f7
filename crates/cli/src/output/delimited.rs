//! Tables of text: CSV and TSV.

/// How the cells of a row are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimited {
    /// RFC 4180: a cell with a comma, a quote or a line break stands in quotes.
    Commas,
    /// A row is a line and a tab ends a cell, whatever is in it: a tab or line break becomes a space. Only
    /// a cell that begins with a quote stands in quotes, as who reads quotes would take it for one.
    Tabs,
}

impl Delimited {
    /// A row, with the end of its line.
    pub(crate) fn row<C: AsRef<str>>(self, cells: impl IntoIterator<Item = C>) -> String {
        let cells: Vec<_> = cells.into_iter().map(|cell| self.cell(cell.as_ref())).collect();
        let delimiter = match self {
            Self::Commas => ",",
            Self::Tabs => "\t",
        };
        cells.join(delimiter) + "\n"
    }

    fn cell(self, text: &str) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        match self {
            Self::Commas if text.contains(['"', ',', '\n', '\r']) => quoted(text),
            Self::Commas => text.into(),
            Self::Tabs => {
                let line = text.replace(['\t', '\n', '\r'], " ");
                if line.starts_with('"') { quoted(&line) } else { line }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let cells = ["a", "b,c", "say \"hi\"", "two\nlines\tof", "\"so\"", ""];
        assert_eq!(
            Delimited::Commas.row(cells),
            "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\tof\",\"\"\"so\"\"\",\n"
        );
        assert_eq!(
            Delimited::Tabs.row(cells),
            "a\tb,c\tsay \"hi\"\ttwo lines of\t\"\"\"so\"\"\"\t\n"
        );
    }
}
