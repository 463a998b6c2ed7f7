//! Event files, beside those that TensorBoard's own messages make.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use super::*;
use crate::output::events::record::masked;

/// What `xtask/scripts/fixtures/event_files.py` writes, by TensorBoard's own protocol buffers.
const FIXTURE: &[u8] = include_bytes!("../../../../tests/fixtures/tensorboard/events");

/// The data of all records of a file, whose checksums must hold.
fn read(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut records = vec![];
    while !file.is_empty() {
        let (length, rest) = file.split_at(8);
        let size = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let (checksum, rest) = rest.split_at(4);
        assert_eq!(checksum, masked(length).to_le_bytes());
        let (data, rest) = rest.split_at(size);
        let (checksum, rest) = rest.split_at(4);
        assert_eq!(checksum, masked(data).to_le_bytes());
        records.push(data.to_vec());
        file = rest;
    }
    records
}

/// The same by our own.
fn written(folder: &Path, purge: Option<i64>) -> Vec<u8> {
    let mut events = Events::create(folder, purge).unwrap();
    events.out.get_mut().set_len(0).unwrap();
    io::Seek::rewind(events.out.get_mut()).unwrap();
    events.now = Some(1.75e9);
    events.begin(purge).unwrap();
    events.scalars(30, &[("train/loss", 0.5), ("learning_rate/new", 3e-3)]).unwrap();
    // The beginning of a file of 20 times 10 pixels.
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x14\0\0\0\n".to_vec();
    events.image(30, "validation/confusion", png).unwrap();
    let histogram = Histogram {
        min: -1.,
        max: 2.,
        num: 3.,
        sum: 1.5,
        sum_squares: 5.25,
        bucket_limit: vec![0.5, 2.],
        bucket: vec![1., 2.],
    };
    events.histogram(31, "head.weight", histogram).unwrap();
    events.text(0, "options", "| a | b |").unwrap();
    let options = BTreeMap::from([("lr".into(), json!(0.003))]);
    let metrics = ["validation/accuracy".into()];
    events.session(&Session { name: "see", options: &options, metrics: &metrics }).unwrap();
    events.end_session(true).unwrap();
    events.flush().unwrap();
    fs::read(&events.path).unwrap()
}

#[test]
fn the_bytes_are_tensorboards() {
    let folder = tempfile::tempdir().unwrap();
    let ours = written(folder.path(), Some(29));
    let (ours, theirs) = (read(&ours), read(FIXTURE));
    assert_eq!(ours.len(), theirs.len());
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours, theirs, "event {at}: {:?}", Event::decode(&ours[..]));
    }
}

#[test]
fn a_new_training_purges_nothing_and_takes_no_others_file() {
    let folder = tempfile::tempdir().unwrap();
    let first = read(&written(folder.path(), None));
    let event = Event::decode(&first[0][..]).unwrap();
    assert_eq!((event.step, event.what), (0, Some(What::FileVersion("brain.Event:2".into()))));
    let starts = |data: &Vec<u8>| {
        matches!(Event::decode(&data[..]).unwrap().what, Some(What::SessionLog(_)))
    };
    assert!(!first.iter().any(starts));
    let second = Events::create(folder.path(), None).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert!(is_event_file(&second.path.file_name().unwrap().to_string_lossy()));
}
