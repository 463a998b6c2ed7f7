//! Settings over their life.

use std::{fs, iter, path::Path};

use crosstune_core::error::one_line;
use image::{ColorType, ImageFormat};
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::{augment::Policy, options::tests::OPEN};

/// Writes a picture of one intensity.
fn write(folder: &Path, name: &str, (width, height): (u32, u32), color: ColorType) -> Input {
    let path = folder.join(name);
    let bytes = vec![90; (width * height) as usize * usize::from(color.bytes_per_pixel())];
    image::save_buffer_with_format(&path, &bytes, width, height, color, ImageFormat::Png).unwrap();
    Input::File(path)
}

#[test]
fn a_survey_settles_size_patch_and_channels() {
    use ColorType::{L8, La8, Rgb8};
    let folder = tempfile::tempdir().unwrap();
    for (pictures, expected) in [
        (&[][..], (224, 16, Channels::Rgb)),
        (&[((8, 8), L8), ((8, 8), La8)], (8, 2, Channels::Grey)),
        (&[((28, 28), L8), ((28, 28), Rgb8)], (28, 4, Channels::Rgb)),
        (&[((28, 28), L8), ((28, 30), L8)], (224, 16, Channels::Grey)),
        (&[((100, 100), Rgb8), ((100, 100), Rgb8)], (224, 16, Channels::Rgb)),
        (&[((50, 33), Rgb8)], (36, 4, Channels::Rgb)),
    ] {
        let mut inputs: Vec<_> = pictures
            .iter()
            .enumerate()
            .map(|(i, &(size, color))| write(folder.path(), &format!("{i}.png"), size, color))
            .collect();
        // What cannot be read is passed over.
        let broken = folder.path().join("broken.png");
        fs::write(&broken, "no picture").unwrap();
        inputs.extend([Input::File(broken), Input::Text("no file".into())]);
        let mut settings = ImageSettings::default();
        settings.survey(&inputs.iter().collect::<Vec<_>>());
        let Geometry { size, patch, channels, .. } = *settings.geometry();
        assert_eq!((size, patch.unwrap(), channels), expected, "{pictures:?}");
    }
}

#[test]
fn a_sample_has_planes_of_the_size_and_says_what_it_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path(), "a.png", (9, 5), ColorType::Rgba8);
    let asked = ImageOptions { size: Some(6), patch: Some(3), ..Default::default() };
    let sample = ImageSettings::new(asked).unwrap().read(&input).unwrap();
    assert_eq!((sample.size(), sample.kind()), (vec![3, 6, 6], Kind::Uint8));
    let text = ImageSettings::default().read(&Input::Text("a".into())).unwrap_err();
    assert_eq!(text.to_string(), "a picture must be a file, but this is a text");
}

#[test]
fn a_batch_has_the_scale_of_the_training_set() {
    let sample = |values: &[u8]| Tensor::from_slice(values).view([3, 1, 2]);
    // Red is 0, 0, 255, 255: mean and deviation a half. Green is always 51, a fifth: nothing
    // to scale. Blue is 0, 51, 102, 255 or 0, 1/5, 2/5, 1: mean 2/5, variance 0.56/4.
    let train = [sample(&[0, 0, 51, 51, 0, 51]), sample(&[255, 255, 51, 51, 102, 255])];
    let mut settings = ImageSettings::default();
    settings.fit_normalization(&train.iter().filter_map(|x| settings.moments(x)).collect());
    let expected_mean = [0.5, 0.2, 0.4];
    let expected_std = [0.5, 1. / 255., 0.14f32.sqrt()];
    let close = |a: &[f32], b: &[f32]| iter::zip(a, b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close(&settings.scale().mean, &expected_mean), "{:?}", settings.scale());
    assert!(close(&settings.scale().std, &expected_std), "{:?}", settings.scale());

    let batch = settings.batch(&[&train[1], &sample(&[51, 0, 52, 51, 102, 0])]);
    assert_eq!((batch.x.size(), batch.x.kind()), (vec![2, 3, 1, 2], Kind::Float));
    assert!(batch.attention_mask.is_none());
    let values = Vec::<f32>::try_from(batch.x.flatten(0, -1)).unwrap();
    let blue = |v: f32| (v - 0.4) / 0.14f32.sqrt();
    let first = [1., 1., 0., 0., blue(0.4), blue(1.)];
    let second = [-0.6, -1., 1., 0., blue(0.4), blue(0.)];
    let expected = [first, second].concat();
    assert!(iter::zip(&values, &expected).all(|(a, b)| (a - b).abs() < 1e-5), "{values:?}");
}

#[test]
fn saved_settings_are_settled_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path(), "a.png", (12, 12), ColorType::L8);
    let mut settings = ImageSettings::default();
    settings.survey(&[&input]);
    let sample = settings.read(&input).unwrap();
    settings.fit_normalization(&settings.moments(&sample).unwrap());
    settings.save(folder.path()).unwrap();
    let mut opened = ImageSettings::open(folder.path()).unwrap();
    assert_eq!((opened.geometry(), opened.scale()), (settings.geometry(), settings.scale()));
    opened.survey(&[]);
    assert_eq!(opened.geometry(), settings.geometry());

    let file = folder.path().join(crosstune_core::modality::PREPROCESSING);
    let saved = fs::read_to_string(&file).unwrap();
    for (from, to, problem) in [
        ("\"patch\": 2", "\"patch\": 5", "5 does not divide the size of 12 pixels; 4 or 6"),
        ("grey", "rgb", "1 means and 1 standard deviations for 3 channels"),
        ("\"std\": [", "\"std\": [0, ", "1 means and 2 standard deviations for 1 channel"),
        ("0.003921569", "0", "0 is not a positive number"),
    ] {
        let broken = saved.replace(from, to);
        assert_ne!(broken, saved, "{from}");
        fs::write(&file, broken).unwrap();
        let error = ImageSettings::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

/// A picture of four quarters, of one channel.
fn quarters(folder: &Path, side: u32) -> Input {
    let path = folder.join("quarters.png");
    let picture = image::GrayImage::from_fn(side, side, |x, y| {
        image::Luma([if (x < side / 2) == (y < side / 2) { 200 } else { 50 }])
    });
    picture.save(&path).unwrap();
    Input::File(path)
}

#[test]
fn what_is_kept_is_enough_to_crop_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let input = quarters(folder.path(), 100);
    let asked = ImageOptions { size: Some(16), channels: Some(Channels::Grey), ..OPEN };
    let plain = ImageSettings::new(asked).unwrap();
    assert_eq!(plain.read_for_training(&input).unwrap(), plain.read(&input).unwrap());
    let mut rng = Rng::seed_from_u64(0);
    let sample = plain.read(&input).unwrap();
    assert_eq!(plain.augment(&sample, &mut rng), sample);

    let varied = plain.clone().with_augment(Augment::standard(Policy::None)).unwrap();
    let kept = varied.read_for_training(&input).unwrap();
    assert_eq!(kept.size(), [1, 32, 32]);
    let samples: Vec<_> = (0..8).map(|_| varied.augment(&kept, &mut rng)).collect();
    assert!(samples.iter().all(|sample| sample.size() == [1, 16, 16]));
    assert!(samples.iter().any(|sample| *sample != samples[0]));
    // What is not trained on is not varied.
    assert_eq!(varied.read(&input).unwrap(), sample);
    let small = ImageOptions { size: Some(64), ..asked };
    let small = ImageSettings::new(small).unwrap().with_augment(Augment::standard(Policy::None));
    assert_eq!(small.unwrap().read_for_training(&input).unwrap().size(), [1, 100, 100]);
}

#[test]
fn augmentation_and_background_are_saved_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let augment = Augment { erase: 0.25, ..Augment::standard(Policy::Trivial) };
    let settings = ImageSettings::default()
        .with_background(Background([1, 2, 3]))
        .with_augment(augment)
        .unwrap();
    settings.save(folder.path()).unwrap();
    assert_eq!(ImageSettings::open(folder.path()).unwrap().augmentation(), &augment);
    assert_eq!(ImageSettings::open(folder.path()).unwrap().background(), Background([1, 2, 3]));

    let file = folder.path().join(crosstune_core::modality::PREPROCESSING);
    let saved = fs::read_to_string(&file).unwrap();
    for (from, to, problem) in [
        ("0.25", "1.25", "--erase: 1.25: must be at least 0 and at most 1"),
        ("#010203", "#01020", "`#01020` is no colour"),
        ("\"trivial\"", "\"gaussian\"", "gaussian"),
    ] {
        let broken = saved.replace(from, to);
        assert_ne!(broken, saved, "{from}");
        fs::write(&file, broken).unwrap();
        let error = one_line(&ImageSettings::open(folder.path()).unwrap_err());
        assert!(error.contains(problem), "{error}");
    }
    // Run folders of before had neither.
    let mut old: Map<String, Value> = serde_json::from_str(&saved).unwrap();
    for key in ["background", "augment", "resample", "crop_mode", "margin"] {
        assert!(old.remove(key).is_some(), "{key}");
    }
    write_json(&file, &old).unwrap();
    assert_eq!(ImageSettings::open(folder.path()).unwrap(), {
        let opened = ImageSettings::default();
        let asked = ImageOptions::from(*opened.geometry());
        ImageSettings { asked, ..opened }
    });
}

#[test]
fn sizes_and_thumbnails_are_of_the_upright_picture() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ImageSettings::default();
    let turned: std::path::PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/formats/turned.jpg"].iter().collect();
    for name in ["turned.jpg", "turned.webp", "turned.tif"] {
        let input = Input::File(turned.with_file_name(name));
        assert_eq!(settings.size(&input).unwrap(), [12., 17.], "{name}");
        let Preview::Picture { width, height, rgb } = settings.preview(&input).unwrap() else {
            panic!("{name} is a picture");
        };
        assert_eq!((width, height, rgb.len()), (12, 17, 12 * 17 * 3));
    }
    let Preview::Picture { width, height, rgb } =
        settings.preview(&quarters(folder.path(), 300)).unwrap()
    else {
        panic!("a picture");
    };
    assert_eq!((width, height, rgb.len()), (128, 128, 128 * 128 * 3));
    assert_eq!(rgb[..3], [200; 3]);
}
