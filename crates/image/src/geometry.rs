//! The numbers that a model's input is laid out by: what a person asks for, and what is settled.

use crosstune_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::Channels;

/// What a person asks for. What is left open is as the pretrained model has it, if that was trained
/// on pictures, and is else settled by the training pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageOptions {
    /// The side of the square that a model sees, in pixels. Left open to the pictures: as they are
    /// if they all have one size of at most 64 pixels, rounded up to a multiple of the patch; else
    /// 224.
    pub size: Option<u32>,
    /// The shorter side that a picture is scaled to before its middle is cut out, in pixels. Left
    /// open to the pictures: `size`, so that nothing is lost but what a square cannot show.
    pub resize: Option<u32>,
    /// The side of a patch, in pixels; it divides `size`. Left open to the pictures: about 2, 4 or
    /// 16 pixels, for sizes of up to 16, up to 64 and beyond.
    pub patch: Option<u32>,
    /// Grey or RGB. Left open to the pictures: grey if all are stored so.
    pub channels: Option<Channels>,
}

/// How a model's input is laid out, with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// The side of the square that a model sees, in pixels.
    pub size: u32,
    /// The shorter side that a picture is scaled to before its middle is cut out, in pixels.
    pub resize: u32,
    /// The side of a patch, in pixels; it divides `size`. `None`: the model takes pictures whole.
    pub patch: Option<u32>,
    /// Grey or RGB.
    pub channels: Channels,
}

/// How a model that is new to pictures takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// In patches.
    InPatches,
    /// Whole.
    Whole,
}

/// What the training pictures have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The width and height of all, in pixels, if they are the same.
    pub(crate) size: Option<(u32, u32)>,
    /// Whether all are stored in grey.
    pub(crate) grey: bool,
}

/// The size of models for photographs, in pixels (ViT, ResNet).
const USUAL_SIZE: u32 = 224;
/// The largest size at which pictures that are all alike keep theirs, in pixels.
pub(crate) const SMALL: u32 = 64;
/// The largest size that may be asked for, in pixels.
const LARGEST: u32 = 4_096;

impl ImageOptions {
    /// Checks what is asked for, whatever the pictures turn out to be.
    ///
    /// # Errors
    /// If a number is out of range, or if two contradict each other.
    pub fn validate(&self) -> Result<()> {
        let Self { size, resize, patch, .. } = *self;
        for (setting, pixels) in [("--size", size), ("--patch", patch)] {
            if let Some(pixels) = pixels.filter(|pixels| !(1..=LARGEST).contains(pixels)) {
                let problem = format!("{pixels} pixels; choose 1 to {LARGEST}");
                return Err(Error::Setting { setting, problem });
            }
        }
        if let Some(resize) = resize
            && size.is_none_or(|size| resize < size)
        {
            let size = size.map_or("none is given".into(), |size| format!("it is {size}"));
            let problem = format!("{resize} pixels; it needs a size of at most that, but {size}");
            return Err(Error::Setting { setting: "resize", problem });
        }
        match (size, patch) {
            (Some(size), Some(patch)) if size % patch != 0 => Err(undivided(size, patch)),
            _ => Ok(()),
        }
    }

    /// Checks what is asked for of a model that is new to pictures.
    ///
    /// # Errors
    /// If no patch fits the size, or if there are none.
    pub(crate) fn validate_for(&self, taken: Taken) -> Result<()> {
        match (taken, self.size, self.patch) {
            (Taken::InPatches, Some(size), None) if fitting(size).is_none() => {
                let step = usual_patch(size);
                let (less, more) = (size / step * step, size.next_multiple_of(step));
                Err(Error::Setting {
                    setting: "--size",
                    problem: format!(
                        "no patch of about {step} pixels divides {size}; choose a size of {less} \
                         or {more}, or give --patch {}",
                        neighbours(size, step)
                    ),
                })
            }
            (Taken::Whole, _, Some(_)) => Err(patchless()),
            _ => Ok(()),
        }
    }

    /// Settles what is left open for a model that is new to pictures. The options are valid.
    pub(crate) fn settle(&self, seen: Seen, taken: Taken) -> Geometry {
        let side = seen.size.map(|(width, height)| width.min(height));
        let side = side.filter(|&side| side <= SMALL).unwrap_or(USUAL_SIZE);
        let (size, patch) = match (taken, self.size, self.patch) {
            (Taken::Whole, size, _) => (size.unwrap_or(side), None),
            (Taken::InPatches, Some(size), patch) => {
                let patch = patch.or_else(|| fitting(size)).unwrap_or_else(|| usual_patch(size));
                (size, Some(patch))
            }
            (Taken::InPatches, None, patch) => {
                let patch = patch.unwrap_or_else(|| usual_patch(side));
                (side.next_multiple_of(patch), Some(patch))
            }
        };
        let stored = if seen.grey { Channels::Grey } else { Channels::Rgb };
        Geometry {
            size,
            resize: self.resize.unwrap_or(size),
            patch,
            channels: self.channels.unwrap_or(stored),
        }
    }

    /// Settles what is left open as a model of pictures has it; its publisher scales the shorter side
    /// to `resize`.
    ///
    /// # Errors
    /// If the model's patches do not divide the size that is asked for, or if it has none.
    pub(crate) fn settle_as(&self, model: Geometry) -> Result<Geometry> {
        let (size, patch) = match (model.patch, self.size, self.patch) {
            (None, _, Some(_)) => return Err(patchless()),
            (None, size, None) => (size.unwrap_or(model.size), None),
            (Some(patch), Some(size), None) if size % patch != 0 => {
                let (less, more) = (size / patch * patch, size.next_multiple_of(patch));
                let or = if less > 0 { format!("{less} or {more}") } else { more.to_string() };
                return Err(Error::Setting {
                    setting: "--size",
                    problem: format!(
                        "the model's patches of {patch} pixels do not divide {size}; choose a size \
                         of {or}, or give --patch {}",
                        neighbours(size, patch)
                    ),
                });
            }
            (Some(theirs), size, asked) => {
                let patch = asked.unwrap_or(theirs);
                (size.unwrap_or_else(|| model.size.next_multiple_of(patch)), Some(patch))
            }
        };
        // At another size, as much is cut off.
        let share = f64::from(model.resize) / f64::from(model.size);
        let resize = self.resize.unwrap_or_else(|| (f64::from(size) * share).round() as u32);
        let channels = self.channels.unwrap_or(model.channels);
        Ok(Geometry { size, resize: resize.max(size), patch, channels })
    }
}

fn undivided(size: u32, patch: u32) -> Error {
    Error::Setting {
        setting: "--patch",
        problem: format!(
            "{patch} does not divide the size of {size} pixels; {} would",
            neighbours(size, patch)
        ),
    }
}

fn patchless() -> Error {
    let problem = "the model takes pictures whole, not in patches; leave it out".into();
    Error::Setting { setting: "--patch", problem }
}

impl Geometry {
    /// The number of patches; `None`: the model takes pictures whole.
    pub fn patches(&self) -> Option<i64> {
        self.patch.map(|patch| i64::from(self.size / patch).pow(2))
    }

    /// The side of a patch.
    ///
    /// # Errors
    /// If there is none, or if it does not divide the size.
    pub(crate) fn divided(&self) -> Result<u32> {
        match self.patch {
            None => Err(Error::Setting {
                setting: "--weights",
                problem: "the trunk takes a sequence, but pictures are to be taken whole".into(),
            }),
            Some(patch) if !self.size.is_multiple_of(patch) => Err(undivided(self.size, patch)),
            Some(patch) => Ok(patch),
        }
    }
}

/// A geometry leaves nothing open.
impl From<Geometry> for ImageOptions {
    fn from(geometry: Geometry) -> Self {
        let Geometry { size, resize, patch, channels } = geometry;
        Self { size: Some(size), resize: Some(resize), patch, channels: Some(channels) }
    }
}

/// The patch for a size where both may be chosen: some 16 to 256 of them make a picture.
fn usual_patch(size: u32) -> u32 {
    match size {
        0..=16 => 2,
        17..=64 => 4,
        _ => 16,
    }
}

/// The largest patch that divides `size` and is near the usual one: at least half of it, as each
/// halving makes four times as many patches and sixteen times as much work.
fn fitting(size: u32) -> Option<u32> {
    let usual = usual_patch(size);
    (usual / 2..=usual).rev().find(|patch| size.is_multiple_of(*patch))
}

/// The patches nearest to `patch` that divide `size`, for a message: `14 or 28`.
fn neighbours(size: u32, patch: u32) -> String {
    let divides = |p: &u32| size.is_multiple_of(*p);
    let below = (1..patch.min(size + 1)).rev().find(divides);
    let above = (patch + 1..=size).find(divides);
    let words: Vec<_> = below.into_iter().chain(above).map(|p| p.to_string()).collect();
    words.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: ImageOptions =
        ImageOptions { size: None, resize: None, patch: None, channels: None };

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
            let geometry = options.settle(Seen { size: pictures, grey: false }, Taken::InPatches);
            let patch = geometry.divided().unwrap();
            assert_eq!((geometry.size, patch), expected, "{options:?} {pictures:?}");
            assert_eq!(geometry.resize, geometry.size);
            // What is settled stays settled.
            let again = ImageOptions::from(geometry);
            again.validate().unwrap();
            let other = Seen { size: seen(9, 9), grey: true };
            assert_eq!(again.settle(other, Taken::InPatches), geometry);
        }
    }

    #[test]
    fn a_model_that_takes_pictures_whole_takes_them_as_they_are() {
        let settle = |options: ImageOptions, width, height| {
            options.validate_for(Taken::Whole).unwrap();
            options.settle(Seen { size: Some((width, height)), grey: true }, Taken::Whole)
        };
        let whole = Geometry { size: 31, resize: 31, patch: None, channels: Channels::Grey };
        assert_eq!(settle(OPEN, 31, 33), whole);
        assert_eq!(settle(ImageOptions { size: Some(31), ..OPEN }, 500, 500), whole);
        assert_eq!(settle(OPEN, 500, 500).size, 224);
        assert_eq!((whole.patches(), whole.divided().is_err()), (None, true));
    }

    #[test]
    fn a_model_of_pictures_settles_what_is_open() {
        let geometry =
            |size, resize, patch| Geometry { size, resize, patch, channels: Channels::Rgb };
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
            assert_eq!(options.settle_as(model).unwrap(), expected, "{options:?}");
        }
        let asked = ImageOptions { channels: Some(Channels::Grey), resize: Some(300), ..OPEN };
        let asked = ImageOptions { size: Some(224), ..asked };
        let expected = Geometry { channels: Channels::Grey, resize: 300, ..vit };
        assert_eq!(asked.settle_as(vit).unwrap(), expected);
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
            let error = ImageOptions { size, patch, ..OPEN }.settle_as(model).unwrap_err();
            assert_eq!(error.to_string(), problem);
        }
    }

    #[test]
    fn grey_is_kept_unless_colour_is_asked_for() {
        let grey = Seen { size: None, grey: true };
        assert_eq!(OPEN.settle(grey, Taken::Whole).channels, Channels::Grey);
        assert_eq!(OPEN.settle(Seen::default(), Taken::InPatches).channels, Channels::Rgb);
        let asked = ImageOptions { channels: Some(Channels::Rgb), ..OPEN };
        assert_eq!(asked.settle(grey, Taken::InPatches).channels, Channels::Rgb);
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
}
