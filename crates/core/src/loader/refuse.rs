//! What becomes of samples that cannot be read.

use crate::error::{BadSample, Error, Result};

/// Those samples that could not be read, where they are to be skipped and others are left; else an
/// error that names them all.
///
/// # Errors
/// [`Error::BadSamples`].
pub fn refuse_bad(
    bad: Vec<BadSample>,
    skip_bad: bool,
    others_left: bool,
) -> Result<Vec<BadSample>> {
    match bad.is_empty() || (skip_bad && others_left) {
        true => Ok(bad),
        false => Err(Error::BadSamples(bad)),
    }
}
