//! What can go wrong.

use std::{io, path::PathBuf};

use crate::hidden::visible;

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every failure of this crate, as one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}", visible(&path.to_string_lossy()))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `write`, `create`, …
        action: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file is not a comparison or a report.
    #[error("{}: {}", visible(&path.to_string_lossy()), visible(problem))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was wanted, what was found.
        problem: String,
    },
    /// A comparison's parts do not fit each other.
    #[error("{}: {}", visible(place), visible(problem))]
    Invalid {
        /// Where: `resnet56 → fsdd, transfer, run 3`.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn io(
        path: impl Into<PathBuf>,
        action: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }
}
