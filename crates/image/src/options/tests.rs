//! What is settled, and what is refused.

use super::*;

/// Everything left open.
pub(crate) const OPEN: ImageOptions = ImageOptions {
    lines: false,
    line_width: None,
    size: None,
    resize: None,
    patch: None,
    channels: None,
    resample: None,
    crop_mode: None,
    margin: None,
};

#[test]
fn what_is_open_is_settled_by_the_pictures() {
    let seen = |width, height| Some((width, height));
    for (size, patch, pictures, expected) in [
        (None, None, None, (224, 16)),
        (None, None, seen(640, 480), (224, 16)),
        (None, None, seen(8, 8), (8, 2)),
        (None, None, seen(28, 28), (28, 4)),
        (None, None, seen(64, 64), (64, 4)),
        (None, None, seen(65, 65), (224, 16)),
        // The shorter side counts, and grows until patches fit.
        (None, None, seen(40, 30), (32, 4)),
        (None, None, seen(1, 1), (2, 2)),
        (None, Some(5), seen(28, 28), (30, 5)),
        (None, Some(10), None, (230, 10)),
        // A size that was asked for stays, and the patch fits itself to it.
        (Some(96), None, seen(28, 28), (96, 16)),
        (Some(100), None, None, (100, 10)),
        (Some(30), None, None, (30, 3)),
        (Some(1), None, None, (1, 1)),
        (Some(32), Some(8), seen(28, 28), (32, 8)),
    ] {
        let options = ImageOptions { size, patch, ..OPEN };
        options.validate().unwrap();
        options.validate_for(Taken::InPatches).unwrap();
        let geometry = options.resolve(Seen { size: pictures, grey: false }, Taken::InPatches);
        let patch = geometry.divided().unwrap();
        assert_eq!((geometry.size, patch), expected, "{options:?} {pictures:?}");
        assert_eq!(geometry.resize, geometry.size);
        // What is settled stays settled.
        let again = ImageOptions::from(geometry);
        again.validate().unwrap();
        let other = Seen { size: seen(9, 9), grey: true };
        assert_eq!(again.resolve(other, Taken::InPatches), geometry);
    }
}

#[test]
fn a_model_that_takes_pictures_whole_takes_them_as_they_are() {
    let resolve = |options: ImageOptions, width, height| {
        options.validate_for(Taken::Whole).unwrap();
        options.resolve(Seen { size: Some((width, height)), grey: true }, Taken::Whole)
    };
    let whole = Geometry::new(31, 31, None, Channels::Grey);
    assert_eq!(resolve(OPEN, 31, 33), whole);
    assert_eq!(resolve(ImageOptions { size: Some(31), ..OPEN }, 500, 500), whole);
    assert_eq!(resolve(OPEN, 500, 500).size, 224);
    assert_eq!((whole.patches(), whole.divided().is_err()), (None, true));
}

#[test]
fn a_model_of_pictures_settles_what_is_open() {
    let geometry = |size, resize, patch| Geometry::new(size, resize, patch, Channels::Rgb);
    let vit = geometry(224, 256, Some(16));
    for (size, patch, model, expected) in [
        (None, None, vit, vit),
        (Some(112), None, vit, geometry(112, 128, Some(16))),
        (Some(112), Some(8), vit, geometry(112, 128, Some(8))),
        (None, Some(32), vit, geometry(224, 256, Some(32))),
        (None, Some(30), vit, geometry(240, 274, Some(30))),
        (Some(33), None, geometry(32, 32, None), geometry(33, 33, None)),
    ] {
        let options = ImageOptions { size, patch, ..OPEN };
        options.validate().unwrap();
        assert_eq!(options.resolve_as(model).unwrap(), expected, "{options:?}");
    }
    let asked = ImageOptions { channels: Some(Channels::Grey), resize: Some(300), ..OPEN };
    let asked = ImageOptions { size: Some(224), ..asked };
    let expected = Geometry { channels: Channels::Grey, resize: 300, ..vit };
    assert_eq!(asked.resolve_as(vit).unwrap(), expected);
    let (resample, crop_mode, margin) = (Resample::Bicubic, CropMode::Squash, Margin::Down);
    let squashed = Geometry { resample, crop_mode, margin, ..vit };
    assert_eq!(OPEN.resolve_as(squashed).unwrap(), squashed);
    let asked =
        ImageOptions { resample: Some(Resample::Lanczos), crop_mode: Some(CropMode::Crop), ..OPEN };
    let expected = Geometry { margin, resample: Resample::Lanczos, ..vit };
    assert_eq!(asked.resolve_as(squashed).unwrap(), expected);
    for (size, patch, model, problem) in [
        (
            Some(100),
            None,
            vit,
            "--size: the model's patches of 16 pixels do not divide 100; choose a size of 96 \
             or 112, or give --patch 10 or 20",
        ),
        (
            None,
            Some(4),
            geometry(32, 32, None),
            "--patch: the model takes pictures whole, not in patches; leave it out",
        ),
    ] {
        let error = ImageOptions { size, patch, ..OPEN }.resolve_as(model).unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
}

#[test]
fn grey_is_kept_unless_colour_is_asked_for() {
    let grey = Seen { size: None, grey: true };
    assert_eq!(OPEN.resolve(grey, Taken::Whole).channels, Channels::Grey);
    assert_eq!(OPEN.resolve(Seen::default(), Taken::InPatches).channels, Channels::Rgb);
    let asked = ImageOptions { channels: Some(Channels::Rgb), ..OPEN };
    assert_eq!(asked.resolve(grey, Taken::InPatches).channels, Channels::Rgb);
}

#[test]
fn what_cannot_be_is_refused_with_what_could() {
    let size = |size| ImageOptions { size: Some(size), ..OPEN };
    for (options, message) in [
        (size(0), "--size: 0 pixels; choose 1 to 4096"),
        (size(5_000), "--size: 5000 pixels; choose 1 to 4096"),
        (ImageOptions { patch: Some(0), ..OPEN }, "--patch: 0 pixels; choose 1 to 4096"),
        (
            ImageOptions { patch: Some(16), ..size(100) },
            "--patch: 16 does not divide the size of 100 pixels; 10 or 20 would",
        ),
        (
            ImageOptions { patch: Some(64), ..size(32) },
            "--patch: 64 does not divide the size of 32 pixels; 32 would",
        ),
        (
            size(31),
            "--size: no patch of about 4 pixels divides 31; choose a size of 28 or 32, or \
             give --patch 1 or 31",
        ),
        (
            ImageOptions { resize: Some(256), ..OPEN },
            "resize: 256 pixels; it needs a size of at most that, but none is given",
        ),
        (
            ImageOptions { resize: Some(200), ..size(224) },
            "resize: 200 pixels; it needs a size of at most that, but it is 224",
        ),
    ] {
        let validated = options.validate().and(options.validate_for(Taken::InPatches));
        assert_eq!(validated.unwrap_err().to_string(), message);
    }
}
