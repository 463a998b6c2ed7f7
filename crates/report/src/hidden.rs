//! Characters that are not seen but do something. This crate knows nothing of `crosstune-core`, which
//! has the same list; a test of the command line compares them.

/// Whether a character steers a terminal, breaks lines, turns the direction of writing or cannot be
/// seen. The joiners that scripts and emoji are written with, and selectors of their variants, are
/// none of these.
pub fn is_hidden(c: char) -> bool {
    // C0, DEL and C1.
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // Separators of lines and paragraphs; embeddings and overrides of direction.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators; isolates.
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            // Tags.
            | '\u{e0000}'..='\u{e007f}'
        )
}

/// A name on one line, with nothing hidden in it.
pub(crate) fn visible(name: &str) -> String {
    name.replace(is_hidden, "\u{FFFD}")
}
