//! What can go wrong, each with the name of the thing and what to do about it.
//!
//! Names, labels and texts come from elsewhere and end on a terminal: what could steer it, forge a
//! line or hide is [escaped](printable).

use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of any crate, as it travels inside [`Error`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Every failure of this crate. The message is one line, lists aside, and is [`printable`];
/// [`std::error::Error::source`] keeps the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}", shown(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `write`, `create`, …
        action: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A path that the caller named does not exist or is of the wrong sort.
    #[error("{}: {}", shown(path), printable(problem))]
    Path {
        /// The path as it was named.
        path: PathBuf,
        /// What is wrong with it and what to name instead.
        problem: String,
    },
    /// A setting has a value that cannot be used.
    #[error("{setting}: {}", printable(problem))]
    Setting {
        /// The setting, as a person writes it (`--freeze`).
        setting: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file exists but its contents are not what its name or place promises.
    #[error("{}: {}", shown(path), printable(problem))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was wanted, what was found.
        problem: String,
    },
    /// No family of models is known that fits a checkpoint.
    #[error("{}: {}", shown(path), printable(problem))]
    Family {
        /// The checkpoint.
        path: PathBuf,
        /// What was looked at and which families are known.
        problem: String,
    },
    /// A parameter that the model needs is not in the checkpoint.
    #[error(
        "{}: no tensor `{}`, which {key_map} keeps for our `{}`{}",
        shown(path), printable(theirs), printable(ours),
        near.as_ref().map(|n| format!(" (did you mean `{}`?)", printable(n))).unwrap_or_default()
    )]
    Missing {
        /// Our parameter.
        ours: String,
        /// The publisher's name for it.
        theirs: String,
        /// The key map that translated it.
        key_map: &'static str,
        /// The checkpoint.
        path: PathBuf,
        /// The nearest name that the checkpoint does have.
        near: Option<String>,
    },
    /// A tensor in the checkpoint has another shape than the model needs.
    #[error(
        "{}: `{}` has shape {got:?}, but our `{}` wants {want:?}",
        shown(path),
        printable(theirs),
        printable(ours)
    )]
    Shape {
        /// Our parameter.
        ours: String,
        /// The publisher's name for it.
        theirs: String,
        /// The checkpoint.
        path: PathBuf,
        /// The shape the model needs.
        want: Vec<i64>,
        /// The shape that is stored.
        got: Vec<i64>,
    },
    /// A key map has no rule for one of our parameters.
    #[error("the key map {key_map} has no name for our `{}`", printable(ours))]
    Unmapped {
        /// Our parameter.
        ours: String,
        /// The key map.
        key_map: &'static str,
    },
    /// A parameter was trained that a publisher's models do without.
    #[error(
        "models of {key_map} have no place for our `{}`; export as TorchScript",
        printable(ours)
    )]
    NotRepresentable {
        /// Our parameter.
        ours: String,
        /// The key map.
        key_map: &'static str,
    },
    /// Two parameters would get the same name.
    #[error("the parameter `{}` is declared twice", printable(.0))]
    Duplicate(String),
    /// An embedder emits a form that the trunk does not accept.
    #[error(
        "the embedder emits {}, but the trunk accepts {}",
        printable(emits),
        printable(accepts)
    )]
    FeatureShape {
        /// What the embedder emits.
        emits: String,
        /// What the trunk accepts.
        accepts: String,
    },
    /// A data set cannot be used as it stands.
    #[error("{}: {}", shown(path), printable(problem))]
    Data {
        /// The folder or manifest.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A data set cannot be used, for several reasons: a line each.
    #[error("{}: {}:{}", shown(path), printable(problem), listed(items, 10))]
    DataList {
        /// The folder or manifest.
        path: PathBuf,
        /// What they have in common and what to do.
        problem: String,
        /// The reasons, each with its place. The message has the first ten.
        items: Vec<String>,
    },
    /// Samples that could not be read, all of them.
    #[error("{}", list_bad(.0))]
    BadSamples(Vec<BadSample>),
    /// The loss stopped being a number.
    #[error(
        "the loss is {loss} at step {step}: lower the learning rate (it was {lr}), or look for broken samples"
    )]
    Diverged {
        /// The step, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The learning rate of the new parameters.
        lr: f64,
    },
    /// Parameters that should have stood still did not: a fault of this program.
    #[error("frozen parameters changed during training; please report this")]
    FrozenChanged,
    /// A model on a hub could not be had.
    #[error("{}: {}", printable(reference), printable(problem))]
    Hub {
        /// The model: `hf://org/name`.
        reference: String,
        /// What went wrong and what to do about it.
        problem: String,
        /// What the network or the server said.
        source: Option<BoxError>,
    },
    /// A modality's own failure outside of reading samples.
    #[error("{}", printable(context))]
    Modality {
        /// What was being done.
        context: String,
        /// What went wrong.
        source: BoxError,
    },
    /// There is not enough memory.
    #[error(
        "{} needs {needed} of memory, but {left} are left: choose smaller dimensions",
        printable(what)
    )]
    Memory {
        /// What is to be built.
        what: String,
        /// What it takes, at the least, with the unit.
        needed: String,
        /// What is left, with the unit.
        left: String,
    },
    /// libtorch refused an operation.
    #[error("libtorch")]
    Torch(#[from] tch::TchError),
}

impl Error {
    /// Whether the caller asked for something impossible, as opposed to a failure on the way.
    /// The binaries exit with 2 for the first and 1 for the second.
    pub fn is_usage_error(&self) -> bool {
        matches!(self, Self::Path { .. } | Self::Setting { .. })
    }

    /// A setting, as a person writes it, has a value that cannot be used.
    pub fn setting(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting { setting, problem: problem.into() }
    }

    /// For `map_err` on file operations.
    pub fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }
}

/// Where an input was found, for messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, or the table.
    pub path: PathBuf,
    /// The line of a table, or the row of one that has no lines, counted from 1.
    pub line: Option<u64>,
}

impl Location {
    /// The place for programs, with the path as it is; printed, it is [`printable`].
    pub fn verbatim(&self) -> String {
        let line = self.line.map(|line| format!(":{line}"));
        self.path.display().to_string() + &line.unwrap_or_default()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.verbatim()))
    }
}

/// A sample that could not be read.
#[derive(Debug)]
pub struct BadSample {
    /// Where it was found.
    pub place: Location,
    /// What is wrong with it.
    pub cause: BoxError,
}

impl fmt::Display for BadSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, one_line(self.cause.as_ref()))
    }
}

/// An error and all its causes as one line.
pub fn one_line(error: &dyn std::error::Error) -> String {
    // Errors from C++ carry a stack trace behind their first line.
    let said = |e: &dyn std::error::Error| {
        let text = e.to_string();
        if let Some(said) = out_of_memory(&text) {
            return said;
        }
        printable(text.lines().next().unwrap_or_default()).into_owned()
    };
    let mut line = said(error);
    let mut cause = error.source();
    while let Some(e) = cause {
        let text = said(e);
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = e.source();
    }
    line
}

/// What to say if a text is libtorch's way to say that it could not get memory: on the CPU, on a GPU,
/// or for its own use. `None`: it is not.
pub fn out_of_memory(text: &str) -> Option<String> {
    let marks =
        ["DefaultCPUAllocator: can't allocate memory", "CUDA out of memory", "std::bad_alloc"];
    let at = marks.iter().find_map(|mark| text.find(mark))?;
    // `you tried to allocate 400 bytes`, `Tried to allocate 4.00 GiB`.
    let asked = text[at..].split_once("ried to allocate ").map(|(_, rest)| {
        let words: Vec<_> = rest.split_whitespace().take(2).collect();
        format!(" ({} more were asked for)", words.join(" ").trim_end_matches('.'))
    });
    Some(format!(
        "out of memory{}: a smaller --batch-size, smaller inputs or a smaller model need less",
        asked.unwrap_or_default()
    ))
}

fn list_bad(bad: &[BadSample]) -> String {
    format!(
        "{} sample{} cannot be read (--skip-bad leaves {} out):{}",
        bad.len(),
        if bad.len() == 1 { "" } else { "s" },
        if bad.len() == 1 { "it" } else { "them" },
        listed(bad, 20),
    )
}

/// The first `most` of what is listed, each on a line of its own, and how many more there are.
fn listed(items: &[impl fmt::Display], most: usize) -> String {
    let mut text = String::new();
    for item in items.iter().take(most) {
        text += &format!("\n  {}", printable(&item.to_string()));
    }
    if items.len() > most {
        text += &format!("\n  … and {} more", items.len() - most);
    }
    text
}

/// Text from elsewhere as it can be printed: on one line, with nothing in it that steers a terminal,
/// turns the direction of writing or cannot be seen. Such characters are escaped as in Rust: `\n`,
/// `\x1b`, `\u{202e}`. Other text, of any language, stays as it is, and so does what was escaped
/// before.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(2 * text.len());
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '\n' | '\r' | '\t' => write!(shown, "{}", c.escape_default()),
            '\0'..='\x7f' if is_hidden(c) => write!(shown, "\\x{:02x}", u32::from(c)),
            c if is_hidden(c) => write!(shown, "{}", c.escape_unicode()),
            c => shown.write_char(c),
        };
    }
    shown.into()
}

/// Whether a character does something else than to be seen. The joiners that scripts and emoji are
/// written with, and selectors of their variants, are none of these.
pub fn is_hidden(c: char) -> bool {
    // C0, DEL and C1.
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // Separators of lines and paragraphs; embeddings and overrides of direction.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators; isolates.
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            // Tags.
            | '\u{e0000}'..='\u{e007f}'
        )
}

/// A path, likewise.
fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests;
