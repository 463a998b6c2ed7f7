//! The ARPA form of n-gram models, as SRILM, KenLM and others write it.

use std::io::{BufRead, Read};
use std::path::Path;

use super::ngrams::Ngrams;
use crate::error::{Error, Result};

/// The most n-grams, of all lengths together.
const MOST: usize = 100_000_000;

/// The longest n-grams.
const LONGEST: usize = 64;

/// The longest line, in bytes.
const LINE: u64 = 1 << 16;

/// Reads an n-gram model in ARPA form. `path` is where it is from, for messages.
///
/// # Errors
/// With the line, if it is not in that form, if numbers of n-grams are not as promised, or if it is too
/// large.
pub fn read(from: impl BufRead, path: &Path) -> Result<Ngrams> {
    let mut lines = Lines { from, path, number: 0 };
    let mut counts = vec![];
    let first = loop {
        match lines.next()? {
            Some(line) if line == "\\data\\" => break lines.next()?,
            Some(line) if line.starts_with("mmap lm http") => {
                return Err(lines.wrong("a KenLM binary; give the ARPA file that it was made of"));
            }
            Some(_) => {}
            None => {
                return Err(lines.wrong("no line \\data\\: this is no n-gram model in ARPA form"));
            }
        }
    };
    let mut line = first;
    while let Some(count) = line.as_deref().and_then(|line| line.strip_prefix("ngram ")) {
        let wanted = counts.len() + 1;
        let count = count.split_once('=').and_then(|(order, count)| {
            let order: usize = order.trim().parse().ok()?;
            count.trim().parse::<usize>().ok().filter(|_| order == wanted)
        });
        let Some(count) = count else {
            let problem = format!("expected \"ngram {wanted}=\" and a number of n-grams");
            return Err(lines.wrong(&problem));
        };
        counts.push(count);
        if counts.len() > LONGEST
            || counts.iter().fold(0, |a: usize, b| a.saturating_add(*b)) > MOST
        {
            let problem = format!("more than {MOST} n-grams, or longer ones than {LONGEST}");
            return Err(lines.wrong(&problem));
        }
        line = lines.next()?;
    }
    if counts.is_empty() {
        return Err(lines.wrong("expected \"ngram 1=\" and the number of words"));
    }
    let mut model = Ngrams::new(counts.len());
    for (length, count) in (1..).zip(&counts) {
        if line.as_deref() != Some(&format!("\\{length}-grams:")) {
            return Err(lines.wrong(&format!("expected \\{length}-grams:")));
        }
        line = section(&mut lines, &mut model, length, *count)?;
    }
    match line.as_deref() {
        Some("\\end\\") => Ok(model),
        _ => Err(lines.wrong("expected \\end\\")),
    }
}

/// The n-grams of one length; returns the line behind them.
fn section<R: BufRead>(
    lines: &mut Lines<'_, R>,
    model: &mut Ngrams,
    length: usize,
    count: usize,
) -> Result<Option<String>> {
    let mut found = 0;
    loop {
        let line = match lines.next()? {
            Some(line) if !line.starts_with('\\') || line.contains(char::is_whitespace) => line,
            behind => {
                if found != count {
                    let problem =
                        format!("{found} n-grams of length {length}, but {count} were promised");
                    return Err(lines.wrong(&problem));
                }
                return Ok(behind);
            }
        };
        found += 1;
        let mut cells = line.split_ascii_whitespace();
        let number = |cell: &str| cell.parse::<f32>().ok().filter(|number| !number.is_nan());
        let Some(probability) = cells.next().and_then(number).filter(|number| *number <= 0.) else {
            let problem = "expected the logarithm of a probability (at most 0), then the words";
            return Err(lines.wrong(problem));
        };
        let names: Vec<&str> = cells.by_ref().take(length).collect();
        if names.len() < length {
            return Err(lines.wrong(&format!("expected {length} words behind the probability")));
        }
        let mut words = vec![];
        for name in names {
            let known = model.word(name);
            let Some(word) = known.or_else(|| (length == 1).then(|| model.add_word(name))) else {
                return Err(lines.wrong(&format!("the word {name:?} is not among the 1-grams")));
            };
            words.push(word);
        }
        let backoff = match cells.next() {
            None => Some(0.),
            Some(cell) => number(cell).filter(|number| *number < f32::INFINITY),
        };
        let (Some(backoff), None) = (backoff, cells.next()) else {
            let problem = format!("expected {length} words, then at most a back-off weight");
            return Err(lines.wrong(&problem));
        };
        if !model.add(&words, probability, backoff) {
            return Err(lines.wrong("this n-gram was there before"));
        }
    }
}

/// The lines that are not empty, without space around them.
struct Lines<'p, R> {
    from: R,
    path: &'p Path,
    /// Of the last line, counted from 1.
    number: u64,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<Option<String>> {
        loop {
            let mut line = vec![];
            let read = self.from.by_ref().take(LINE).read_until(b'\n', &mut line);
            let read = read.map_err(|source| Error::Io {
                path: self.path.to_path_buf(),
                action: "read",
                source,
            })?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.starts_with(&[0x1f, 0x8b]) && self.number == 1 {
                return Err(self.wrong("compressed; unpack it first (gunzip)"));
            }
            if read as u64 == LINE {
                return Err(self.wrong("a line of more than 64 KiB"));
            }
            let Ok(line) = std::str::from_utf8(&line) else {
                return Err(self.wrong("not UTF-8"));
            };
            if !line.trim().is_empty() {
                return Ok(Some(line.trim().to_string()));
            }
        }
    }

    /// What is wrong with the last line.
    fn wrong(&self, problem: &str) -> Error {
        let path = format!("{}:{}", self.path.display(), self.number.max(1)).into();
        Error::Malformed { path, problem: problem.into() }
    }
}
