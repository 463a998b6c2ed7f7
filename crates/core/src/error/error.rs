//! Every failure of this crate.

use std::io;
use std::path::PathBuf;

use super::cause::BoxError;
use super::location::{BadSample, Location, list_bad};
use super::printable::{listed, printable, shown};

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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
    /// What was made could not come to its destination, and is kept elsewhere.
    #[error(
        "{}: {}; the result is whole, in {}: use it there, or move it",
        shown(path),
        printable(problem),
        shown(kept)
    )]
    Kept {
        /// The destination.
        path: PathBuf,
        /// Why it is not there.
        problem: String,
        /// Where it is.
        kept: PathBuf,
    },
    /// What was made could be written nowhere.
    #[error(
        "{}: {}; nor could the result be written to {}: it is lost",
        shown(path),
        printable(problem),
        printable(tried)
    )]
    Unsaved {
        /// The destination.
        path: PathBuf,
        /// Why it is not there.
        problem: String,
        /// The other folders that were tried.
        tried: String,
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
    /// A tensor that is to be a parameter holds something else than finite numbers.
    #[error(
        "{}: `{}` holds {}, which no weight can be; {then}",
        shown(path),
        printable(name),
        printable(found)
    )]
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
        "the training diverged, its `{}` holds {}: lower the learning rate (it was {lr:?}), or look for \
         broken samples",
        printable(name),
        printable(found)
    )]
    DivergedWeights {
        /// The first such parameter, in alphabetical order.
        name: String,
        /// What it holds and where: `NaN at [0, 3]`.
        found: String,
        /// The learning rate of the new parameters.
        lr: f64,
    },
    /// A training was asked to end, and did so with a checkpoint.
    #[error("the training was stopped; {} is what it goes on from", shown(checkpoint))]
    Interrupted {
        /// The checkpoint's folder.
        checkpoint: PathBuf,
    },
    /// Parameters that should have stood still did not: a fault of this program.
    #[error("frozen parameters changed during training; please report this")]
    FrozenChanged,
    /// Another of the processes that train together has gone.
    #[error("{}", printable(problem))]
    PeerLost {
        /// Which one, where that is known, and why.
        problem: String,
    },
    /// Processes that train together could not go on together.
    #[error("{}", printable(problem))]
    Distributed {
        /// What went wrong, and in which process.
        problem: String,
    },
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
