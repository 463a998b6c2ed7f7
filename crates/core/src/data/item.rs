//! Inputs with their targets, and splits.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use super::stored::{Contents, Stored, Unreadable};
use crate::error::Location;
use crate::task::Target;

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// To train on.
    Train,
    /// To choose by.
    Validation,
    /// To report.
    Test,
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

/// A raw input.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// A file of the modality.
    File(PathBuf),
    /// The contents of such a file, from a table.
    Bytes {
        /// Its name; empty where the table has none. It says nothing about the format.
        name: String,
        /// Its contents.
        bytes: Arc<[u8]>,
    },
    /// A text, as a table or a line of a file holds it.
    Text(String),
    /// Two texts that are classified together.
    Pair([String; 2]),
    /// The words of a text, each of which is labelled.
    Words(Vec<String>),
    /// What lies within a larger file and is read when it is needed: see [`loaded`](Self::loaded).
    Stored(Stored),
}

impl Input {
    /// The input itself, which is no [`Input::Stored`].
    ///
    /// # Errors
    /// If what lies within a larger file cannot be read.
    pub fn loaded(&self) -> Result<Cow<'_, Self>, Unreadable> {
        let Self::Stored(stored) = self else { return Ok(Cow::Borrowed(self)) };
        Ok(Cow::Owned(match stored.read()? {
            Contents::File(bytes) => {
                Self::Bytes { name: stored.name().unwrap_or_default().into(), bytes }
            }
            Contents::Text(text) => Self::Text(text),
        }))
    }

    /// The texts of an input, those of a file not: one, two of a pair, and words as one. One that cannot
    /// be loaded has none.
    pub fn texts(&self) -> Cow<'_, [String]> {
        match self {
            Self::Text(text) => slice::from_ref(text).into(),
            Self::Pair(pair) => pair.into(),
            Self::Words(words) => vec![words.join(" ")].into(),
            Self::File(_) | Self::Bytes { .. } => vec![].into(),
            Self::Stored(_) => match self.loaded() {
                Ok(loaded) => loaded.texts().into_owned().into(),
                Err(_) => vec![].into(),
            },
        }
    }

    /// A part of a file in which it is best read after those before it; `None`: it is by itself.
    pub(crate) fn stretch(&self) -> Option<[usize; 2]> {
        match self {
            Self::Stored(stored) => stored.stretch(),
            _ => None,
        }
    }
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
            Self::Words(words) => f.debug_tuple("Words").field(words).finish(),
            Self::Stored(stored) => stored.fmt(f),
        }
    }
}

/// An input with its target.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The raw input.
    pub input: Input,
    /// Where it was found.
    pub place: Location,
    /// What a model is to predict.
    pub target: Target,
    /// Its group (a speaker, say): a group is never split between training and held-out data.
    pub group: Option<String>,
}

impl Item {
    /// An input whose target is not known.
    pub fn new(input: Input, place: Location) -> Self {
        Self { input, place, target: Target::Unknown, group: None }
    }

    /// A file whose target is not known.
    pub fn file(path: &Path) -> Self {
        let place = Location { path: path.into(), line: None };
        Self::new(Input::File(path.to_path_buf()), place)
    }

    /// A text whose target is not known.
    pub fn text(text: impl Into<String>, place: Location) -> Self {
        Self::new(Input::Text(text.into()), place)
    }
}
