//! CoNLL files: a word in each line, with its labels in further columns; a blank line between sentences.

use std::io::BufRead;

use super::lines::Lines;
use super::row::Fault;

/// A sentence of such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// The line of its first word.
    pub(crate) line: u64,
    /// At least one.
    pub(crate) words: Vec<String>,
    /// As many, or none where nobody asks for labels.
    pub(crate) labels: Vec<String>,
}

/// How such a file is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConllLayout {
    /// The column of words, counted from 0, if a person gave it.
    pub(crate) word: Option<usize>,
    /// The column of labels likewise.
    pub(crate) label: Option<usize>,
    /// Whether there have to be labels.
    pub(crate) labelled: bool,
    /// Whether a text is certainly a label.
    pub(crate) is_label: fn(&str) -> bool,
}

/// What was found out of a file: its columns, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConllColumns {
    width: usize,
    pub(crate) word: usize,
    pub(crate) label: usize,
    /// Whether the first column counts the words of a sentence.
    pub(crate) numbered: bool,
}

/// How many columns CoNLL-U has, the universal part of speech in the fourth.
const UNIVERSAL: (usize, usize) = (10, 3);

/// So many lines tell what a file is.
const HEAD: usize = 200;

/// Reads all sentences, and tells `each` of them, or of what is wrong with one alone: the first line of it
/// that cannot be used.
///
/// # Errors
/// If nothing that follows can be read.
pub(crate) fn read<R: BufRead>(
    lines: &mut Lines<R>,
    layout: ConllLayout,
    each: &mut dyn FnMut(Result<Sentence, Fault>),
) -> Result<Option<ConllColumns>, Fault> {
    let longest = lines.longest;
    let mut reader = Reader { layout, style: None, columns: None, rows: vec![], fault: None };
    let mut bytes = 0;
    while let Some(line) = lines.next()? {
        let (text, fault) = (line.text, line.fault);
        bytes = if reader.rows.is_empty() { 0 } else { bytes + text.len() };
        match fault {
            Some(fault) => reader.fault = reader.fault.take().or(Some(fault)),
            None if is_blank(text) || text.starts_with("-DOCSTART-") => reader.end(each)?,
            None => {
                let text = text.to_string();
                reader.line(&text, lines.number)?;
            }
        }
        if bytes > longest {
            let problem = format!(
                "the sentence has more than {longest} bytes; write a blank line between sentences"
            );
            return Err(Fault::new(reader.rows.first().map(|(line, _)| *line), problem));
        }
    }
    reader.end(each)?;
    Ok(reader.columns)
}

/// How the first line with a word is written.
#[derive(Debug, Clone, Copy)]
struct Style {
    /// Whether tabs separate columns; else spaces do.
    tabs: bool,
    width: usize,
    line: u64,
    /// Whether its last column is certainly a label.
    is_label: bool,
}

struct Reader {
    layout: ConllLayout,
    style: Option<Style>,
    columns: Option<ConllColumns>,
    /// The cells of the present sentence, each with its line.
    rows: Vec<(u64, Vec<String>)>,
    /// What is wrong with it.
    fault: Option<Fault>,
}

impl Reader {
    fn line(&mut self, text: &str, number: u64) -> Result<(), Fault> {
        let starts = self.rows.is_empty();
        let tabs = self.style.map_or_else(|| has_tabs(text), |style| style.tabs);
        let cells = cells(text, tabs);
        if starts && text.starts_with('#') && self.is_comment(text, &cells) {
            return Ok(());
        }
        let last = cells.last().copied().unwrap_or_default();
        let (width, is_label) = (cells.len(), (self.layout.is_label)(last));
        let style = *self.style.get_or_insert(Style { tabs, width, line: number, is_label });
        if self.layout.labelled && style.width < 2 {
            let problem = "the line has 1 column, expected a word and its label";
            return Err(Fault::new(number, problem));
        }
        if cells.len() != style.width {
            let columns = if cells.len() == 1 { "column" } else { "columns" };
            let problem = format!(
                "the line has {} {columns}, expected {} as in line {}",
                cells.len(),
                style.width,
                style.line
            );
            self.fault = self.fault.take().or(Some(Fault::new(number, problem)));
        }
        self.rows.push((number, cells.into_iter().map(str::to_string).collect()));
        Ok(())
    }

    /// Whether a line with `#` before a sentence is no word.
    fn is_comment(&self, text: &str, cells: &[&str]) -> bool {
        let is_label = (self.layout.is_label)(cells.last().copied().unwrap_or_default());
        match self.style {
            None => cells.len() == 1 || (text.starts_with("# ") && !is_label),
            Some(style) => {
                cells.len() != style.width
                    || (text.starts_with("# ") && style.is_label && !is_label)
            }
        }
    }

    /// Ends a sentence.
    fn end(&mut self, each: &mut dyn FnMut(Result<Sentence, Fault>)) -> Result<(), Fault> {
        let rows = std::mem::take(&mut self.rows);
        let fault = self.fault.take();
        let Some((line, _)) = rows.first() else {
            fault.into_iter().for_each(|fault| each(Err(fault)));
            return Ok(());
        };
        let line = *line;
        if let Some(fault) = fault {
            each(Err(fault));
            return Ok(());
        }
        let columns = match self.columns {
            Some(columns) => columns,
            None => *self.columns.insert(self.choose(&rows)?),
        };
        let mut sentence = Sentence { line, words: vec![], labels: vec![] };
        for (line, cells) in rows {
            // A part of several words together, or a word that is not there.
            if columns.numbered && cells[0].contains(['-', '.']) {
                continue;
            }
            let mut take =
                |at: usize, what: &str, to: fn(&mut Sentence) -> &mut Vec<String>| match cells[at]
                    .as_str()
                {
                    "" => Err(Fault::new(
                        line,
                        format!("the line has no {what} in column {}", at + 1),
                    )),
                    cell => {
                        to(&mut sentence).push(cell.to_string());
                        Ok(())
                    }
                };
            let mut taken = take(columns.word, "word", |s| &mut s.words);
            if self.layout.labelled {
                taken = taken.and_then(|()| take(columns.label, "label", |s| &mut s.labels));
            }
            if let Err(fault) = taken {
                each(Err(fault));
                return Ok(());
            }
        }
        if !sentence.words.is_empty() {
            each(Ok(sentence));
        }
        Ok(())
    }

    /// The columns, by the first sentence: the word in the first and the label in the last, unless the
    /// first one counts the words.
    fn choose(&self, rows: &[(u64, Vec<String>)]) -> Result<ConllColumns, Fault> {
        let ConllLayout { word, label, labelled, .. } = self.layout;
        let (line, first) = &rows[0];
        let width = first.len();
        let universal = width == UNIVERSAL.0;
        let words = rows.iter().filter(|(_, cells)| !cells[0].contains(['-', '.']));
        let counted = words.clone().zip(1..).all(|((_, cells), n)| cells[0].parse() == Ok(n));
        let enough = if universal { 1 } else { 3 };
        let numbered = width > 2 && counted && words.count() >= enough;
        let last = if numbered && universal { UNIVERSAL.1 } else { width - 1 };
        let (word, label) = (word.unwrap_or(usize::from(numbered)), label.unwrap_or(last));
        let wanted = [("--input-column", word), ("--label-column", label)];
        let wanted = wanted.into_iter().take(if labelled { 2 } else { 1 });
        for (option, at) in wanted {
            if at >= width {
                let problem = format!("the line has {width} columns, but {option} is {}", at + 1);
                return Err(Fault::new(*line, problem));
            }
        }
        if labelled && word == label {
            let problem =
                format!("column {} is that of the words and that of the labels", word + 1);
            return Err(Fault::new(*line, problem));
        }
        Ok(ConllColumns { width, word, label, numbered })
    }
}

impl ConllColumns {
    /// Whether the file is CoNLL-U.
    pub(crate) fn is_universal(self) -> bool {
        self.numbered && self.width == UNIVERSAL.0
    }
}

/// Whether the beginning of a file shows that it is one: nine lines of ten that are neither blank nor
/// comments end with what is certainly a label.
pub(crate) fn looks_like(start: &str, is_label: fn(&str) -> bool) -> bool {
    let lines = start.lines().map(|line| line.trim_start_matches('\u{FEFF}'));
    let lines = lines.filter(|line| !is_blank(line) && !line.starts_with("-DOCSTART-"));
    let lines = lines.filter(|line| !line.starts_with("# ")).take(HEAD);
    let (mut all, mut labelled) = (0, 0);
    for line in lines {
        let cells = cells(line, has_tabs(line));
        all += 1;
        labelled += usize::from(cells.len() > 1 && cells.last().is_some_and(|last| is_label(last)));
    }
    all > 0 && labelled * 10 >= all * 9
}

/// Whether there is nothing in a line, apart from the byte order mark of a file that was put behind
/// another.
fn is_blank(line: &str) -> bool {
    line.chars().all(|c| c.is_whitespace() || c == '\u{FEFF}')
}

/// Whether tabs separate a line's columns.
fn has_tabs(line: &str) -> bool {
    line.trim_end_matches([' ', '\t'])
        .rsplit_once('\t')
        .is_some_and(|(_, last)| !last.contains(' '))
}

/// The cells of a line. Other spaces than ASCII's, as one that does not break, belong to a word.
fn cells(line: &str, tabs: bool) -> Vec<&str> {
    let line = line.trim_end_matches([' ', '\t']);
    match tabs {
        true => line.split('\t').map(|cell| cell.trim_matches(' ')).collect(),
        false => line.split([' ', '\t']).filter(|cell| !cell.is_empty()).collect(),
    }
}

#[cfg(test)]
mod tests;
