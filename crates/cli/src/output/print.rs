//! Printing: answers on stdout, everything else on stderr. Both can be terminals: what is printed
//! has no character that steers one.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use crosstune_core::{
    BadSample, Error, Result,
    data::Unusable,
    error::{is_hidden, printable},
};
use serde_json::{Value, json};

use super::format::{count, files, line};
use super::lines::{self, for_machines};
use crate::process;

/// How stdout is called in errors.
const STDOUT: &str = "stdout";

/// A line of progress: a name in a column of its own, then the text.
pub(crate) fn say(name: &str, text: impl Display) {
    match for_machines() {
        true => heard(&lines::prose(name, &text.to_string())),
        false => note(&line(name, text)),
    }
}

/// The same, which machines hear as an event with fields: an object.
pub(crate) fn tell(name: &str, text: impl Display, fields: &Value) {
    match for_machines() {
        true => event(name, fields),
        false => say(name, text),
    }
}

/// An event that machines alone hear.
pub(crate) fn event(name: &str, fields: &Value) {
    if for_machines() {
        heard(&lines::event(name, fields));
    }
}

/// A line of JSON on stderr, which may vanish.
fn heard(line: &str) {
    if speaks() {
        let _ = writeln!(io::stderr(), "{}", json(line));
    }
}

/// Which of the processes that train together this is; all but the first say nothing but errors.
static RANK: AtomicUsize = AtomicUsize::new(0);

/// Speaks as one of several processes from now on.
pub(crate) fn speak_as(rank: usize) {
    RANK.store(rank, Ordering::Relaxed);
}

/// Whether this process is heard.
pub(crate) fn speaks() -> bool {
    RANK.load(Ordering::Relaxed) == 0
}

/// What went wrong, from whichever process.
pub(crate) fn say_error(text: &str) {
    if for_machines() {
        let fields = json!({ "rank": RANK.load(Ordering::Relaxed), "text": text });
        let _ = writeln!(io::stderr(), "{}", json(&lines::event("error", &fields)));
        return;
    }
    let line = match RANK.load(Ordering::Relaxed) {
        0 => format!("error: {text}"),
        rank => format!("error: rank {rank}: {text}"),
    };
    let _ = writeln!(io::stderr(), "{}", shown(&line));
}

/// Lines on stderr. They may vanish: no training ends because nobody listens.
pub(crate) fn note(text: &str) {
    if for_machines() {
        return heard(&lines::prose("", text));
    }
    if !speaks() {
        return;
    }
    let _ = writeln!(io::stderr(), "{}", shown(text));
}

/// Names files that are no samples, by their extensions.
pub(crate) fn say_ignored(ignored: &[(String, usize)], samples: &str) {
    for (ending, n) in ignored {
        say("ignored", format!("{}, which are not {samples}", files(ending, *n)));
    }
}

/// What was left out: rows of tables and files that are not there, and what could not be read.
pub(crate) fn skipped(unusable: &[Unusable], bad: &[BadSample]) -> Vec<String> {
    unusable.iter().map(ToString::to_string).chain(bad.iter().map(ToString::to_string)).collect()
}

/// Names what was left out; of much, the first.
pub(crate) fn say_skipped(skipped: &[String], samples: &str) {
    const SHOWN: usize = 20;
    if skipped.is_empty() {
        return;
    }
    say("skipped", format!("{} {samples} that cannot be used:", count(skipped.len())));
    skipped.iter().take(SHOWN).for_each(|one| note(&format!("  {one}")));
    if skipped.len() > SHOWN {
        note(&format!("  … and {} more", count(skipped.len() - SHOWN)));
    }
}

/// An answer.
///
/// # Errors
/// If it cannot be written, wholly.
pub(crate) fn print(text: &str) -> Result<()> {
    printed(io::stdout().write_all(shown(text).as_bytes()))
}

/// An answer for programs.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json(value: &Value) -> Result<()> {
    print(&(json(&format!("{value:#}")) + "\n"))
}

/// What became of an answer that was written to stdout.
///
/// # Errors
/// If it did not arrive.
pub(crate) fn printed(written: io::Result<()>) -> Result<()> {
    let arrived = match process::began_without_stdout() {
        true => Err(io::Error::other("it is closed")),
        false => written.and_then(|()| io::stdout().flush()),
    };
    arrived.map_err(Error::io(STDOUT, "write"))
}

/// Whether an error says that the reader of stdout has gone, as `head` does: nobody need be told.
pub(crate) fn is_reader_gone(error: &Error) -> bool {
    matches!(error, Error::Io { path, source, .. }
        if path == Path::new(STDOUT) && source.kind() == io::ErrorKind::BrokenPipe)
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
fn shown(text: &str) -> Cow<'_, str> {
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
        assert_eq!(shown("a\tb\n\nc"), "a\tb\n\nc");
        assert_eq!(shown("\x1b[2J\ta\r\n\u{9b}c"), "\\x1b[2J\ta\\r\n\\u{9b}c");
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
