//! The layout of a data set: how it is to be read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use regex::Regex;

use super::symbols::Symbols;
use super::table::TableFormat;
use crate::task::{LetterCase, Task};

/// So many bytes at most tell what a file is.
const START: u64 = 64;

/// How many samples of each class are read, and the seed that chooses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassLimit {
    /// At least 1.
    pub samples: usize,
    /// As [`Dataset::limit_per_class`](super::dataset::Dataset::limit_per_class) takes it.
    pub seed: u64,
}

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
    /// The table's column of texts that are spoken or written in the samples.
    pub text_column: Option<String>,
    /// How letters of such texts are written before they become symbols.
    pub letter_case: LetterCase,
    /// The symbols of such texts; `None`: those of the training split.
    pub symbols: Option<Symbols>,
    /// The separator between two labels of one sample.
    pub label_separator: String,
    /// Labels that go by another name in a model, each with that name.
    pub label_map: Vec<(String, String)>,
    /// The table's column of groups; see [`group_pattern`](Self::group_pattern).
    pub group_column: Option<String>,
    /// The format of tables, whatever they hold; `None`: it is told by that.
    pub format: Option<TableFormat>,
    /// How many training samples of each class are read at most; others take no memory.
    pub limit_per_class: Option<ClassLimit>,
    /// Whether what a data set names and does not have is left out instead of being an error.
    pub skip_bad: bool,
    /// Whether inputs to ask a model about are pairs of texts.
    pub pairs: bool,
    /// Whether a file that starts with these bytes holds a sample, whatever its name.
    pub recognises: fn(&[u8]) -> bool,
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
            text_column: None,
            letter_case: LetterCase::Kept,
            symbols: None,
            label_separator: "|".into(),
            label_map: vec![],
            group_column: None,
            format: None,
            limit_per_class: None,
            skip_bad: false,
            pairs: false,
            recognises: |_| false,
            longest_line: 16 << 20,
        }
    }

    /// Whether a file is a sample: by the ending of its name, else by what it starts with.
    pub(super) fn is_sample(&self, path: &Path) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        ending.is_some_and(|e| self.extensions.contains(&&*e)) || self.starts_as_sample(path)
    }

    fn starts_as_sample(&self, path: &Path) -> bool {
        let mut start = vec![];
        // Opening a pipe would wait for somebody to write into it.
        path.is_file()
            && File::open(path).and_then(|f| f.take(START).read_to_end(&mut start)).is_ok()
            && (self.recognises)(&start)
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
