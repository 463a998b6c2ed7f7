//! Parquet as Hugging Face's `datasets` and pyarrow write it; `xtask/scripts/fixtures/text_parquet.py`
//! made the files.

use std::path::PathBuf;

use parquet::file::reader::{FileReader, SerializedFileReader};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use regex::Regex;

use super::*;
use crate::data::dataset::Dataset;
use crate::data::duplicates::duplicates;
use crate::data::inputs::inputs;
use crate::data::item::{Input, Item};
use crate::data::layout::Layout;
use crate::task::{Target, Task};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/parquet", name].iter().collect()
}

#[test]
fn a_repository_of_the_hub() {
    let data = Dataset::open(fixture("hub"), &texts()).unwrap();
    assert_eq!(data.labels, ["bad", "good"]);
    let train = shown(&data.train, &data.labels);
    assert_eq!(train, ["good:so good", "bad:so bad", "good:très bon"]);
    assert_eq!(shown(&data.test, &data.labels), ["bad:最悪", "good:fine"]);
    assert_eq!(data.train[2].place.to_string(), {
        let part = fixture("hub/data/train-00001-of-00002.parquet");
        format!("{}:1", part.display())
    });
    assert!(data.ignored.is_empty());
    // The folder below, and one file of it.
    assert_eq!(Dataset::open(fixture("hub/data"), &texts()).unwrap().train, data.train);
    let part = fixture("hub/data/train-00000-of-00002.parquet");
    assert_eq!(Dataset::open(part, &texts()).unwrap().train, data.train[..2]);
}

#[test]
fn a_table_holds_files() {
    let mut data = Dataset::open(fixture("files.parquet"), &pictures()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["cat:", "dog:", "dog:"]);
    assert!(matches!(data.train[1].input, Input::Stored(_)), "read when it is needed");
    assert_eq!(contents(&data.train[1]), b"\x89PNG second");
    let layout = Layout { group_pattern: Some(Regex::new("^.").unwrap()), ..pictures() };
    let message = Dataset::open(fixture("files.parquet"), &layout).unwrap_err().to_string();
    assert!(message.contains(".parquet:2: \"\" has no group"), "names are known: {message}");
    data.test = data.train.split_off(2);
    let [duplicate] = &duplicates(&data)[..] else { panic!("not one duplicate") };
    assert!(duplicate.across_splits() && duplicate.labels_differ());
}

/// The contents of a file in a table.
fn contents(item: &Item) -> Vec<u8> {
    match &*item.input.loaded().unwrap() {
        Input::Bytes { bytes, .. } => bytes.to_vec(),
        other => panic!("no file: {other:?}"),
    }
}

/// What the script writes into row `at`, counted from 0.
fn written(at: usize) -> Vec<u8> {
    format!("picture {at} ").repeat(1 + at % 90).into_bytes()
}

#[test]
fn files_are_read_in_any_order() {
    let path = fixture("stored.parquet");
    let data = Dataset::open(&path, &pictures()).unwrap();
    assert_eq!(data.train.len(), 120);
    let mut order: Vec<usize> = (0..120).collect();
    for at in &order {
        assert_eq!(contents(&data.train[*at]), written(*at), "one after the other");
    }
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(3));
    order.par_iter().for_each(|at| assert_eq!(contents(&data.train[*at]), written(*at)));
    let target = |at: usize| data.train[at].target.class();
    assert!((0..120).all(|at| target(at) == Some(at % 3)));
    let stretches: Vec<_> = data.train.iter().map(|item| item.input.stretch().unwrap()).collect();
    assert!(stretches.is_sorted() && stretches[49] == stretches[0] && stretches[50] > stretches[0]);
}

#[test]
fn a_row_without_a_file_is_told() {
    let path = fixture("holes.parquet");
    let message = Dataset::open(&path, &pictures()).unwrap_err().to_string();
    assert!(message.contains("holes.parquet:3: names a file that is not there"), "{message}");
    let layout = Layout { skip_bad: true, ..pictures() };
    let data = Dataset::open(&path, &layout).unwrap();
    assert_eq!((data.train.len(), data.bad.len()), (5, 1));
    let rows: Vec<_> = data.train.iter().map(contents).collect();
    assert_eq!(rows, [0, 1, 3, 4, 5].map(written));
}

#[test]
fn a_broken_row_group_is_left_out() {
    let whole = fs::read(fixture("stored.parquet")).unwrap();
    let reader =
        SerializedFileReader::new(fs::File::open(fixture("stored.parquet")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.parquet");
    let broken = |leaf: usize, at: usize| {
        let (start, _) = reader.metadata().row_group(1).column(leaf).byte_range();
        let mut broken = whole.clone();
        broken[start as usize + at..][..12].fill(0xFF);
        fs::write(&path, broken).unwrap();
        let layout = Layout { skip_bad: true, ..pictures() };
        Dataset::open(&path, &layout)
    };
    // Its labels: nothing can be known of its rows.
    let labels = broken(2, 30).unwrap();
    assert_eq!(labels.train.len(), 70, "{:?}", labels.bad);
    assert_eq!(labels.bad.len(), 1);
    let said = labels.bad[0].to_string();
    assert!(said.contains(".parquet:51: row group 2 (to row 100): "), "{said}");
    // Its files: found when they are read.
    let files = broken(0, 60).unwrap();
    assert_eq!((files.train.len(), files.bad.len()), (120, 0));
    let readable = |item: &Item| item.input.loaded().is_ok_and(|_| true);
    assert!(files.train[..50].iter().chain(&files.train[100..]).all(readable));
    let error = files.train[50].input.loaded().unwrap_err().to_string();
    assert!(error.contains("cannot be read") && !error.contains('\n'), "{error}");
}

#[test]
fn columns_of_other_writers() {
    let layout = Layout { label_column: Some("number".into()), ..texts() };
    let data = Dataset::open(fixture("plain.parquet"), &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["1:one", "2:two", "3:three"]);
    for (layout, said) in [
        (texts(), ":2: the row has no label in column 4 of 4"),
        (
            Layout { input_column: Some("tags".into()), ..layout.clone() },
            ":1: the text in column 2 is a list, not a text",
        ),
        (
            Layout { input_column: Some("review".into()), ..layout },
            "no column \"review\"; its columns are: text, tags, number, label",
        ),
    ] {
        let message = Dataset::open(fixture("plain.parquet"), &layout).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
    let message = Dataset::open(fixture("unlabelled.parquet"), &texts()).unwrap_err().to_string();
    assert!(message.contains(".parquet:2: the row has no label in column 3 of 3"), "{message}");
}

#[test]
fn several_labels_and_numbers() {
    let path = fixture("several.parquet");
    let layout = Layout { task: Task::MultiLabel, ..texts() };
    let data = Dataset::open(&path, &layout).unwrap();
    assert_eq!(data.labels, ["anger", "fear", "joy"]);
    assert_eq!(shown(&data.train, &data.labels), ["anger|joy:one", ":two", "fear:three"]);
    let layout = Layout { task: Task::Regression, label_column: Some("score".into()), ..texts() };
    let data = Dataset::open(&path, &layout).unwrap();
    assert_eq!(data.labels, ["score"]);
    let targets: Vec<_> = data.train.iter().map(|item| item.target.clone()).collect();
    assert_eq!(targets, [0.5, -2., 1e6].map(|score| Target::Values(vec![score])));
    // One class each is something else.
    let layout = Layout { label_column: Some("labels".into()), ..texts() };
    let message = Dataset::open(&path, &layout).unwrap_err().to_string();
    assert!(message.contains(":1: "), "{message}");
}

#[test]
fn codecs_that_cannot_fill_the_memory() {
    let expected = Dataset::open(fixture("none.parquet"), &texts()).unwrap();
    assert_eq!((expected.train.len(), &*expected.labels.join(" ")), (200, "false true"));
    for codec in ["snappy", "zstd", "lz4"] {
        let data = Dataset::open(fixture(&format!("{codec}.parquet")), &texts()).unwrap();
        let inputs = |data: &Dataset| {
            let of = |item: &Item| (item.input.clone(), item.place.line, item.target.clone());
            data.train.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(inputs(&data), inputs(&expected), "{codec}");
    }
    let message = Dataset::open(fixture("gzip.parquet"), &texts()).unwrap_err().to_string();
    assert!(message.contains("compressed by GZIP; ") && message.contains("write it with snappy"));
}

/// What is said of a file with these contents; `None` if it is read.
fn said(contents: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.parquet");
    fs::write(&path, contents).unwrap();
    let message = Dataset::open(&path, &texts()).err()?.to_string();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    // At most a line for each of its row groups.
    assert!(message.lines().count() <= 4, "{message:?} has several lines");
    Some(message)
}

#[test]
fn a_page_that_would_fill_the_memory_is_not_unpacked() {
    let path = fixture("bomb.parquet");
    assert!(fs::metadata(&path).unwrap().len() < 64 << 10);
    let message = Dataset::open(&path, &texts()).unwrap_err().to_string();
    let said = "bomb.parquet: its pages would fill more than 256 MiB, far more than a file of this size holds";
    assert!(message.ends_with(said), "{message}");
    // A column that nobody reads is not unpacked.
    let layout = Layout { input_column: Some("label".into()), ..texts() };
    assert_eq!(inputs(&path, &layout).unwrap().items.len(), 2);
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for name in ["snappy", "zstd", "hub/data/train-00000-of-00002"] {
        let whole = fs::read(fixture(&format!("{name}.parquet"))).unwrap();
        for end in (0..whole.len()).step_by(7) {
            assert!(said(&whole[..end]).is_some(), "{name} cut at {end} is read");
        }
        // Without its beginning, all offsets are wrong.
        assert!(said(&whole[100..]).is_some());
    }
}

#[test]
fn a_footer_that_names_places_outside_is_refused() {
    // A negative offset, which fuzzing found.
    let message = said(&fs::read(fixture("negative.parquet")).unwrap()).unwrap();
    assert!(message.contains("its footer names offsets outside of it"), "{message}");
}

#[test]
fn what_the_library_panics_at_is_an_error() {
    // A level that is cut short, which fuzzing found.
    let message = said(&fs::read(fixture("damaged.parquet")).unwrap()).unwrap();
    assert!(message.contains("not a Parquet file that can be read"), "{message}");
}

#[test]
fn damage_is_no_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut refused = 0;
    for name in ["snappy", "zstd", "none", "lz4", "plain", "hub/data/train-00000-of-00002"] {
        let whole = fs::read(fixture(&format!("{name}.parquet"))).unwrap();
        for _ in 0..150 {
            let mut broken = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..broken.len());
                broken[at] = (rng.next_u32() & 0xFF) as u8;
            }
            refused += usize::from(said(&broken).is_some());
        }
    }
    assert!(refused > 200, "{refused} of 900 are refused");
}

#[test]
fn recordings_with_their_texts() {
    use crate::data::tests::transcript_tests::recordings;
    let path = fixture("spoken.parquet");
    let message = Dataset::open(&path, &recordings()).unwrap_err().to_string();
    assert!(message.contains(".parquet:3: the row has no text in column 3 of 4"), "{message}");
    // The files themselves, not the names that they had elsewhere.
    let layout = Layout { skip_bad: true, ..recordings() };
    let data = Dataset::open(&path, &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["ONE TWO:", "TWO:"]);
    assert!(data.notes[0].starts_with("a column speaker_id tells who speaks"), "{:?}", data.notes);
    let layout = Layout { group_column: Some("speaker_id".into()), ..layout };
    assert_eq!(Dataset::open(&path, &layout).unwrap().train[1].group.as_deref(), Some("20"));
    let asked = inputs(&path, &recordings()).unwrap().items;
    assert!(asked.len() == 3 && contents(&asked[2]) == b"fLaC c");
}
