//! Publishers' configurations.

use std::path::PathBuf;

use crosstune_core::Checkpoint;

use super::*;
use crate::picture::Picture;

fn usual() -> Published {
    let geometry = Geometry::new(224, 256, None, Channels::Rgb);
    Published { geometry, scale: Normalization::halves(3) }
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

#[test]
fn pictures_are_prepared_as_by_their_publishers() {
    let cases = Checkpoint::open(fixture("processors.safetensors")).unwrap();
    let names: Vec<_> = cases.entries().filter_map(|(name, _)| name.strip_suffix(".in")).collect();
    assert_eq!(names.len(), 2 * 7);
    for name in names {
        let (folder, _) = name.rsplit_once('.').unwrap();
        let folder = fixture("processors").join(folder);
        let (transformers, timm) = (folder.join(PREPROCESSOR), folder.join(CONFIG));
        let Published { geometry, scale } = if transformers.is_file() {
            let processor: Processor = read_json(&transformers).unwrap();
            processor.published(usual(), &transformers).unwrap()
        } else {
            let timm_config: Timm = read_json(&timm).unwrap();
            timm_config.config().published(usual(), true, &timm).unwrap()
        };
        let shown = cases.tensor(&format!("{name}.in")).unwrap();
        let picture = Picture {
            width: shown.size()[1] as u32,
            height: shown.size()[0] as u32,
            channels: Channels::Rgb,
            samples: Vec::try_from(shown.flatten(0, -1)).unwrap(),
        };
        let size = i64::from(geometry.size);
        let planes = picture.fit(&geometry).unwrap().into_planes();
        let planes = tch::Tensor::from_slice(&planes).view([1, 3, size, size]);
        let got = scale.apply(&planes).squeeze_dim(0);
        // Of large pictures, the fixture has every 23rd row and column.
        let large = geometry.size > 64;
        let step = if large { 23 } else { 1 };
        let got = got.slice(1, None, None, step).slice(2, None, None, step);
        // Before normalisation.
        let std = tch::Tensor::from_slice(&scale.std).view([3, 1, 1]);
        // Pillow rounds and clips between rows and columns, torchvision on tensors does not.
        let cubic = if geometry.resample == Resample::Bicubic { 2.001 } else { 1.001 };
        for (how, within) in [("pil", 1.001), ("tensor", cubic)] {
            let Ok(expected) = cases.tensor(&format!("{name}.{how}")) else {
                assert!(name.starts_with("timm") && how == "tensor");
                continue;
            };
            assert_eq!(got.size(), expected.size(), "{name}");
            let steps = (&got - expected).abs() * &std * 255.;
            let (most, mean) = (steps.max().double_value(&[]), steps.mean(None).double_value(&[]));
            assert!(most < within && mean < 0.3, "{name}.{how}: {most} at most, {mean} on average");
        }
    }
}

/// The size, the side before, and the scale of the first channel.
fn read(json: &str) -> Result<(u32, u32, f32, f32)> {
    let processor: Processor = serde_json::from_str(json).unwrap();
    let Published { geometry, scale } = processor.published(usual(), Path::new("p"))?;
    Ok((geometry.size, geometry.resize, scale.mean[0], scale.std[0]))
}

#[test]
fn processors_of_transformers_are_read() {
    for (json, expected) in [
        ("{}", (224, 256, 0.5, 0.5)),
        (
            r#"{"image_processor_type": "EfficientNetImageProcessor", "do_center_crop": false,
                "size": {"height": 64, "width": 64}, "image_mean": [0.25, 0, 0],
                "image_std": [0.5, 1, 1], "rescale_offset": true}"#,
            (64, 64, 1.25, 0.25),
        ),
        (
            r#"{"image_processor_type": "EfficientNetImageProcessor", "include_top": false,
                "image_mean": [0.25, 0, 0], "image_std": [0.5, 1, 1], "rescale_offset": false}"#,
            (224, 256, 0.25, 0.5),
        ),
        (
            r#"{"size": 384, "image_mean": [0.25, 0, 0], "image_std": [0.125, 1, 1]}"#,
            (384, 384, 0.25, 0.125),
        ),
        (r#"{"size": {"height": 96, "width": 96}, "crop_size": null}"#, (96, 96, 0.5, 0.5)),
        (
            r#"{"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}"#,
            (224, 256, 0.5, 0.5),
        ),
        (r#"{"size": 256, "crop_size": 224, "do_center_crop": false}"#, (256, 256, 0.5, 0.5)),
        (r#"{"size": 224, "crop_pct": 0.875}"#, (224, 256, 0.5, 0.5)),
        (r#"{"size": 384, "crop_pct": 0.875}"#, (384, 384, 0.5, 0.5)),
        (r#"{"do_normalize": false}"#, (224, 256, 0., 1.)),
        (r#"{"do_rescale": false, "image_mean": [51], "image_std": [102]}"#, (224, 256, 0.2, 0.4)),
        (r#"{"rescale_factor": 0.00784313725490196}"#, (224, 256, 0.5, 0.5)),
        (
            r#"{"rescale_factor": 0.00784313725490196, "image_mean": [1], "image_std": [1]}"#,
            (224, 256, 0.5, 0.5),
        ),
    ] {
        assert_eq!(read(json).unwrap(), expected, "{json}");
    }
}

#[test]
fn sizes_are_of_both_sides_or_of_the_shorter() {
    use CropMode::{Crop, Squash};
    let (bicubic, bilinear) = (Resample::Bicubic, Resample::Bilinear);
    for (json, expected) in [
        (r#"{"size": {"height": 96, "width": 96}, "resample": 3}"#, (Squash, bicubic)),
        (r#"{"size": 96}"#, (Squash, bilinear)),
        (r#"{"size": 96, "feature_extractor_type": "ViTFeatureExtractor"}"#, (Squash, bilinear)),
        (r#"{"size": 96, "feature_extractor_type": "CLIPFeatureExtractor"}"#, (Crop, bilinear)),
        (r#"{"size": 96, "image_processor_type": "BitImageProcessorFast"}"#, (Crop, bilinear)),
        (r#"{"size": {"shortest_edge": 96}, "resample": 2}"#, (Crop, bilinear)),
        (r#"{"size": 224, "crop_pct": 0.875}"#, (Crop, bilinear)),
        (r#"{"size": {"shortest_edge": 384}, "crop_pct": 0.875}"#, (Squash, bilinear)),
        ("{}", (Crop, bilinear)),
    ] {
        let processor: Processor = serde_json::from_str(json).unwrap();
        let Geometry { crop_mode, resample, margin, .. } =
            processor.published(usual(), Path::new("p")).unwrap().geometry;
        assert_eq!((crop_mode, resample, margin), (expected.0, expected.1, Margin::Down), "{json}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (json, problem) in [
        (r#"{"size": {"height": 96, "width": 64}}"#, "96 × 64 pixels are not supported"),
        (r#"{"size": 0}"#, "a size of 0 pixels"),
        (r#"{"size": 9, "crop_pct": 2}"#, "crop_pct is 2, expected 0 to 1"),
        (r#"{"image_mean": [0, 0]}"#, "2 means and 3 standard deviations for 3 channels"),
        (r#"{"image_std": [1, 0, 1]}"#, "0 is not a positive number"),
        (
            r#"{"resample": 6}"#,
            "a resample of 6 is not supported, only 2 (bilinear), 5 (hamming), 3 (bicubic), 1 (lanczos)",
        ),
    ] {
        let error = read(json).unwrap_err().to_string();
        assert!(error.starts_with("p: ") && error.contains(problem), "{error}");
    }
    let longest = serde_json::from_str::<Processor>(r#"{"size": {"longest_edge": 9}}"#);
    assert!(longest.unwrap_err().to_string().contains("expected a size as a number"));
}

#[test]
fn configs_of_timm_are_read() {
    let inner =
        r#"{"input_size": [3, 288, 288], "crop_pct": 0.9, "mean": [0, 0.5, 1], "std": [1, 1, 1]}"#;
    for (json, whole, expected) in [
        (format!(r#"{{"pretrained_cfg": {inner}}}"#), true, (288, 320)),
        (inner.to_string(), true, (288, 320)),
        (inner.to_string(), false, (224, 248)),
        ("{}".into(), true, (224, 256)),
    ] {
        let timm: Timm = serde_json::from_str(&json).unwrap();
        let got = timm.config().published(usual(), whole, Path::new("p")).unwrap();
        assert_eq!((got.geometry.size, got.geometry.resize), expected, "{json} {whole}");
        assert_eq!(got.scale.mean[0] == 0., json != "{}");
    }
}

#[test]
fn what_is_not_supported_of_timm_is_named() {
    for (json, problem) in [
        (r#"{"crop_mode": "border"}"#, "the crop_mode `border` is not supported"),
        (
            r#"{"interpolation": "cubic"}"#,
            "the interpolation `cubic` is not one of bilinear, hamming",
        ),
    ] {
        let timm: Timm = serde_json::from_str(json).unwrap();
        let error = timm.config().published(usual(), true, Path::new("p")).unwrap_err().to_string();
        assert!(error.starts_with("p: ") && error.contains(problem), "{error}");
    }
    let timm: Timm = serde_json::from_str(r#"{"interpolation": "random"}"#).unwrap();
    let got = timm.config().published(usual(), true, Path::new("p")).unwrap();
    assert_eq!(got.geometry.resample, Resample::Bilinear);
}
