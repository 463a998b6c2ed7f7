//! A symbol of a decoded text.

/// A symbol of a decoded text, and its positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Emission {
    /// An index into the symbols.
    pub symbol: usize,
    /// The first position that it is heard at.
    pub start: usize,
    /// The position behind the last.
    pub end: usize,
    /// Its highest probability at those positions.
    pub probability: f64,
}
