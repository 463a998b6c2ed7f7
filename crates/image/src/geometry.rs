//! The geometry of a model's input.

use crosstune_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::{picture::Channels, resample::Resample};

/// How a picture becomes a square.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropMode {
    /// Its shorter side is scaled to the size, and the longer one is cropped at both ends.
    #[default]
    Crop,
    /// Both sides are scaled to the size, which changes the aspect ratio.
    Squash,
}

/// How the margin before a crop is rounded if it is half a pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Margin {
    /// To the nearest even number of pixels: torchvision, timm.
    #[default]
    Even,
    /// Down: transformers.
    Down,
}

/// The geometry of a model's input, with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// The side of the square that a model sees, or the height of a line of text, in pixels.
    pub size: u32,
    /// The width of a line of text, in pixels: pictures are scaled to the height, and filled up on the
    /// right, or squeezed if they are wider. `None`: pictures become squares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_width: Option<u32>,
    /// The side that a picture is scaled to before the centre crop (the shorter one, unless it is
    /// squashed), in pixels.
    pub resize: u32,
    /// The side of a patch, in pixels; it divides `size`. `None`: the model takes pictures whole.
    pub patch: Option<u32>,
    /// Grey or RGB.
    pub channels: Channels,
    /// The resampling filter.
    #[serde(default)]
    pub resample: Resample,
    /// How a picture becomes a square.
    #[serde(default, alias = "fit")]
    pub crop_mode: CropMode,
    /// How a margin of half a pixel is rounded.
    #[serde(default)]
    pub margin: Margin,
}

/// The error that this patch does not divide this size.
pub(crate) fn undivided(size: u32, patch: u32) -> Error {
    Error::Setting {
        setting: "--patch",
        problem: format!(
            "{patch} does not divide the size of {size} pixels; {} would",
            neighbours(size, patch)
        ),
    }
}

impl Geometry {
    /// A centre crop of `size` pixels after the shorter side is scaled to `resize`, bilinearly.
    pub fn new(size: u32, resize: u32, patch: Option<u32>, channels: Channels) -> Self {
        let (resample, crop_mode, margin) = (Resample::Bilinear, CropMode::Crop, Margin::Even);
        let line_width = None;
        Self { size, line_width, resize, patch, channels, resample, crop_mode, margin }
    }

    /// The height and the width of what a model sees, in pixels.
    pub(crate) fn sides(&self) -> [i64; 2] {
        [self.size, self.line_width.unwrap_or(self.size)].map(i64::from)
    }

    /// The number of patches; `None`: the model takes pictures whole.
    pub fn patches(&self) -> Option<i64> {
        self.patch.map(|patch| self.sides().map(|side| side / i64::from(patch)).iter().product())
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

/// The patches nearest to `patch` that divide `size`, for a message: `14 or 28`.
pub(crate) fn neighbours(size: u32, patch: u32) -> String {
    let divides = |p: &u32| size.is_multiple_of(*p);
    let below = (1..patch.min(size + 1)).rev().find(divides);
    let above = (patch + 1..=size).find(divides);
    let words: Vec<_> = below.into_iter().chain(above).map(|p| p.to_string()).collect();
    words.join(" or ")
}
