//! Printing: results on stdout, everything else on stderr. Both can be terminals: what is printed
//! has no character that steers one.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, Write},
};

use crosstune_core::error::{is_hidden, printable};

use super::format::line;

/// A line of progress: a name in a column of its own, then the text.
pub(crate) fn say(name: &str, text: impl Display) {
    note(&line(name, text));
}

/// Lines on stderr.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", lines(text));
}

/// A result. A reader may close the pipe early.
pub(crate) fn print(text: &str) {
    let _ = io::stdout().write_all(lines(text).as_bytes());
}

/// A result for programs.
pub(crate) fn print_json(value: &serde_json::Value) {
    print(&(json(&format!("{value:#}")) + "\n"));
}

/// The text of a JSON value with all that is hidden as JSON escapes it: it is the same value. JSON
/// itself wants that of the characters below 32 alone.
pub(crate) fn json(text: &str) -> String {
    let mut units = [0; 2];
    let escape = |c: char| -> String {
        if c == '\n' || !is_hidden(c) {
            return c.into();
        }
        c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    text.chars().map(escape).collect()
}

/// Lines of columns as they can be printed. Whoever puts a text from elsewhere into one has made it
/// [`printable`]; here is what nobody gets past.
fn lines(text: &str) -> Cow<'_, str> {
    let layout = |c| matches!(c, '\n' | '\t');
    if !text.contains(|c| is_hidden(c) && !layout(c)) {
        return text.into();
    }
    let parts = text.split_inclusive(layout).map(|part| match part.strip_suffix(layout) {
        Some(rest) => printable(rest).into_owned() + &part[rest.len()..],
        None => printable(part).into_owned(),
    });
    parts.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_stays_and_what_steers_is_escaped() {
        assert_eq!(lines("a\tb\n\nc"), "a\tb\n\nc");
        assert_eq!(lines("\x1b[2J\ta\r\n\u{9b}c"), "\\x1b[2J\ta\\r\n\\u{9b}c");
    }

    #[test]
    fn json_is_the_same_value() {
        let value = serde_json::json!({"\u{9b}[2J": ["\x1b\u{202e}\u{e0041}\n", "é😀"]});
        let text = json(&format!("{value:#}"));
        assert!(!text.replace('\n', "").contains(is_hidden) && text.contains("é😀"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    /// The report knows nothing of core, and so has the list for itself.
    #[test]
    fn core_and_report_hide_the_same() {
        let differ = |&c: &char| is_hidden(c) != crosstune_report::is_hidden(c);
        assert_eq!(('\0'..=char::MAX).find(differ), None);
    }
}
