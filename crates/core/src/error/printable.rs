//! Text from elsewhere as it can be printed.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::path::Path;

/// Text from elsewhere as it can be printed: on one line, with nothing in it that steers a terminal,
/// turns the direction of writing or cannot be seen. Such characters are escaped as in Rust: `\n`,
/// `\x1b`, `\u{202e}`. Other text, of any language, stays as it is, and so does what was escaped
/// before.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(2 * text.len());
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '\n' | '\r' | '\t' => write!(shown, "{}", c.escape_default()),
            '\0'..='\x7f' if is_hidden(c) => write!(shown, "\\x{:02x}", u32::from(c)),
            c if is_hidden(c) => write!(shown, "{}", c.escape_unicode()),
            c => shown.write_char(c),
        };
    }
    shown.into()
}

/// Whether a character does something else than to be seen. The joiners that scripts and emoji are
/// written with, and selectors of their variants, are none of these.
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

/// A path, likewise.
pub(super) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// The first `most` of what is listed, each on a line of its own, and how many more there are.
pub(super) fn listed(items: &[impl fmt::Display], most: usize) -> String {
    let mut text = String::new();
    for item in items.iter().take(most) {
        text += &format!("\n  {}", printable(&item.to_string()));
    }
    if items.len() > most {
        text += &format!("\n  … and {} more", items.len() - most);
    }
    text
}
