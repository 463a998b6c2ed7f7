//! Data sets as people have them: folders per class, tables, labels in file names.

pub mod balance;
mod dataset;
mod duplicates;
pub mod encoding;
mod folder;
mod group;
mod manifest;
mod split;
mod table;
mod target;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use regex::Regex;

pub use dataset::{Dataset, evaluation};
pub use duplicates::{Duplicate, duplicates};
pub use target::Target;

use target::Words;

use crate::{Place, Task};

/// What a modality's raw inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Files: a table names their paths, or holds what is in them.
    Files,
    /// Texts: a table holds them itself.
    Texts,
}

/// How to read a data set: what its samples are and where their labels stand.
#[derive(Debug, Clone)]
pub struct Layout {
    /// What the inputs are.
    pub inputs: InputKind,
    /// What is asked of them.
    pub task: Task,
    /// What they are called in messages, in the plural.
    pub samples: &'static str,
    /// Endings of the files that are samples, in lower case, without the dot.
    pub extensions: &'static [&'static str],
    /// Finds the label in a file's name: its group `label`, or else its first group.
    pub label_pattern: Option<Regex>,
    /// Files whose names it matches are the test split.
    pub test_pattern: Option<Regex>,
    /// Finds in a file's name whose it is, a speaker's, say: its group `group`, else its first group,
    /// else all that it matches. What is one's stays on one side where samples are held out.
    pub group_pattern: Option<Regex>,
    /// The table's column of inputs: a name of its header, or a number counted from 1.
    pub input_column: Option<String>,
    /// The table's column of second sentences, where a sample is a pair.
    pub pair_column: Option<String>,
    /// The table's column of labels. For several labels or for values it may be several, with commas
    /// between: of labels, each has 0 or 1.
    pub label_column: Option<String>,
    /// What stands between two labels of one sample.
    pub label_separator: String,
    /// The table's column that tells whose a sample is; see [`group_pattern`](Self::group_pattern).
    pub group_column: Option<String>,
    /// The longest line of a table, and the longest of its records, in bytes. A longer one is an
    /// error, so that no file fills the memory.
    pub longest_line: usize,
}

impl Layout {
    /// The layout for samples of these kinds, everything else left to be found out: see
    /// [`Modality::layout`](crate::Modality::layout).
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
            group_column: None,
            longest_line: 16 << 20,
        }
    }

    fn is_sample(&self, path: &Path) -> bool {
        path.extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| self.extensions.contains(&e.to_ascii_lowercase().as_str()))
    }

    /// `.jpg, .jpeg or .png`, for messages.
    fn endings(&self) -> String {
        let dotted: Vec<_> = self.extensions.iter().map(|e| format!(".{e}")).collect();
        match dotted.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => dotted.concat(),
        }
    }
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// What to learn from.
    Train,
    /// What to choose by.
    Validation,
    /// What to report.
    Test,
}

impl Split {
    /// The split that a folder, a file stem or a table's cell names.
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "validation" | "valid" | "val" | "dev" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }

    /// The split that a table's file stem names, which may say what part of it: `train`,
    /// `train-00000-of-00002`.
    fn of_stem(stem: &str) -> Option<Self> {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let name = match stem.split_once('-') {
            Some((name, part)) => {
                part.split_once("-of-").filter(|(i, n)| number(i) && number(n)).map(|_| name)?
            }
            None => stem,
        };
        Self::named(name)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// An input as it was found, its target still in words.
#[derive(Debug)]
struct Found {
    input: Input,
    place: Place,
    label: Words,
    /// `None` where the data set has no splits of its own.
    split: Option<Split>,
    /// Whose it is, where it matters.
    group: Option<String>,
}

/// A raw input.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// A file of the modality.
    File(PathBuf),
    /// A file of the modality that a table holds.
    Bytes {
        /// What it was called; empty where the table does not tell. It says nothing of the format.
        name: String,
        /// All that is in it.
        bytes: Arc<[u8]>,
    },
    /// A text, as a table or a line of a file holds it.
    Text(String),
    /// Two texts that are asked about together.
    Pair([String; 2]),
}

/// Without the bytes of files.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes { name, bytes } => {
                f.debug_struct("Bytes").field("name", name).field("bytes", &bytes.len()).finish()
            }
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Pair(pair) => f.debug_tuple("Pair").field(pair).finish(),
        }
    }
}

/// An input with its target.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The raw input.
    pub input: Input,
    /// Where it was found.
    pub place: Place,
    /// What a model is to answer.
    pub target: Target,
    /// Whose it is: what is one's stays on one side where samples are held out.
    pub group: Option<String>,
}

impl Item {
    /// An input whose target is not known.
    pub fn new(input: Input, place: Place) -> Self {
        Self { input, place, target: Target::Unknown, group: None }
    }

    /// A file whose target is not known.
    pub fn file(path: &Path) -> Self {
        let place = Place { path: path.to_path_buf(), line: None };
        Self::new(Input::File(path.to_path_buf()), place)
    }

    /// A text whose target is not known.
    pub fn text(text: impl Into<String>, place: Place) -> Self {
        Self::new(Input::Text(text.into()), place)
    }
}
