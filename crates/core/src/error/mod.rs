//! What can go wrong, each with the name of the thing and what to do about it.
//!
//! Names, labels and texts come from elsewhere and end on a terminal: what could steer it, forge a
//! line or hide is [escaped](printable).

mod printable;
mod cause;
mod location;
mod error;

#[cfg(test)]
mod tests;

pub use cause::{BoxError, one_line, out_of_memory};
pub use error::{Error, Result};
pub use location::{BadSample, Location};
pub use printable::{is_hidden, printable};
