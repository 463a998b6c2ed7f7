//! The pipeline of samples: what is kept, what is refused.

use crosstune_core::{Dataset, MemoryBudget, Modality, ReadMode, Samples};
use crosstune_image::ImageSettings;

use crate::support::{root, train};

#[test]
fn memory_holds_what_fits_and_no_more() {
    let data = root().join("crates/image/samples/digits");
    let data = Dataset::open(data, &ImageSettings::layout()).unwrap();
    let mut pictures = ImageSettings::default();
    pictures.survey(&data.test.iter().map(|i| &i.input).collect::<Vec<_>>());
    let mut memory = MemoryBudget::new(10 * 64 + 63);
    let (samples, bad) =
        Samples::read(&pictures, &data.test, ReadMode::Inference, &mut memory, || ());
    assert!(bad.is_empty());
    assert_eq!((samples.len(), samples.in_memory(), memory.left()), (data.test.len(), 10, 63));
    assert_eq!(samples.subset(&pictures, ReadMode::Inference, 4).unwrap().len(), 4);
    // Not the first ten, which would all be of one class.
    let targets: Vec<_> = data.test.iter().map(|i| i.target.clone()).collect();
    assert_eq!(samples.targets(), targets);
}

#[test]
fn what_cannot_be_mixed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let ran = train("text", &folder.path().join("run"), &["--mixup", "0.2", "--epochs", "1"]);
    assert!(ran.error(2).starts_with("--mixup: token ids cannot be mixed"));
    let ran = train("image", &folder.path().join("run"), &["--memory", "4X"]);
    assert!(ran.stderr.contains("expected a number of bytes such as 500M or 16G"));
    assert_eq!(ran.code, 2);
}
