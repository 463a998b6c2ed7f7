//! Pictures as Pillow and torchvision see them; `xtask/scripts/fixtures/image.py` made the files.

use std::{fs, path::PathBuf};

use crosstune_core::Checkpoint;
use crosstune_image::{Channels, Picture, PictureError};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

/// The files of `formats/`, by name.
fn formats() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(fixture("formats")).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    });
    files.collect()
}

/// A tensor of u8 from a fixture: its shape and its values.
fn array(fixture: &Checkpoint, name: &str) -> (Vec<i64>, Vec<u8>) {
    let tensor = fixture.tensor(name).unwrap();
    (tensor.size(), Vec::try_from(tensor.flatten(0, -1)).unwrap())
}

/// The largest and the mean difference of two pictures.
fn difference(a: &[u8], b: &[u8]) -> (u8, f64) {
    assert_eq!(a.len(), b.len());
    let each = || a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    (each().max().unwrap(), each().map(f64::from).sum::<f64>() / a.len() as f64)
}

#[test]
fn every_colour_type_is_seen_as_pillow_sees_it() {
    let shown = Checkpoint::open(fixture("formats.safetensors")).unwrap();
    for (name, file) in formats() {
        for (key, channels) in
            [(name.clone(), Channels::Rgb), (name.clone() + ".grey", Channels::Grey)]
        {
            let picture = Picture::decode(&file, channels).unwrap();
            let (shape, expected) = array(&shown, &key);
            let size = [picture.height().into(), picture.width().into(), channels.count() as i64];
            assert_eq!(shape, size, "{key}");
            let (most, mean) = difference(picture.samples(), &expected);
            // JPEG decoders may round differently; PNG leaves no room.
            let within = if name.ends_with(".png") { (0, 0.) } else { (4, 0.5) };
            assert!(
                most <= within.0 && mean <= within.1,
                "{key}: {most} at most, {mean} on average"
            );
        }
    }
}

#[test]
fn scaling_and_cropping_agree_with_torchvision() {
    let cases = Checkpoint::open(fixture("resize.safetensors")).unwrap();
    let names: Vec<_> = cases.entries().filter_map(|(name, _)| name.strip_suffix(".in")).collect();
    assert_eq!(names.len(), 10);
    for name in names {
        let (shape, input) = array(&cases, &format!("{name}.in"));
        let (_, expected) = array(&cases, &format!("{name}.out"));
        let mut numbers = name.split('-').map_while(|word| word.parse().ok());
        let (resize, size) = (numbers.next().unwrap(), numbers.next().unwrap());
        let picture = Picture::decode(&png(&shape, &input), channels(&shape)).unwrap();
        let (most, mean) = difference(picture.fit(resize, size).unwrap().samples(), &expected);
        assert!(most <= 1 && mean < 0.3, "{name}: {most} at most, {mean} on average");
    }
}

fn channels(shape: &[i64]) -> Channels {
    if shape[2] == 1 { Channels::Grey } else { Channels::Rgb }
}

/// Samples `[height, width, channels]` as a PNG file.
fn png(shape: &[i64], samples: &[u8]) -> Vec<u8> {
    let color = match channels(shape) {
        Channels::Grey => ExtendedColorType::L8,
        Channels::Rgb => ExtendedColorType::Rgb8,
    };
    let mut file = vec![];
    PngEncoder::new(&mut file)
        .write_image(samples, shape[1] as u32, shape[0] as u32, color)
        .unwrap();
    file
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    for (name, file) in formats() {
        // Of a PNG file, the checksum of the empty last chunk may be missing.
        let end = if name.ends_with(".png") { file.len() - 4 } else { file.len() };
        for length in 0..end {
            let result = Picture::decode(&file[..length], Channels::Rgb);
            match result.expect_err(&format!("{length} bytes of {name}")) {
                PictureError::Empty => assert_eq!(length, 0),
                PictureError::Unknown => assert!(length < 8),
                PictureError::CutOff => {}
                other => panic!("{length} bytes of {name}: {other:?}"),
            }
        }
    }
}

#[test]
fn what_is_no_picture_is_told_by_its_contents() {
    let bomb = |name| fs::read(fixture("broken").join(name)).unwrap();
    let mut large = fs::read(fixture("formats/rgb.jpg")).unwrap();
    // The frame header: marker, length, precision, then height and width.
    let frame = large.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    large[frame + 5..frame + 9].fill(0xF0);
    for (file, message) in [
        (vec![], "the file is empty"),
        (b"A text, renamed.".to_vec(), "neither a JPEG nor a PNG picture, going by its contents"),
        (
            b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(),
            "a picture in the format Gif: only JPEG and PNG are read, so convert it",
        ),
        (
            bomb("bomb.png"),
            "50000 × 50000 pixels are too many: at most 200 million are read, so scale it down",
        ),
        (
            large,
            "61680 × 61680 pixels are too many: at most 200 million are read, so scale it down",
        ),
        (bomb("zero.png"), "the picture is damaged or of a rare kind"),
    ] {
        let error = Picture::decode(&file, Channels::Rgb).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let folder = Picture::open(fixture("formats"), Channels::Rgb).unwrap_err();
    assert!(matches!(folder, PictureError::Io(_)), "{folder:?}");
}
