//! A headless Chromium, for tests of pages: the report's, and the one that `serve` has.
#![deny(missing_docs)]

mod find;
mod page;

pub use find::find;
pub use page::{Page, Result};

/// An expression of JavaScript: the faults of the open page that no page may have, a list of texts.
/// What is wider than the page, text that does not stand out, what has no name for who cannot see.
pub const AUDIT: &str = include_str!("audit.js");
