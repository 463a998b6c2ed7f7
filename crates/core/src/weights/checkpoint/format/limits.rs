//! Limits that no checkpoint exceeds, so that no file exhausts memory; and quoting of names.

/// The most tensors that one file may name. The largest published checkpoints have some 10⁵.
pub(crate) const MOST_TENSORS: usize = 1 << 18;

/// The most dimensions that a tensor may have, libtorch's own bound.
pub(crate) const MOST_DIMENSIONS: usize = 64;

/// A name from a file, escaped and cut for a line of text.
pub(crate) fn quote(name: &str) -> String {
    const SHOWN: usize = 100;
    let cut: String = name.chars().take(SHOWN).collect();
    let dots = if cut.len() < name.len() { "…" } else { "" };
    format!("`{}{dots}`", cut.escape_debug())
}
