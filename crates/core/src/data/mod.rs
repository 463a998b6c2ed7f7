//! Data sets as people have them: folders per class, manifests, labels in file names.

mod dataset;
mod folder;
mod manifest;
mod split;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use regex::Regex;

pub use dataset::{Dataset, evaluation};

/// What a modality's raw inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Files: a table names their paths.
    Files,
    /// Texts: a table holds them itself.
    Texts,
}

/// How to read a data set: what its samples are and where their labels stand.
#[derive(Debug, Clone)]
pub struct Layout {
    /// What the inputs are.
    pub inputs: InputKind,
    /// What they are called in messages, in the plural.
    pub samples: &'static str,
    /// Endings of the files that are samples, in lower case, without the dot.
    pub extensions: &'static [&'static str],
    /// Finds the label in a file's name: its group `label`, or else its first group.
    pub label_pattern: Option<Regex>,
    /// Files whose names it matches are the test split.
    pub test_pattern: Option<Regex>,
    /// The table's column of inputs: a name of its header, or a number counted from 1.
    pub input_column: Option<String>,
    /// The table's column of labels.
    pub label_column: Option<String>,
}

impl Layout {
    /// The layout for a modality's samples, everything else left to be found out.
    pub fn of<M: crate::Modality>() -> Self {
        Self {
            inputs: M::INPUTS,
            samples: M::SAMPLES,
            extensions: M::EXTENSIONS,
            label_pattern: None,
            test_pattern: None,
            input_column: None,
            label_column: None,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    Train,
    Validation,
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
}

/// An input as it was found, its label still a word.
#[derive(Debug)]
struct Found {
    input: Input,
    place: Place,
    label: String,
    /// `None` where the data set has no splits of its own.
    split: Option<Split>,
}

/// A raw input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file of the modality.
    File(PathBuf),
    /// A text, as a table or a line of a file holds it.
    Text(String),
}

/// Where an input was found, for messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, or the table.
    pub path: PathBuf,
    /// The line of a table, counted from 1.
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.iter().try_for_each(|line| write!(f, ":{line}"))
    }
}

/// An input with its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The raw input.
    pub input: Input,
    /// Where it was found.
    pub place: Place,
    /// The class, an index into the data set's labels; 0 where no class is known.
    pub label: usize,
}

impl Item {
    /// A file whose class is not known.
    pub fn file(path: &Path) -> Self {
        Self {
            input: Input::File(path.to_path_buf()),
            place: Place { path: path.to_path_buf(), line: None },
            label: 0,
        }
    }

    /// A text whose class is not known.
    pub fn text(text: impl Into<String>, place: Place) -> Self {
        Self { input: Input::Text(text.into()), place, label: 0 }
    }
}
