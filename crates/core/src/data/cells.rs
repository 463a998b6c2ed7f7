//! The cells of a row, and what they mean: a text, a target.

use super::columns::Columns;
use super::encoding;
use super::found::RawTarget;
use super::item::Input;
use super::layout::Layout;
use super::lists;
use super::schemes;
use super::table::Cell;
use crate::task::Task;

/// The cells of a row, or of what is read as one.
pub(super) struct Cells<'a> {
    pub(super) cells: &'a [Cell],
    /// What each is called, where they are in no columns.
    pub(super) names: Option<&'a [String]>,
}

impl Cells<'_> {
    /// Where one is, for messages.
    fn place(&self, at: usize) -> String {
        match self.names {
            Some(names) => names.get(at).cloned().unwrap_or_default(),
            None => format!("column {}", at + 1),
        }
    }

    fn none(&self, at: usize, what: &str) -> String {
        match self.names {
            Some(_) => format!("there is no {what} in {}", self.place(at)),
            None => format!("the row has no {what} in column {} of {}", at + 1, self.cells.len()),
        }
    }

    /// A text that is not blank.
    pub(super) fn text(&self, at: usize, what: &str) -> Result<&str, String> {
        let other =
            |found: &str| Err(format!("the {what} in {} is {found}, not a text", self.place(at)));
        match self.cells.get(at) {
            Some(Cell::Text(text)) if !text.trim().is_empty() => Ok(text.trim()),
            Some(Cell::Text(_) | Cell::Missing) | None => Err(self.none(at, what)),
            Some(Cell::File { .. } | Cell::Stored { .. }) => other("a file"),
            Some(Cell::List(_)) => other("a list"),
            Some(Cell::Other(found)) => other(found),
        }
    }

    fn sentence(&self, at: usize, what: &str) -> Result<String, String> {
        match self.cells.get(at) {
            // Some writers do not mark their texts as such.
            Some(Cell::File { name: None, bytes }) => {
                let text = encoding::decode(bytes);
                text.map(str::to_string).map_err(|e| format!("the {what}: {e}"))
            }
            _ => self.text(at, what).map(str::to_string),
        }
    }

    fn list(&self, at: usize) -> Option<Vec<String>> {
        match self.cells.get(at) {
            Some(Cell::List(labels)) => Some(labels.clone()),
            Some(Cell::Text(text)) => lists::read(text),
            _ => None,
        }
    }
}

/// The text in a row, the two of a pair, or its words.
pub(super) fn text(cells: &Cells<'_>, columns: &Columns, layout: &Layout) -> Result<Input, String> {
    if layout.task == Task::Tagging {
        return match cells.list(columns.input) {
            Some(words) if words.is_empty() => {
                Err(format!("the list of words in {} is empty", cells.place(columns.input)))
            }
            Some(words) => Ok(Input::Words(words)),
            None => {
                let text = cells.sentence(columns.input, "text")?;
                Ok(schemes::input(text, !columns.labels.is_empty()))
            }
        };
    }
    let text = cells.sentence(columns.input, "text")?;
    Ok(match columns.pair {
        None => Input::Text(text),
        Some(pair) => Input::Pair([text, cells.sentence(pair, "second text")?]),
    })
}

/// The target in a row, of the input that is in it.
pub(super) fn label(
    cells: &Cells<'_>,
    columns: &Columns,
    layout: &Layout,
    input: &Input,
) -> Result<RawTarget, String> {
    let blank = |at: usize| match cells.cells.get(at) {
        Some(Cell::Text(text)) => text.trim().is_empty(),
        Some(Cell::Missing) => true,
        // Where rows are lines, one that ends early is broken; where they are objects, it has no
        // such key.
        None => columns.most.is_none(),
        Some(_) => false,
    };
    Ok(match (layout.task, &columns.labels[..]) {
        (_, []) => RawTarget::Missing(String::new()),
        (Task::SingleLabel, &[at, ..]) => match cells.list(at) {
            Some(_) => {
                return Err(format!(
                    "the label in {} is a list, not a text; --task multi-label takes lists",
                    cells.place(at)
                ));
            }
            None if blank(at) || cells.cells.len() <= at => {
                RawTarget::Missing(cells.none(at, "label"))
            }
            None => RawTarget::of(cells.text(at, "label")?, layout),
        },
        (Task::Transcription, &[at, ..]) if blank(at) => RawTarget::Missing(cells.none(at, "text")),
        (Task::Transcription, &[at, ..]) => RawTarget::Text(cells.sentence(at, "text")?),
        (Task::Tagging, &[at, ..]) if blank(at) => {
            RawTarget::Missing(cells.none(at, "list of labels"))
        }
        (Task::Tagging, &[at, ..]) => {
            let labels = cells
                .list(at)
                .map_or_else(|| cells.text(at, "list of labels").map(schemes::split), Ok);
            schemes::labelled(input, labels?)?
        }
        (Task::MultiLabel, &[at]) => match cells.list(at) {
            Some(labels) => RawTarget::Labels(labels),
            _ if blank(at) => RawTarget::Labels(vec![]),
            _ => RawTarget::of(cells.text(at, "label")?, layout),
        },
        (_, labels) => {
            let what = layout.task.answer();
            let text = |&at: &usize| match blank(at) {
                true => Ok(String::new()),
                false => cells.text(at, what).map(str::to_string),
            };
            let cells = labels.iter().map(text).collect::<Result<_, String>>()?;
            RawTarget::Cells { columns: columns.label_names.clone(), cells }
        }
    })
}
