//! What a library's panic on a damaged file becomes.

use std::panic;
use std::panic::AssertUnwindSafe;

use super::row::Fault;

/// Turns panics of the library on damaged files into errors.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Fault::new(None, "not a Parquet file that can be read (damaged); write it anew"))
    })
}
