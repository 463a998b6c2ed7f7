//! Tables against Python's `csv`: `xtask/scripts/fixtures/text_tables.py` made the fixture. And
//! round trips of random ones.

use std::fs;
use std::io::{Seek, Write};

use proptest::prelude::*;
use serde::Deserialize;

use super::delimited;
use super::dialect::{Dialect, Quotes};
use super::format::TableFormat;
use super::lines::Lines;
use super::row::{Cell, Fault, Row, Wanted};
use super::table::Table;

const LONGEST: usize = 1 << 20;

#[derive(Deserialize)]
struct Known {
    delimiter: char,
    kind: String,
    file: String,
    rows: Option<Vec<Vec<String>>>,
}

fn known() -> Vec<Known> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tables/csv.jsonl");
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(row: Row) -> Vec<String> {
    let text = |cell| match cell {
        Cell::Text(text) => text,
        other => panic!("{other:?} is no text"),
    };
    row.cells.into_iter().map(text).collect()
}

/// The rows of a table in a dialect.
fn rows(file: &str, dialect: Dialect) -> Result<Vec<Vec<String>>, Fault> {
    let mut rows = vec![];
    let mut lines = Lines::new(file.as_bytes(), LONGEST);
    delimited::read(&mut lines, dialect, Wanted::All, &mut |row| rows.push(texts(row.unwrap())))?;
    Ok(rows)
}

/// The rows of a file, whose dialect is found out.
fn found(file: &str, format: TableFormat) -> (Vec<Vec<String>>, Option<&'static str>) {
    let mut opened = tempfile::tempfile().unwrap();
    opened.write_all(file.as_bytes()).unwrap();
    opened.rewind().unwrap();
    let table = Table::open(opened, format, LONGEST).unwrap();
    let mut rows = vec![];
    table.rows(Wanted::All, None, &mut |row| rows.push(texts(row.unwrap()))).unwrap();
    (rows, table.remark)
}

#[test]
fn rows_are_those_of_pythons_csv() {
    let (mut compared, mut unclosed) = (0, 0);
    for Known { delimiter, kind, file, rows: expected } in known() {
        let quotes = if kind == "plain" { Quotes::Within } else { Quotes::Around };
        let read = rows(&file, Dialect { delimiter, quotes });
        match expected {
            Some(expected) => {
                assert_eq!(read.unwrap(), expected, "{file:?}");
                compared += 1;
            }
            // Where the end of the file closes a quote for Python, all that it swallowed is lost.
            None => {
                let problem = read.unwrap_err().problem;
                assert!(problem.ends_with("is not closed before the end of the file"), "{problem}");
                unclosed += 1;
            }
        }
    }
    assert!(compared > 900 && unclosed > 100, "{compared} and {unclosed}");
}

#[test]
fn the_dialect_is_found_out() {
    for Known { delimiter, kind, file, rows: expected } in known() {
        let format = if delimiter == '\t' { TableFormat::Tsv } else { TableFormat::Csv };
        let remark = match (&*kind, delimiter) {
            ("soup", _) => continue,
            ("plain", _) => Some("without quoting"),
            (_, '\t') => Some("quotes around"),
            (_, ';') => Some("semicolons"),
            _ => None,
        };
        let (rows, said) = found(&file, format);
        assert_eq!(Some(rows), expected, "{file:?}");
        assert_eq!(said.is_some(), remark.is_some(), "{said:?} of {file:?}");
        assert!(said.unwrap_or_default().contains(remark.unwrap_or_default()), "{said:?}");
    }
}

#[test]
fn delimiters_are_told_by_header_and_rows() {
    let two = |rows: &[[&str; 2]]| {
        rows.iter().map(|row| row.map(str::to_string).to_vec()).collect::<Vec<_>>()
    };
    for (file, format, expected) in [
        ("text;label\na, b;1\n", TableFormat::Csv, [["text", "label"], ["a, b", "1"]]),
        ("text;label\n\"a;b\";1,5\n", TableFormat::Csv, [["text", "label"], ["a;b", "1,5"]]),
        ("text,label\na; b,1\n", TableFormat::Csv, [["text", "label"], ["a; b", "1"]]),
        ("text\tlabel\na, b\t1\n", TableFormat::Csv, [["text", "label"], ["a, b", "1"]]),
        ("a, b; c\t1\nd\t2\n", TableFormat::Tsv, [["a, b; c", "1"], ["d", "2"]]),
        ("text,label\na,1\n", TableFormat::Tsv, [["text", "label"], ["a", "1"]]),
        ("text;label\n\"a\nb\";1\n", TableFormat::Tsv, [["text", "label"], ["a\nb", "1"]]),
    ] {
        assert_eq!(found(file, format).0, two(&expected), "{file:?}");
    }
    // A row that is broken does not change what the others tell.
    let rows = found("text,label\na, or b,1\nc,2\n", TableFormat::Csv).0;
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [2, 3, 2]);
}

#[test]
fn a_table_with_tabs_is_quoted_only_if_that_makes_sense() {
    let header = "sentence\tlabel\n";
    for (rows, quoted) in [
        // Each is closed, and nothing hangs on it.
        ("\"a\"\t1\n\"b\"\t0\n", true),
        // Lines that are no rows by themselves.
        ("\"a\nb\"\t1\nc\t0\n", true),
        ("\"a\tb\"\t1\nc\t0\n", true),
        // Rows by themselves, but somebody doubled a quote.
        ("\"a \"\"x\"\"\tb\nc\"\t0\n", true),
        // Text behind a quote, none at the end, none at all.
        ("\"a\" b\t1\nc\t0\n", false),
        ("\"a\t1\nc\t0\n", false),
        // Two rows, or one with a tab and a line feed? Rows are likelier.
        ("\"a\t1\nb\"\t0\n", false),
    ] {
        let (read, remark) = found(&format!("{header}{rows}"), TableFormat::Tsv);
        assert_eq!(
            remark == Some("is read with quotes around its cells"),
            quoted,
            "{rows:?} gives {read:?}"
        );
        let bare = read[1..].iter().all(|row| !row[0].starts_with('"'));
        assert_eq!(bare, quoted, "{rows:?} gives {read:?}");
    }
}

#[test]
fn a_quote_does_not_swallow_rows() {
    let around = Dialect { delimiter: ',', quotes: Quotes::Around };
    let many = "b,1\n".repeat(2000);
    let fault = rows(&format!("text,label\n\"a,0\n{many}c\",1\n"), around).unwrap_err();
    assert_eq!(fault.line, Some(2));
    assert!(
        fault.problem.starts_with("the quote that opens cell 1 swallows 100 lines"),
        "{fault:?}"
    );
    // A long text is one.
    let text = "a line, and more, of a poem\nand another\n".repeat(2000);
    let read = rows(&format!("text,label\n\"{text}\",1\n"), around).unwrap();
    assert_eq!(read[1], [&*text, "1"]);
}

/// A cell of what is hard to write, and of much else.
fn cell() -> impl Strategy<Value = String> {
    let hard =
        prop::sample::select(vec!["\"", "\"\"", ",", ";", "\t", "\n", "\r\n", "\r", " ", "'"]);
    let part = prop_oneof![2 => hard.prop_map(str::to_string), 1 => "[^\0\u{FEFF}]{1,3}"];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Rows of one width, each with something in it.
fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (2..5usize).prop_flat_map(|width| {
        let row = prop::collection::vec(cell(), width - 1).prop_map(|mut row| {
            row.push("x".into());
            row
        });
        prop::collection::vec(row, 1..12)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(table in table(), delimiter in prop::sample::select(vec![',', ';', '\t'])) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| {
            row.iter().map(quoted).collect::<Vec<_>>().join(&delimiter.to_string())
        };
        let file: String = table.iter().map(|row| line(row) + "\r\n").collect();
        prop_assert_eq!(rows(&file, Dialect { delimiter, quotes: Quotes::Around }).unwrap(), table);
    }

    #[test]
    fn no_bytes_are_a_panic(bytes: Vec<u8>, format in prop::sample::select(vec![
        TableFormat::Csv, TableFormat::Tsv, TableFormat::JsonLines,
    ])) {
        let mut opened = tempfile::tempfile().unwrap();
        opened.write_all(&bytes).unwrap();
        if let Ok(table) = Table::open(opened, format, 50) {
            let mut last = 0;
            let _ = table.rows(Wanted::All, None, &mut |row| {
                let line = row.map_or_else(|fault| fault.line, |row| Some(row.line)).unwrap();
                assert!(line > last);
                last = line;
            });
        }
    }
}
