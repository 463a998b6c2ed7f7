//! What can go wrong, each with the name of the thing and what to do about it.

use std::path::PathBuf;
use std::{fmt, io};

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of any crate, as it travels inside [`Error`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Every failure of this crate. The message is one line; [`std::error::Error::source`] keeps the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{path}: cannot {action}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `write`, `create`, …
        action: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A path that the caller named does not exist or is of the wrong sort.
    #[error("{path}: {problem}")]
    Path {
        /// The path as it was named.
        path: PathBuf,
        /// What is wrong with it and what to name instead.
        problem: String,
    },
    /// A setting has a value that cannot be used.
    #[error("{setting}: {problem}")]
    Setting {
        /// The setting, as a person writes it (`--freeze`).
        setting: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file exists but its contents are not what its name or place promises.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was wanted, what was found.
        problem: String,
    },
    /// No family of models is known that fits a checkpoint.
    #[error("{path}: {problem}")]
    Family {
        /// The checkpoint.
        path: PathBuf,
        /// What was looked at and which families are known.
        problem: String,
    },
    /// A parameter that the model needs is not in the checkpoint.
    #[error(
        "{path}: no tensor `{theirs}`, which {key_map} keeps for our `{ours}`{}",
        near.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default()
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
    #[error("{path}: `{theirs}` has shape {got:?}, but our `{ours}` wants {want:?}")]
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
    /// A tensor that is to be a parameter holds something else than finite numbers.
    #[error("{path}: `{name}` holds {found}, which no weight can be; {then}")]
    NotWeights {
        /// The checkpoint, or the file that was to be written.
        path: PathBuf,
        /// The tensor, by the name it has there.
        name: String,
        /// What it holds and where: `NaN at [0, 3]`, `integers (Int64)`.
        found: String,
        /// What to do about it.
        then: &'static str,
    },
    /// A key map has no rule for one of our parameters.
    #[error("the key map {key_map} has no name for our `{ours}`")]
    Unmapped {
        /// Our parameter.
        ours: String,
        /// The key map.
        key_map: &'static str,
    },
    /// A parameter was trained that a publisher's models do without.
    #[error("models of {key_map} have no place for our `{ours}`; export as TorchScript")]
    NotRepresentable {
        /// Our parameter.
        ours: String,
        /// The key map.
        key_map: &'static str,
    },
    /// Two parameters would get the same name.
    #[error("the parameter `{0}` is declared twice")]
    Duplicate(String),
    /// An embedder emits a form that the trunk does not accept.
    #[error("the embedder emits {emits}, but the trunk accepts {accepts}")]
    FeatureShape {
        /// What the embedder emits.
        emits: String,
        /// What the trunk accepts.
        accepts: String,
    },
    /// A data set cannot be used as it stands.
    #[error("{path}: {problem}")]
    Data {
        /// The folder or manifest.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// What a model makes of a sample is no number.
    #[error(
        "{place}: what the model makes of it is {found}, no number: its weights or this input are too \
         large to compute with; train with a lower --lr, or leave the input out"
    )]
    NoAnswer {
        /// The sample.
        place: Location,
        /// What came out: `NaN` or `infinity`.
        found: &'static str,
    },
    /// Samples that could not be read, all of them.
    #[error("{}", list_bad(.0))]
    BadSamples(Vec<BadSample>),
    /// The loss stopped being a number.
    #[error(
        "the loss is {loss} at step {step}: lower the learning rate (it was {lr:?}), or look for broken samples"
    )]
    Diverged {
        /// The step, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The learning rate of the new parameters.
        lr: f64,
    },
    /// What was trained stopped being numbers.
    #[error(
        "the training diverged, its `{name}` holds {found}: lower the learning rate (it was {lr:?}), or \
         look for broken samples"
    )]
    DivergedWeights {
        /// The first such parameter, in alphabetical order.
        name: String,
        /// What it holds and where: `NaN at [0, 3]`.
        found: String,
        /// The learning rate of the new parameters.
        lr: f64,
    },
    /// Parameters that should have stood still did not: a fault of this program.
    #[error("frozen parameters changed during training; please report this")]
    FrozenChanged,
    /// A model on a hub could not be had.
    #[error("{reference}: {problem}")]
    Hub {
        /// The model: `hf://org/name`.
        reference: String,
        /// What went wrong and what to do about it.
        problem: String,
        /// What the network or the server said.
        source: Option<BoxError>,
    },
    /// A modality's own failure outside of reading samples.
    #[error("{context}")]
    Modality {
        /// What was being done.
        context: String,
        /// What went wrong.
        source: BoxError,
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

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.iter().try_for_each(|line| write!(f, ":{line}"))
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
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let text = e.to_string();
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = e.source();
    }
    // Errors from C++ carry a stack trace behind their first line.
    line.lines().next().unwrap_or_default().to_string()
}

fn list_bad(bad: &[BadSample]) -> String {
    const SHOWN: usize = 20;
    let mut text = format!(
        "{} sample{} cannot be read (--skip-bad leaves {} out):",
        bad.len(),
        if bad.len() == 1 { "" } else { "s" },
        if bad.len() == 1 { "it" } else { "them" },
    );
    for b in bad.iter().take(SHOWN) {
        text += &format!("\n  {b}");
    }
    if bad.len() > SHOWN {
        text += &format!("\n  … and {} more", bad.len() - SHOWN);
    }
    text
}
