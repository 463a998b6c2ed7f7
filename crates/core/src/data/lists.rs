//! Lists in the cells of a table without lists: as JSON, Python or NumPy writes them.

/// The texts and numbers in `["a", "b"]`, `['a', 'b']` or `['a' 'b']`; `None` if a cell is no list.
pub(super) fn read(cell: &str) -> Option<Vec<String>> {
    if let Ok(items) = serde_json::from_str(cell) {
        return Some(items);
    }
    let inside = cell.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (mut items, mut rest) = (vec![], inside.trim());
    while !rest.is_empty() {
        let behind = match rest.chars().next()? {
            quote @ ('"' | '\'') => {
                let (item, behind) = quoted(&rest[1..], quote)?;
                items.push(item);
                behind
            }
            _ => {
                let end = rest.find([',', ' ', '\n']).unwrap_or(rest.len());
                let item = &rest[..end];
                // A word without quotes is no list's: `[UNK]`, `[sic]`.
                if item.parse::<f64>().is_err() && !TRUTH.contains(&item) {
                    return None;
                }
                items.push(item.to_string());
                &rest[end..]
            }
        };
        let trimmed = behind.trim_start();
        rest = match trimmed.strip_prefix(',') {
            Some(more) => more.trim_start(),
            // NumPy has spaces between items, and nothing else.
            None if trimmed.is_empty() || trimmed.len() < behind.len() => trimmed,
            None => return None,
        };
    }
    Some(items)
}

const TRUTH: [&str; 4] = ["true", "false", "True", "False"];

/// A text up to its closing quote, and what is behind that.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let (mut item, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                let escaped = letters.next()?.1;
                item.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'u' => {
                        let digits = text.get(at + 2..at + 6)?;
                        letters.by_ref().take(4).for_each(drop);
                        char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                    }
                    other => other,
                });
            }
            letter if letter == quote => return Some((item, &text[at + 1..])),
            letter => item.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_written() {
        for (cell, items) in [
            ("[\"a\", \"b c\"]", vec!["a", "b c"]),
            (" ['a', \"it's\", 'x\\'y'] ", vec!["a", "it's", "x'y"]),
            ("['a' 'b'\n 'c']", vec!["a", "b", "c"]),
            ("[1, 2.5, True]", vec!["1", "2.5", "True"]),
            ("[\"caf\\u00e9\", 'a\\\\b']", vec!["café", "a\\b"]),
            ("[\"\\ud83d\\ude00\", \"\\/\"]", vec!["😀", "/"]),
            ("['a',]", vec!["a"]),
            ("[]", vec![]),
        ] {
            assert_eq!(read(cell), Some(items.iter().map(|i| i.to_string()).collect()), "{cell}");
        }
        for cell in ["", "a", "[UNK]", "[a, b]", "['a'", "['a'b]", "['a]", "a, b", "[\"\\ud800\"]"]
        {
            assert_eq!(read(cell), None, "{cell}");
        }
    }
}
