//! The layout of a data set: how it is to be read.

use std::path::Path;

use regex::Regex;

use crate::task::Task;

/// What a modality's raw inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Files: a table names their paths, or holds what is in them.
    Files,
    /// Texts: a table holds them itself.
    Texts,
}

/// How to read a data set: what its samples are and where their labels are.
#[derive(Debug, Clone)]
pub struct Layout {
    /// What the inputs are.
    pub inputs: InputKind,
    /// The task.
    pub task: Task,
    /// What samples are called in messages, in the plural.
    pub samples: &'static str,
    /// Extensions of the files that are samples, in lower case, without the dot.
    pub extensions: &'static [&'static str],
    /// Finds the label in a file name: the capture group `label`, else the first one.
    pub label_pattern: Option<Regex>,
    /// Files whose names match are the test split.
    pub test_pattern: Option<Regex>,
    /// Finds the group (a speaker, say) in a file name: the capture group `group`, else the first
    /// one, else the whole match. A group is never split between training and held-out data.
    pub group_pattern: Option<Regex>,
    /// The table's column of inputs: a name of its header, or a number counted from 1.
    pub input_column: Option<String>,
    /// The table's column of second sentences, where a sample is a pair.
    pub pair_column: Option<String>,
    /// The table's column of labels. For several labels or for values it may be several, separated
    /// by commas: of labels, each has 0 or 1.
    pub label_column: Option<String>,
    /// The separator between two labels of one sample.
    pub label_separator: String,
    /// Labels that go by another name in a model, each with that name.
    pub label_map: Vec<(String, String)>,
    /// The table's column of groups; see [`group_pattern`](Self::group_pattern).
    pub group_column: Option<String>,
    /// The longest line of a table, and the longest of its records, in bytes. A longer one is an
    /// error, so that no file exhausts memory.
    pub longest_line: usize,
}

impl Layout {
    /// The layout for samples of these kinds, with everything else detected: see
    /// [`Modality::layout`](crate::modality::Modality::layout).
    pub fn new(
        inputs: InputKind,
        samples: &'static str,
        extensions: &'static [&'static str],
    ) -> Self {
        Self {
            inputs,
            task: Task::default(),
            samples,
            extensions,
            label_pattern: None,
            test_pattern: None,
            group_pattern: None,
            input_column: None,
            pair_column: None,
            label_column: None,
            label_separator: "|".into(),
            label_map: vec![],
            group_column: None,
            longest_line: 16 << 20,
        }
    }

    pub(super) fn is_sample(&self, path: &Path) -> bool {
        path.extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| self.extensions.contains(&e.to_ascii_lowercase().as_str()))
    }

    /// `.jpg, .jpeg or .png`, for messages.
    pub(super) fn endings(&self) -> String {
        let dotted: Vec<_> = self.extensions.iter().map(|e| format!(".{e}")).collect();
        match dotted.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => dotted.concat(),
        }
    }
}
