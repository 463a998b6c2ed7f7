//! What a text must have or must not have, line by line.

use super::fault::Fault;
use super::source::is_test;

/// The most lines that a source file may have.
const MOST_LINES: usize = 400;

/// A breach: the line and what is wrong there.
type Line = (usize, String);

/// What is wrong with the lines of a file, by its name from the workspace's root.
pub(super) fn faults(name: &str, text: &str) -> Vec<Fault> {
    let mut found = machine_paths(text);
    if name.ends_with(".rs") {
        found.extend(shape(text));
        let below_src = name.strip_prefix("crates/").and_then(|name| name.split_once("/src/"));
        if let Some((of, below)) = below_src.filter(|(_, below)| !is_test(below)) {
            found.extend(panics(text));
            // A binary may, and the crate that only binaries use; a library says what failed.
            let binary = ["main.rs", "cli.rs"].contains(&below) || below.starts_with("cli/");
            if !binary && of != "cli" {
                found.extend(mentions(text, "anyhow::", "a library has errors of its own"));
            }
        }
    }
    found.into_iter().map(|(line, what)| Fault::new(name, line, what)).collect()
}

/// A source file says what it is, and is not long.
fn shape(text: &str) -> Vec<Line> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push((1, "begin with a `//!` header that says what the file is".to_owned()));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        faults.push((lines, format!("{lines} lines: {MOST_LINES} are the most, so split it")));
    }
    faults
}

/// Code outside tests returns its errors.
fn panics(text: &str) -> Vec<Line> {
    let why = "return an error instead";
    [".unwrap()", "panic!(", "todo!("].iter().flat_map(|word| mentions(text, word, why)).collect()
}

/// The lines of code, comments and tests left out, that have `word`.
fn mentions(text: &str, word: &str, why: &str) -> Vec<Line> {
    // A file's tests are its last module.
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let lines = code.lines().enumerate();
    let lines =
        lines.filter(|(_, line)| !line.trim_start().starts_with("//") && line.contains(word));
    lines.map(|(index, _)| (index + 1, format!("`{word}`: {why}"))).collect()
}

/// No text names a place of one machine.
fn machine_paths(text: &str) -> Vec<Line> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for top in ["home", "root", "Users", "work", "mnt"] {
            // Only where a path begins: in the middle of one, or of an address, it is another thing.
            let here = format!("/{top}/");
            let starts = line.match_indices(&here).map(|(at, _)| line[..at].chars().next_back());
            let mut starts = starts.map(|before| {
                before
                    .is_none_or(|c| !c.is_alphanumeric() && !['.', '/', '}', '~', '*'].contains(&c))
            });
            if starts.any(|start| start) {
                faults.push((index + 1, format!("`{here}` is a path of one machine")));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_wanted_and_length_is_bounded() {
        assert!(shape("//! A file.\nfn main() {}\n").is_empty());
        assert_eq!(shape("fn main() {}\n").len(), 1);
        assert_eq!(shape(&"//! Long.\n".repeat(MOST_LINES + 1)).len(), 1);
    }

    #[test]
    fn panics_count_in_code_but_not_in_comments_or_tests() {
        let text = "a.unwrap();\n// b.unwrap()\n#[cfg(test)]\nmod tests {\nc.unwrap();\n}\n";
        let lines: Vec<usize> = panics(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1]);
    }

    #[test]
    fn a_path_of_one_machine_is_found_where_it_begins() {
        let home = format!("/{}/me/x", "home");
        assert_eq!(machine_paths(&format!("see {home}")).len(), 1);
        assert_eq!(machine_paths(&format!("open(\"{home}\")")).len(), 1);
        assert!(machine_paths(&format!("https://example.org{home}")).is_empty());
    }
}
