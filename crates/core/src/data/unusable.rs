//! Samples that a data set names and does not have.

use std::fmt;

use crate::error::Location;

/// A sample that a data set names and that cannot be had: a row without a text, a file that is not
/// there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Where it is named.
    pub place: Location,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}
