//! Samples that were there when a data set was read, and are deleted before they are needed again.

use std::{fs, path::Path};

use crosstune_core::{
    Device, Error, Item, MemoryBudget, Model, Pretrained, ReadMode, Samples, Target, evaluate,
};
use crosstune_text::TextSettings;

#[test]
fn a_sample_that_vanishes_is_left_out_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let items: Vec<Item> = (0..6)
        .map(|at| {
            let path = folder.path().join(format!("{at}.txt"));
            fs::write(&path, format!("the cat sat {}", "on ".repeat(at))).unwrap();
            Item { target: Target::Class(at % 2), ..Item::file(&path) }
        })
        .collect();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bert-pairs");
    let source = Pretrained::open(tiny).unwrap();
    let mut settings = TextSettings::new(Some(24));
    let model =
        Model::pretrained(&source, &mut settings, |_, _| unreachable!(), Device::Cpu).unwrap();
    // None is kept in memory.
    let read = |items: &[Item]| {
        Samples::read(&settings, items, ReadMode::Inference, &mut MemoryBudget::new(0), || ()).0
    };
    let mut samples = read(&items);
    fs::remove_file(folder.path().join("3.txt")).unwrap();
    let score = |samples: &Samples| evaluate(&model, &settings, samples, 2);
    match score(&samples) {
        Err(Error::BadSamples(bad)) => assert!(bad[0].to_string().contains("3.txt: "), "{bad:?}"),
        other => panic!("{other:?}"),
    }
    samples.skip_lost();
    let rest: Vec<_> = [&items[..3], &items[4..]].concat();
    let (got, expected) = (score(&samples).unwrap(), score(&read(&rest)).unwrap());
    assert!((got.loss() - expected.loss()).abs() < 1e-6, "{} and {}", got.loss(), expected.loss());
    let lost = samples.lost();
    assert!(lost.len() == 1 && lost[0].contains("3.txt: "), "{lost:?}");
    // A batch may lose all of its samples, but not all batches may.
    fs::remove_file(folder.path().join("2.txt")).unwrap();
    score(&samples).unwrap();
    (0..6).for_each(|at| drop(fs::remove_file(folder.path().join(format!("{at}.txt")))));
    match score(&samples) {
        Err(Error::BadSamples(bad)) => assert_eq!(bad.len(), 6),
        other => panic!("{other:?}"),
    }
}
