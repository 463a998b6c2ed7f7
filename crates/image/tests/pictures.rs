//! Pictures as Pillow and torchvision see them; `xtask/scripts/fixtures/image.py` made the files.

mod support;

use support::{fixture, formats};

use crosstune_core::Checkpoint;
use crosstune_image::{
    Background, Channels, CropMode, Geometry, ImageOptions, ImageSettings, Picture, PictureError,
    Resample,
};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// Decodes on white.
fn decode(file: &[u8], channels: Channels) -> Result<Picture, PictureError> {
    Picture::decode(file, channels, Background::default())
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
            let picture = decode(&file, channels).unwrap();
            let (shape, expected) = array(&shown, &key);
            let size = [picture.height().into(), picture.width().into(), channels.count() as i64];
            assert_eq!(shape, size, "{key}");
            let (most, mean) = difference(picture.samples(), &expected);
            // Lossy decoders may round differently; the others leave no room.
            let lossy = ["rgb.webp", "jpeg.tif"].iter().any(|end| name.ends_with(end));
            let within = if lossy { (4, 0.5) } else { (0, 0.) };
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
    assert_eq!(names.len(), 48);
    for name in names {
        let (shape, input) = array(&cases, &format!("{name}.in"));
        let (_, expected) = array(&cases, &format!("{name}.out"));
        let [filter, fit, resize, size, _] = name.split('-').collect::<Vec<_>>()[..] else {
            panic!("{name}");
        };
        let resample = Resample::ALL.into_iter().find(|r| r.name() == filter).unwrap();
        let fit = if fit == "squash" { CropMode::Squash } else { CropMode::Crop };
        let geometry = geometry(resize.parse().unwrap(), size.parse().unwrap(), resample, fit);
        let picture = decode(&png(&shape, &input), channels(&shape)).unwrap();
        assert!(picture.fit(&geometry).unwrap().samples() == expected, "{name}");
    }
}

#[test]
fn random_pictures_of_many_sizes_are_scaled_as_pillow_scales_them() {
    type Case = (String, String, u32, u32, u32, u32, u32, u32);
    let cases = std::fs::read(fixture("resized.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    assert_eq!(cases.len(), 600);
    for (seed, case) in (0..).zip(&cases) {
        let (filter, fit, width, height, channels, resize, size, expected) = case;
        let noise = |n: u32| {
            let x = n.wrapping_mul(0x9E37_79B1).wrapping_add(seed);
            let x = (x ^ x >> 15).wrapping_mul(0x2C1B_3C6D);
            ((x ^ x >> 12) >> 24) as u8
        };
        let samples: Vec<u8> = (0..width * height * channels).map(noise).collect();
        let resample = Resample::ALL.into_iter().find(|r| r.name() == filter).unwrap();
        let fit = if fit == "squash" { CropMode::Squash } else { CropMode::Crop };
        let shape = [*height, *width, *channels].map(i64::from);
        let picture = decode(&png(&shape, &samples), self::channels(&shape)).unwrap();
        let fitted = picture.fit(&geometry(*resize, *size, resample, fit)).unwrap();
        let hash = |hash: u32, &byte: &u8| hash.wrapping_mul(31).wrapping_add(byte.into());
        assert_eq!(fitted.samples().iter().fold(0, hash), *expected, "{seed}: {case:?}");
    }
}

fn geometry(resize: u32, size: u32, resample: Resample, fit: CropMode) -> Geometry {
    let asked = ImageOptions {
        size: Some(size),
        resize: Some(resize),
        patch: Some(size),
        resample: Some(resample),
        crop_mode: Some(fit),
        ..ImageOptions::default()
    };
    *ImageSettings::new(asked).unwrap().geometry()
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
