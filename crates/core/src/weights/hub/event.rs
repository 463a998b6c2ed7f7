//! Progress events of a download.

/// A progress event of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Another process is fetching this file; this one waits for it.
    Waiting {
        /// Its path in the repository.
        file: &'a str,
    },
    /// The progress of a file. The first event tells what an earlier attempt had left, the last
    /// that the file is complete. There are none for a file in the cache.
    Bytes {
        /// Its path in the repository.
        file: &'a str,
        /// The bytes that have been fetched.
        done: u64,
        /// The file's size in bytes.
        size: u64,
    },
}
