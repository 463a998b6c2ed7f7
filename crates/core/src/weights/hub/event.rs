//! What a person is told while a model is fetched.

/// What happens while a model is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Another process fetches this file; this one waits for it.
    Waiting {
        /// Its path in the repository.
        file: &'a str,
    },
    /// A file has come this far. The first of these tells what an earlier attempt had left, the
    /// last that all is here. There are none of a file that the cache has.
    Bytes {
        /// Its path in the repository.
        file: &'a str,
        /// The bytes that are here.
        done: u64,
        /// The bytes that it has.
        size: u64,
    },
}
