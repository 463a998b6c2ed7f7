//! Tables and folders that are no data sets: each is one clear line that names file and place.

use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::data::dataset::Dataset;
use crate::data::layout::{InputKind, Layout};
use crate::error;

/// Opens what a test made, and returns the message, which names the place and is one line.
fn said(path: &Path, layout: &Layout) -> String {
    let message = match Dataset::open(path, layout) {
        Err(error) => error::one_line(&error),
        Ok(data) => panic!("{} is read: {data:?}", path.display()),
    };
    assert!(message.len() < 400, "{message} is long");
    message
}

#[test]
fn bad_tables_are_named_with_their_lines() {
    let long = format!("a\t1\n{}\t2\n", "x".repeat(3000));
    let long_quote = format!("a,1\n\"{}", "x\n".repeat(1500));
    let nested = format!("{{\"text\": {}, \"label\": 1}}", "[".repeat(5000));
    let keys: String =
        (0..1500).map(|i| format!("{{\"text\": \"a\", \"label\": 1, \"k{i}\": 0}}\n")).collect();
    /// The file, its contents, and what the message says behind the name.
    type Case<'a> = (&'a str, &'a [u8], &'a str);
    let cases: &[Case<'_>] = &[
        // Nothing, or nothing of use.
        ("t.csv", b"", ": the table is empty"),
        ("t.tsv", b"\n \n\t\t\n", ": the table is empty"),
        ("t.jsonl", b"", ": the table is empty"),
        ("t.ndjson", b"\n\r\n", ": the table is empty"),
        ("t.csv", b"\xEF\xBB\xBF", ": the table is empty"),
        ("t.csv", b"text,label\n", ": the table has a header but no rows"),
        ("t.csv", b"text,label\nfine,a\nwell,a\n", ": all samples have the label \"a\""),
        ("t.csv", b"only\nrows\n", ": its first line has one column, \"only\""),
        ("t.csv", b"colon:label\na:1\n", ": its first line has one column"),
        ("t.txt", b"a\t1\nb c\n", ": is neither a folder nor a table"),
        ("t.json", b"[]", ": is neither a folder nor a table"),
        ("table", b"a,1\n", ": is neither a folder nor a table"),
        // Other encodings.
        ("t.csv", b"\xFF\xFEt\0e\0x\0t\0", ":1: the file is in UTF-16; save it as UTF-8"),
        ("t.tsv", b"\xFE\xFF\0t", ":1: the file is in UTF-16; save it as UTF-8"),
        ("t.jsonl", b"\xFF\xFE{\0", ":1: the file is in UTF-16; save it as UTF-8"),
        ("t.csv", b"\xFF\xFE\0\0t\0\0\0", ":1: the file is in UTF-32; save it as UTF-8"),
        ("t.csv", b"t\0e\0x\0t\0", ":1: byte 2 of the line is zero"),
        ("t.tsv", b"a\t1\nb\0\t2\n", ":2: byte 2 of the line is zero"),
        ("t.jsonl", b"{\"text\": \"a\0\", \"label\": 1}", ":1: byte 12 of the line is zero"),
        ("t.csv", b"text,label\ncaf\xE9,1\n", ":2: not UTF-8: byte 4 of the line is 0xE9"),
        ("t.tsv", b"a\t1\nb\t2\nc\t\xFF", ":3: not UTF-8: byte 3 of the line is 0xFF"),
        ("t.csv", b"\xE9,1\n", ":1: not UTF-8: byte 1 of the line is 0xE9"),
        ("t.csv", b"a,1\n\"b\nc\xC3\",2\n", ":3: not UTF-8: byte 2 of the line is 0xC3"),
        ("t.jsonl", b"{\"text\": \"\x93a\x94\", \"label\": 1}", ":1: not UTF-8: byte 11"),
        ("t.tsv", b"a\t1\ncut\xE6\x9C", ":2: not UTF-8: byte 4 of the line is 0xE6"),
        ("t.tsv", b"\xED\xA0\x80\t1\n", ":1: not UTF-8: byte 1 of the line is 0xED"),
        // Broken rows.
        ("t.csv", b"text,label\n\"open,1\nb,2\n", ":2: the quote that opens cell 1 is not closed"),
        ("t.csv", b"a,1\nb,\"2", ":2: the quote that opens cell 2 is not closed before the end"),
        ("t.csv", b"text,label\na, or b,1\n", ":2: the row has 3 cells, the first line 2"),
        ("t.tsv", b"a\t1\nb\tc\t2\n", ":2: the row has 3 cells, the first line 2"),
        ("t.csv", b"a,1\rb,2,3\r", ":2: the row has 3 cells, the first line 2"),
        ("t.csv", b"text,label\na\n", ":2: the row has no label in column 2 of 1"),
        ("t.csv", b"text,label\n,1\n", ":2: the row has no text in column 1 of 2"),
        ("t.csv", b"text,label\na,\" \"\n", ":2: the row has no label in column 2 of 2"),
        ("t.csv", b"text,label,split\na,1,\n", ":2: the row has no split in column 3 of 3"),
        ("t.csv", b"text,label,split\na,1,holdout\n", ":2: the split is \"holdout\""),
        ("t.tsv", long.as_bytes(), ":2: the line is longer than 2000 bytes"),
        ("t.jsonl", long.as_bytes(), ":1: not a JSON object"),
        ("t.csv", long_quote.as_bytes(), ":2: the quote that opens cell 1 is not closed within"),
        // Broken JSON.
        ("t.jsonl", b"{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b", ":2: not a JSON object"),
        (
            "t.jsonl",
            b"{\"text\": \"a\" \"label\": 1}",
            ":1: not a JSON object: expected `,` or `}`",
        ),
        ("t.jsonl", b"{'text': 'a'}", ":1: not a JSON object: key must be a string, at byte 2"),
        (
            "t.jsonl",
            b"[{\"text\": \"a\", \"label\": 1}]",
            ":1: an array; write its objects into a line each",
        ),
        ("t.jsonl", b"\"text\"", ":1: not a JSON object: invalid type: string"),
        ("t.jsonl", b"{\"text\": \"a\", \"label\": 1}{}", ":1: not a JSON object: trailing"),
        ("t.jsonl", b"{\"text\": \"a\", \"label\": NaN}", ":1: not a JSON object"),
        ("t.jsonl", b"{\"text\": \"\\ud800\", \"label\": 1}", ":1: not a JSON object"),
        (
            "t.jsonl",
            b"{\"text\": \"a\", \"label\": 1, \"text\": \"b\"}",
            ":1: not a JSON object: the key \"text\" occurs twice",
        ),
        ("t.jsonl", nested.as_bytes(), ":1: the line is longer than 2000 bytes"),
        ("t.jsonl", &nested.as_bytes()[..1500], ":1: not a JSON object: EOF while parsing a list"),
        ("t.jsonl", keys.as_bytes(), ":999: more than 1000 different keys so far"),
        (
            "t.jsonl",
            b"{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}",
            ":2: the row has no label",
        ),
        (
            "t.jsonl",
            b"{\"text\": null, \"label\": 1}\n{\"text\": \"b\", \"label\": 2}",
            ":1: the row has no text",
        ),
        ("t.jsonl", b"{\"text\": \"a\", \"label\": [1]}", ":1: the label in column 2 is a list"),
        ("t.jsonl", b"{\"text\": {}, \"label\": 1}", ":1: the text in column 1 is an object"),
        ("t.jsonl", b"{\"text\": \"a\"}", ": its first line has one column, \"text\""),
    ];
    assert!(cases.len() >= 48);
    let layout = Layout { longest_line: 2000, ..texts() };
    for (name, contents, problem) in cases {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(name);
        fs::write(&path, contents).unwrap();
        let message = said(&path, &layout);
        let expected = format!("{}{problem}", path.display());
        assert!(message.starts_with(&expected), "{message:?} does not begin with {expected:?}");
        assert!(!message.contains('\n'), "{message:?} has several lines");
    }
}

#[test]
fn columns_that_are_not_there_or_twice() {
    let column = |name: &str| Some(name.to_string());
    for (table, layout, expected) in [
        (
            "text,label,label\na,1,2\n",
            texts(),
            ("--label-column", "several columns \"label\"; give the number of one"),
        ),
        ("text,TEXT,label\na,b,1\n", texts(), ("--input-column", "several columns \"text\"")),
        (
            "id,words,more,label\n1,a,b,1\n",
            texts(),
            ("--input-column", "or premise or text1 or text_a or question1; its columns are: id"),
        ),
        (
            "text,mood\na,1\n",
            Layout { input_column: column("text"), ..texts() },
            ("--label-column", "no column named label; its columns are: text, mood"),
        ),
        (
            "text,label\na,1\n",
            Layout { input_column: column("9"), ..texts() },
            ("--input-column", "no column \"9\""),
        ),
        (
            "text,label\na,1\n",
            Layout { label_column: column("1"), ..texts() },
            ("--label-column", "the column of the labels is that of the inputs"),
        ),
        (
            "text,label\na,1\n",
            Layout { pair_column: column("text"), ..texts() },
            ("--pair-column", "the column of the second sentences is that of the inputs"),
        ),
        (
            "text,label\na,1\n",
            Layout { pair_column: column("second"), ..texts() },
            ("--pair-column", "no column \"second\""),
        ),
        (
            "path,other,label\na,b,1\n",
            Layout { pair_column: column("other"), ..pictures() },
            ("--pair-column", "pictures have no pairs"),
        ),
        (
            "text,label\na,1\n",
            Layout { group_column: column("who"), ..texts() },
            ("--group-column", "no column \"who\""),
        ),
    ] {
        let root = folder(&[("t.csv", table)]);
        let message = said(&root.path().join("t.csv"), &layout);
        let (option, problem) = expected;
        assert!(message.starts_with(&format!("{option}: ")), "{message}");
        assert!(message.contains("t.csv") && message.contains(problem), "{message}");
    }
    // What is twice but of no use does no harm; a number tells which is meant.
    let root = folder(&[("t.csv", "x,text,label,x,label\n0,a,1,0,2\n0,b,2,0,1\n")]);
    let layout = Layout { label_column: column("5"), ..texts() };
    let data = Dataset::open(root.path().join("t.csv"), &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["2:a", "1:b"]);
}

#[test]
fn a_line_without_an_end_is_not_read_whole() {
    // A line of a gigabyte, of which the disk has but the last byte: zeros, if they were read.
    let root = tempfile::tempdir().unwrap();
    for name in ["t.csv", "t.tsv", "t.jsonl"] {
        let path = root.path().join(name);
        fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
        let started = std::time::Instant::now();
        let message = said(&path, &texts());
        assert!(message.contains(":1: the line is longer than 16777216 bytes"), "{message}");
        assert!(started.elapsed().as_secs() < 5);
    }
}

#[cfg(unix)]
#[test]
fn links_names_and_rights() {
    use std::{ffi::OsStr, os::unix};

    let root = folder(&[("cat/a.txt", "a"), ("dog/b.txt", "b")]);
    let odd = root.path().join(OsStr::from_bytes(b"caf\xE9"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("c.txt"), "c").unwrap();
    let message = said(root.path(), &texts());
    assert!(message.contains(": the name is not UTF-8; rename it"), "{message}");

    let root = folder(&[("1_a.txt", "a"), ("2_b.txt", "b")]);
    fs::write(root.path().join(OsStr::from_bytes(b"3_\xFF.txt")), "c").unwrap();
    let message = said(root.path(), &Layout { inputs: InputKind::Texts, ..by_number() });
    assert!(message.contains(": the name is not UTF-8; rename it"), "{message}");

    let root = folder(&[("t.csv", "")]);
    fs::remove_file(root.path().join("t.csv")).unwrap();
    unix::fs::symlink("t.csv", root.path().join("t.csv")).unwrap();
    let message = said(&root.path().join("t.csv"), &texts());
    assert!(message.contains("no such file or folder"), "a link to itself: {message}");
    let root = folder(&[("cat/a.txt", "a"), ("dog/b.txt", "b")]);
    unix::fs::symlink("..", root.path().join("dog/up")).unwrap();
    let message = said(root.path(), &texts());
    assert!(message.contains("dog/up: a link that leads back to"), "{message}");

    let root = folder(&[("t.csv", "text,label\na,1\n")]);
    let path = root.path().join("t.csv");
    use unix::fs::PermissionsExt;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_err() {
        // Whoever may read everything has nothing to see here.
        let message = said(&path, &texts());
        assert!(message.contains("t.csv: cannot read"), "{message}");
    }
}

#[cfg(unix)]
fn by_number() -> Layout {
    Layout { extensions: &["txt"], ..patterns(r"^(\d)_", None) }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("t.csv");
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    let message = said(&path, &texts());
    assert!(message.ends_with("t.csv: is no regular file"), "{message}");
}
