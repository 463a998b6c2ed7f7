//! The options of pictures, and how those that are left open are resolved.

use crosstune_core::{Error, Result};

use crate::{
    geometry::{CropMode, Geometry, Margin, neighbours, undivided},
    picture::Channels,
    resample::Resample,
};

/// The options of pictures. Options left open (`None`) follow the pretrained model, if it was
/// trained on pictures, or else the training pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageOptions {
    /// Whether pictures are lines of text, which keep their shape: they are scaled to the height `size`,
    /// which is 32 pixels if it is left open.
    pub lines: bool,
    /// The width of such lines, in pixels. Left open to the pictures: that of the widest.
    pub line_width: Option<u32>,
    /// The side of the square that a model sees, in pixels. Left open to the pictures: as they are
    /// if they all have one size of at most 64 pixels, rounded up to a multiple of the patch; else
    /// 224.
    pub size: Option<u32>,
    /// The side that a picture is scaled to before the centre crop (the shorter one, unless it is
    /// squashed), in pixels. Left open to the pictures: `size`, so that nothing is lost but what a
    /// square cannot show.
    pub resize: Option<u32>,
    /// The side of a patch, in pixels; it divides `size`. Left open to the pictures: about 2, 4 or
    /// 16 pixels, for sizes of up to 16, up to 64 and beyond.
    pub patch: Option<u32>,
    /// Grey or RGB. Left open to the pictures: grey if all are stored so.
    pub channels: Option<Channels>,
    /// The resampling filter. Left open to the pictures: bilinear.
    pub resample: Option<Resample>,
    /// How a picture becomes a square. Left open to the pictures: by a crop.
    pub crop_mode: Option<CropMode>,
    /// How a margin of half a pixel is rounded. Left open to the pictures: to even.
    pub margin: Option<Margin>,
}

/// How a trunk that is new to pictures takes them.
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

/// The usual size for photographs, in pixels (ViT, ResNet).
const USUAL_SIZE: u32 = 224;
/// The largest common size that pictures keep, in pixels.
pub(crate) const SMALL: u32 = 64;
/// The largest size allowed, in pixels.
pub(crate) const LARGEST: u32 = 4_096;
/// The usual height of a line of text, in pixels (Shi et al. 2015, CRNN).
const LINE_HEIGHT: u32 = 32;
/// The width of a line of which nothing is known, in heights.
const LINE: u32 = 8;

impl ImageOptions {
    /// Checks the options by themselves, without the pictures.
    ///
    /// # Errors
    /// If a number is out of range, or if two contradict each other.
    pub fn validate(&self) -> Result<()> {
        self.validate_ranges()?;
        match (self.size, self.patch) {
            (Some(size), Some(patch)) if size % patch != 0 => Err(undivided(size, patch)),
            _ => Ok(()),
        }
    }

    /// The same of a pretrained model's pictures, whose patches may leave a margin.
    pub(crate) fn validate_ranges(&self) -> Result<()> {
        let Self { size, resize, patch, line_width, lines, .. } = *self;
        if let (Some(_), false) = (line_width, lines) {
            let problem = "only pictures of lines have one; add --task transcribe".into();
            return Err(Error::Setting { setting: "--line-width", problem });
        }
        for (setting, pixels) in
            [("--size", size), ("--patch", patch), ("--line-width", line_width)]
        {
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
        Ok(())
    }

    /// Checks the options for a trunk that is new to pictures.
    ///
    /// # Errors
    /// If no patch fits the size, or if there are no patches.
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

    /// Resolves what is left open for a trunk that is new to pictures. The options are valid.
    pub(crate) fn resolve(&self, seen: Seen, taken: Taken) -> Geometry {
        let side = seen.size.map(|(width, height)| width.min(height));
        let side = match self.lines {
            true => LINE_HEIGHT,
            false => side.filter(|&side| side <= SMALL).unwrap_or(USUAL_SIZE),
        };
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
            line_width: self.line(size, patch, None),
            resize: self.resize.unwrap_or(size),
            patch,
            channels: self.channels.unwrap_or(stored),
            resample: self.resample.unwrap_or_default(),
            crop_mode: self.crop_mode.unwrap_or_default(),
            margin: self.margin.unwrap_or_default(),
        }
    }

    /// Resolves what is left open as a pretrained image model has it.
    ///
    /// # Errors
    /// If the model's patches do not divide the size that is asked for, or if it has none.
    pub(crate) fn resolve_as(&self, model: Geometry) -> Result<Geometry> {
        let lines = self.lines && model.line_width.is_none();
        let height = lines
            .then(|| LINE_HEIGHT.next_multiple_of(self.patch.or(model.patch).unwrap_or(1).max(1)));
        let (size, patch) = match (model.patch, self.size.or(height), self.patch) {
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
            // As it was trained, also where patches leave a margin.
            (Some(patch), None, None) => (model.size, Some(patch)),
            (Some(theirs), size, asked) => {
                let patch = asked.unwrap_or(theirs);
                (size.unwrap_or_else(|| model.size.next_multiple_of(patch)), Some(patch))
            }
        };
        // At another size, the same fraction is cut off.
        let ratio = f64::from(model.resize) / f64::from(model.size);
        let resize = self.resize.unwrap_or_else(|| (f64::from(size) * ratio).round() as u32);
        Ok(Geometry {
            size,
            line_width: self.line(size, patch, model.line_width),
            resize: resize.max(size),
            patch,
            channels: self.channels.unwrap_or(model.channels),
            resample: self.resample.unwrap_or(model.resample),
            crop_mode: self.crop_mode.unwrap_or(model.crop_mode),
            margin: self.margin.unwrap_or(model.margin),
        })
    }
}

impl ImageOptions {
    /// The width of lines of this height, of which the model may have one: a multiple of the patch.
    fn line(&self, size: u32, patch: Option<u32>, model: Option<u32>) -> Option<u32> {
        let width = self.line_width.or(model).unwrap_or(LINE * size).min(LARGEST);
        self.lines.then(|| width.next_multiple_of(patch.unwrap_or(1).max(1)))
    }
}

fn patchless() -> Error {
    let problem = "the model takes pictures whole, not in patches; leave it out".into();
    Error::Setting { setting: "--patch", problem }
}

/// A geometry leaves nothing open.
impl From<Geometry> for ImageOptions {
    fn from(geometry: Geometry) -> Self {
        let Geometry { size, line_width, resize, patch, channels, resample, crop_mode, margin } =
            geometry;
        Self {
            lines: line_width.is_some(),
            line_width,
            size: Some(size),
            resize: Some(resize),
            patch,
            channels: Some(channels),
            resample: Some(resample),
            crop_mode: Some(crop_mode),
            margin: Some(margin),
        }
    }
}

/// The usual patch for a size: some 16 to 256 of them make a picture.
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

#[cfg(test)]
pub(crate) mod tests;
