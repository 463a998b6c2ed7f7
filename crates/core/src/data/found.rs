//! Inputs as they were found, with their raw targets.

use std::sync::Arc;

use super::item::{Input, Split};
use super::layout::Layout;
use crate::error::Location;
use crate::task::Task;

/// An input as it was found, with its raw target.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) input: Input,
    pub(super) place: Location,
    pub(super) label: RawTarget,
    /// `None` where the data set has no splits of its own.
    pub(super) split: Option<Split>,
    /// Its group, where there are groups.
    pub(super) group: Option<String>,
}

/// A target as it was found.
#[derive(Debug, Clone)]
pub(super) enum RawTarget {
    /// The names of the labels that apply.
    Labels(Vec<String>),
    /// The cells of columns of which each is a label or a value.
    Cells {
        /// The names of the columns.
        columns: Arc<[String]>,
        /// As many as there are columns; blank where there is nothing.
        cells: Vec<String>,
    },
    /// A text.
    Text(String),
    /// The label of each word.
    Tags(Vec<String>),
    /// None, and what to say where one is needed.
    Missing(String),
}

impl Found {
    /// Whether it is in the training split, as everything is where there are no splits.
    pub(super) fn is_for_training(&self) -> bool {
        matches!(self.split, None | Some(Split::Train))
    }
}

impl RawTarget {
    /// Its labels, or the names of its values.
    pub(super) fn labels(&self) -> &[String] {
        match self {
            Self::Labels(names) | Self::Tags(names) => names,
            Self::Cells { columns, .. } => columns,
            Self::Text(_) | Self::Missing(_) => &[],
        }
    }

    /// Whether it is this label alone.
    pub(super) fn names(&self, label: &str) -> bool {
        matches!(self, Self::Labels(names) if matches!(&names[..], [name] if name == label))
    }

    /// The target in a folder's name, a part of a file's name or one cell.
    pub(super) fn of(text: &str, layout: &Layout) -> Self {
        match layout.task {
            Task::SingleLabel => Self::Labels(vec![text.into()]),
            Task::MultiLabel => {
                let parts = text.split(&layout.label_separator).map(str::trim);
                Self::Labels(parts.filter(|part| !part.is_empty()).map(str::to_string).collect())
            }
            Task::Transcription => Self::Text(text.into()),
            Task::Tagging => Self::Missing("a sample needs a label for every word".into()),
            Task::Regression => {
                Self::Cells { columns: Arc::new(["value".into()]), cells: vec![text.into()] }
            }
        }
    }
}
