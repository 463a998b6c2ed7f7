//! The formats of tables, told by contents first and by the ending of the name second.

use std::path::Path;

use super::json;
use crate::data::encoding;
use crate::data::names::LABEL_NAMES;

/// The format of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Values separated by commas or semicolons (RFC 4180).
    Csv,
    /// Values separated by tabs, quoted as in CSV or not at all.
    Tsv,
    /// A JSON object in each line.
    JsonLines,
    /// Columns in the format of Apache Parquet, as Hugging Face's `datasets` writes it.
    Parquet,
    /// A word with its label in each line, a blank line between sentences.
    Conll,
}

/// As many bytes of a file as tell its format.
pub(crate) const START: usize = 1 << 16;

/// So many lines of a text tell whether it is a table with tabs.
const LINES: usize = 20;

impl TableFormat {
    /// The format that the ending of a name stands for.
    pub(crate) fn of_ending(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format of a file that begins with these bytes, up to [`START`] of them; `None` if it is
    /// no table. Contents that say nothing leave it to the ending; where that is none of a table's, a
    /// header of names and lines with equally many tabs are a table.
    pub(crate) fn of(path: &Path, start: &[u8]) -> Option<Self> {
        if start.starts_with(b"PAR1") {
            return Some(Self::Parquet);
        }
        let ending = Self::of_ending(path);
        if ending == Some(Self::Parquet) {
            return ending;
        }
        let whole_lines = match start.len() < START {
            true => start,
            false => &start[..=start.iter().rposition(|&b| b == b'\n').unwrap_or(0)],
        };
        let Ok(text) = encoding::decode(whole_lines) else { return ending };
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).take(LINES).peekable();
        if lines.peek().is_some_and(|line| json::is_object(line) || json::opens_array(line)) {
            return Some(Self::JsonLines);
        }
        if ending.is_none() && lines.peek().is_some_and(|line| is_header(line)) {
            return Some(Self::Csv);
        }
        let mut tabs = lines.map(|line| line.matches('\t').count());
        let first = tabs.next().unwrap_or(0);
        ending.or_else(|| (first > 0 && tabs.all(|n| n == first)).then_some(Self::Tsv))
    }
}

/// Whether a line is certainly the header of a table with commas or semicolons: several names without
/// a space, one of which is what labels are called.
fn is_header(line: &str) -> bool {
    let is_label = |name: &str| name == "labels" || LABEL_NAMES.contains(&name);
    [',', ';'].into_iter().any(|delimiter| {
        let names: Vec<_> =
            line.split(delimiter).map(|name| name.trim().trim_matches('"')).collect();
        names.len() > 1
            && names.iter().all(|name| !name.contains(char::is_whitespace))
            && names.iter().any(|name| is_label(&name.to_lowercase()))
    })
}
