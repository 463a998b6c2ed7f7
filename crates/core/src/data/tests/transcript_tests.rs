//! Texts that are spoken or written in samples: every layout in which they are found, their symbols,
//! and how they are split.

use super::*;
use crate::data::dataset::{Dataset, evaluation};
use crate::data::inputs::inputs;
use crate::data::layout::Layout;
use crate::data::symbols::Symbols;
use crate::error::Result;
use crate::task::{LetterCase, Target, Vocabulary};

pub(super) fn recordings() -> Layout {
    let kind = Layout::new(InputKind::Files, "recordings", &["flac", "wav", "mp3"]);
    Layout { task: Task::Transcription, ..kind }
}

pub(super) fn open(files: &[(&str, &str)], layout: &Layout) -> Result<Dataset> {
    Dataset::open(folder(files).path(), layout)
}

/// `text:name` of every item, of all splits.
fn splits(files: &[(&str, &str)], layout: &Layout) -> [String; 3] {
    let data = open(files, layout).unwrap_or_else(|e| panic!("{files:?}: {e}"));
    [data.train, data.validation, data.test].map(|items| shown(&items, &data.labels).join(", "))
}

const TABLE: &str = "path\ttext\tspeaker\ntrain/a.flac\tONE TWO\tx\ntrain/b.flac\tTWO\ty\n";

#[test]
fn tables_beside_the_folders_of_splits_name_their_files() {
    let files = [
        ("train.tsv", TABLE),
        ("test.tsv", "path\ttext\tspeaker\ntest/c.flac\tTHREE\tz\n"),
        ("train/a.flac", ""),
        ("train/b.flac", ""),
        ("test/c.flac", ""),
        ("README.md", ""),
    ];
    assert_eq!(splits(&files, &recordings()), ["ONE TWO:a.flac, TWO:b.flac", "", "THREE:c.flac"]);
    let data = open(&files, &recordings()).unwrap();
    assert_eq!(data.labels, ["<pad>", "|", "E", "N", "O", "T", "W"]);
    assert_eq!(data.ignored, [("md".to_string(), 1)]);
    let Target::Text { text, symbols } = &data.train[0].target else { panic!("no text") };
    assert_eq!((text.as_str(), &symbols[..]), ("ONE TWO", &[4, 3, 2, 1, 5, 6, 4][..]));
    assert_eq!(data.notes.len(), 2, "{:?}", data.notes);
    assert!(data.notes[0].starts_with("a column speaker tells who speaks; --group-column speaker"));
    assert_eq!(
        data.notes[1],
        "1 of the 1 test texts have characters without a symbol: H (1), R (1); a model cannot write \
         them, and each counts as an error"
    );
    let layout = Layout { group_column: Some("speaker".into()), ..recordings() };
    let data = open(&files, &layout).unwrap();
    assert_eq!(data.train[1].group.as_deref(), Some("y"));
    assert_eq!(data.notes.len(), 1, "{:?}", data.notes);
    // One of its folders, by a table that lies above.
    let root = folder(&files);
    let one = Dataset::open(root.path().join("train.tsv"), &recordings()).unwrap();
    assert_eq!(one.train, Dataset::open(root.path(), &recordings()).unwrap().train);
    // To be asked about, all of them, whatever is labelled.
    assert_eq!(inputs(root.path(), &recordings()).unwrap().items.len(), 3);
}

#[test]
fn common_voice_has_its_clips_beside_the_tables() {
    let table = |clips: &str| {
        let row = |clip: &str| format!("c1\t{clip}.mp3\tA \"word\"\t2\t0\n");
        "client_id\tpath\tsentence\tup_votes\tdown_votes\n".to_string()
            + &clips.split(' ').map(row).collect::<String>()
    };
    let (train, dev, test, all) = (table("a b"), table("c"), table("d"), table("a b c d e"));
    let files = [
        ("en/train.tsv", train.as_str()),
        ("en/dev.tsv", &dev),
        ("en/test.tsv", &test),
        ("en/validated.tsv", &all),
        ("en/other.tsv", &all),
        ("en/clip_durations.tsv", "clip\tduration[ms]\na.mp3\t1\n"),
        ("en/clips/a.mp3", ""),
        ("en/clips/b.mp3", ""),
        ("en/clips/c.mp3", ""),
        ("en/clips/d.mp3", ""),
        ("en/clips/e.mp3", ""),
    ];
    let word = |clip: &str| format!("A \"word\":{clip}.mp3");
    let expected = [format!("{}, {}", word("a"), word("b")), word("c"), word("d")];
    assert_eq!(splits(&files, &recordings()), expected);
    let data = open(&files, &recordings()).unwrap();
    assert_eq!(data.notes.len(), 2, "{:?}", data.notes);
    let said = data.notes.join("\n");
    assert!(said.contains("a column client_id tells who speaks"), "{said}");
    for name in ["clip_durations", "other", "validated"] {
        assert!(said.contains(&format!("the table en/{name}.tsv")), "{said}");
    }
    // Without a training split it can be evaluated.
    let root = folder(&[("test.tsv", &*test), ("validated.tsv", &all), ("clips/d.mp3", "")]);
    let found = evaluation(root.path(), &recordings(), data.config(), "DATA").unwrap();
    assert_eq!(shown(&found.items, &data.labels), [word("d")]);
}

#[test]
fn librispeech_lists_its_texts_in_every_folder() {
    let root = "LibriSpeech";
    let at = |name: &str| format!("{root}/{name}");
    let files = [
        (at("README.TXT"), ""),
        (at("SPEAKERS.TXT"), ""),
        (
            at("train-clean-100/19/198/19-198.trans.txt"),
            "19-198-0000 NORTHANGER ABBEY\n\n19-198-0001\tTHIS\n",
        ),
        (at("train-clean-100/19/198/19-198-0000.flac"), ""),
        (at("train-clean-100/19/198/19-198-0001.flac"), ""),
        (at("train-other-500/20/205/20-205.trans.txt"), "20-205-0000 A BEE\n"),
        (at("train-other-500/20/205/20-205-0000.flac"), ""),
        (at("dev-other/1/2/1-2.trans.txt"), "1-2-0000 NORTH\n"),
        (at("dev-other/1/2/1-2-0000.flac"), ""),
        (at("test-clean/3/4/3-4.trans.txt"), "3-4-0000 SO"),
        (at("test-clean/3/4/3-4-0000.flac"), ""),
    ];
    let files = files.each_ref().map(|(name, text)| (name.as_str(), *text));
    let train = "NORTHANGER ABBEY:19-198-0000.flac, THIS:19-198-0001.flac, A BEE:20-205-0000.flac";
    let expected = [train, "NORTH:1-2-0000.flac", "SO:3-4-0000.flac"];
    assert_eq!(splits(&files, &recordings()), expected);
    let data = open(&files, &recordings()).unwrap();
    assert_eq!(data.train[1].place.line, Some(3), "as the list counts");
    assert_eq!(data.notes, [""; 0]);
    assert_eq!(data.ignored, [("txt".to_string(), 2)]);
    // One of its folders by itself; a pattern finds its speakers.
    let root = folder(&files);
    let layout = Layout { group_pattern: Some(Regex::new(r"^\d+").unwrap()), ..recordings() };
    let one = Dataset::open(root.path().join("LibriSpeech/test-clean"), &layout).unwrap();
    assert_eq!((one.train.len(), one.train[0].group.as_deref()), (1, Some("3")));
    let found = evaluation(root.path(), &layout, data.config(), "DATA").unwrap().items;
    assert_eq!((found.len(), found[0].group.as_deref()), (1, Some("3")));
}

#[test]
fn a_text_lies_beside_each_sample() {
    let files = [
        ("train/x/a.wav", ""),
        ("train/x/a.txt", "\u{FEFF}Hello\r\nyou \n"),
        ("train/x/README.txt", "about"),
        ("train/b.c.wav", ""),
        ("train/b.c.TXT", "two"),
        ("test/d.flac", ""),
        ("test/d.original.txt", "Mr. Hello"),
        ("test/d.normalized.txt", "hello"),
        ("LICENSE.txt", ""),
    ];
    assert_eq!(
        splits(&files, &recordings()),
        ["two:b.c.wav, Hello\r\nyou:a.wav", "", "hello:d.flac"]
    );
    let pictures = Layout { task: Task::Transcription, ..pictures() };
    let files = [("line1.png", ""), ("line1.txt", "最後"), ("line2.jpg", ""), ("line2.txt", "後")];
    assert_eq!(splits(&files, &pictures), ["最後:line1.png, 後:line2.jpg", "", ""]);
    // Or in the names themselves.
    let named = Layout { task: Task::Transcription, ..patterns(r"^(\w+)\.png$", None) };
    assert_eq!(splits(&[("2b7.png", ""), ("c.png", "")], &named), ["2b7:2b7.png, c:c.png", "", ""]);
}

#[test]
fn the_metadata_of_an_audio_folder() {
    let own = [
        ("train/metadata.csv", "file_name,transcription\ndata/a.wav,one\n"),
        ("train/data/a.wav", ""),
        ("test/metadata.jsonl", "{\"file_name\": \"b.wav\", \"transcription\": \"eno\"}\n"),
        ("test/b.wav", ""),
    ];
    assert_eq!(splits(&own, &recordings()), ["one:a.wav", "", "eno:b.wav"]);
    let above = [
        (
            "metadata.csv",
            "file_name,transcription\ntrain/a.wav,one\ntest/b.wav,eno\ndev/c.wav,on\n",
        ),
        ("train/a.wav", ""),
        ("test/b.wav", ""),
        ("dev/c.wav", ""),
    ];
    assert_eq!(splits(&above, &recordings()), ["one:a.wav", "on:c.wav", "eno:b.wav"]);
    let flat = [("metadata.csv", "file_name,transcription\na.wav,one\n"), ("a.wav", "")];
    assert_eq!(splits(&flat, &recordings()), ["one:a.wav", "", ""]);
}

#[test]
fn a_column_of_texts_is_given_or_known() {
    let table = "path,words,text\na.wav,uno,one\n";
    let files = [("t.csv", table), ("a.wav", "")];
    assert_eq!(splits(&files, &recordings())[0], "one:a.wav");
    for column in ["words", "Words", "2"] {
        let layout = Layout { text_column: Some(column.into()), ..recordings() };
        assert_eq!(splits(&files, &layout)[0], "uno:a.wav", "{column}");
    }
    // A name that is given makes the first line a header.
    let files = [("t.tsv", "wo\twas\na.wav\tuno\n"), ("a.wav", "")];
    let layout =
        Layout { text_column: Some("was".into()), input_column: Some("wo".into()), ..recordings() };
    assert_eq!(splits(&files, &layout)[0], "uno:a.wav");
    // A text for a text.
    let layout = Layout { task: Task::Transcription, ..texts() };
    let files = [("t.csv", "text,target\nfoneem,phoneme\n")];
    assert_eq!(splits(&files, &layout)[0], "phoneme:foneem");
}

/// The texts of a table with one recording for each.
fn table(texts: &[&str], layout: &Layout) -> Result<Dataset> {
    let rows: String = texts.iter().map(|text| format!("a.wav\t{text}\n")).collect();
    open(&[("t.tsv", &format!("path\ttext\n{rows}")), ("a.wav", "")], layout)
}

#[test]
fn symbols_are_those_of_the_texts_in_a_case() {
    for (letter_case, symbols) in [
        (LetterCase::Kept, "<pad> | 1 A a b É"),
        (LetterCase::Lower, "<pad> | 1 a b é"),
        (LetterCase::Upper, "<pad> | 1 A B É"),
    ] {
        let layout = Layout { letter_case, ..recordings() };
        let data = table(&["A  b", "aÉ1"], &layout).unwrap();
        assert_eq!(data.labels.join(" "), symbols);
        assert_eq!(data.vocabulary.as_ref().unwrap().case, letter_case);
        let Target::Text { text, .. } = &data.train[0].target else { panic!("no text") };
        assert_eq!(text, "A  b", "what was written stays");
    }
}

fn given(names: &str) -> Option<Symbols> {
    let names: Vec<String> = names.split(' ').map(str::to_string).collect();
    let vocabulary = Vocabulary::of_symbols(&names).unwrap();
    Some(Symbols { names, vocabulary })
}

#[test]
fn given_symbols_tell_the_case_of_the_texts() {
    let layout = Layout { symbols: given("<pad> <unk> | A B C"), ..recordings() };
    let data = table(&["a c", "bad", "ABBA"], &layout).unwrap();
    assert_eq!(data.labels.join(" "), "<pad> <unk> | A B C");
    let symbols = |at: usize| match &data.train[at].target {
        Target::Text { symbols, .. } => symbols.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((symbols(0), symbols(1)), (vec![3, 2, 5], vec![4, 3, 1]));
    assert_eq!(
        data.notes,
        [
            "the symbols are in upper case, and so the texts are written (2 of the training texts \
             were not)",
            "1 of the 3 train texts have characters without a symbol: D (1); they are learned as <unk>"
        ]
    );
    // What a person says counts.
    let layout = Layout { letter_case: LetterCase::Lower, ..layout };
    for symbols in ["<pad> <unk> | A B", "<pad> | A B"] {
        let layout = Layout { symbols: given(symbols), ..layout.clone() };
        let problem = table(&["a c", "b"], &layout).unwrap_err().to_string();
        assert!(problem.contains("no training text has one of the symbols"), "{problem}");
    }
    // A model's symbols in both cases leave texts as they are.
    let layout = Layout { symbols: given("<pad> | A a"), ..recordings() };
    assert_eq!(table(&["Aa"], &layout).unwrap().notes, [""; 0]);
}

#[test]
fn a_model_reads_texts_in_its_own_symbols() {
    let layout = Layout { letter_case: LetterCase::Lower, ..recordings() };
    let data = table(&["ab", "b a"], &layout).unwrap();
    let files = [("t.csv", "path,text,who\na.wav,AB b,x\na.wav,zz,y\n"), ("a.wav", "")];
    let root = folder(&files);
    let layout = Layout { group_column: Some("who".into()), ..recordings() };
    let found = evaluation(root.path(), &layout, data.config(), "DATA").unwrap();
    let texts: Vec<_> = found.items.iter().map(|item| item.target.clone()).collect();
    let text =
        |text: &str, symbols: &[i64]| Target::Text { text: text.into(), symbols: symbols.into() };
    // One that a model cannot write is wrong, not left out.
    assert_eq!(texts, [text("AB b", &[2, 3, 1, 3]), text("zz", &[])]);
    assert_eq!(found.items[1].group.as_deref(), Some("y"));
    assert!(
        found.notes[0].starts_with("1 of the 2 test texts have characters without a symbol: z")
    );
}

#[test]
fn texts_are_held_out_at_random_and_groups_stay_together() {
    let rows: String = (0..40).map(|i| format!("a.wav,text {i},s{}\n", i / 4)).collect();
    let text = format!("path,text,speaker\n{rows}");
    let files = [("t.csv", text.as_str()), ("a.wav", "")];
    let mut data = open(&files, &recordings()).unwrap();
    data.hold_out(0.25, 1).unwrap();
    assert_eq!((data.train.len(), data.validation.len()), (30, 10));
    let layout = Layout { group_column: Some("speaker".into()), ..recordings() };
    let mut data = open(&files, &layout).unwrap();
    data.hold_out(0.2, 1).unwrap();
    assert_eq!((data.train.len(), data.validation.len()), (32, 8));
    let of = |items: &[Item]| -> std::collections::BTreeSet<_> {
        items.iter().filter_map(|item| item.group.clone()).collect()
    };
    assert!(of(&data.train).is_disjoint(&of(&data.validation)));
    let mut data = open(&files, &layout).unwrap();
    data.fold(5, 2, 0).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (32, 8));
}
