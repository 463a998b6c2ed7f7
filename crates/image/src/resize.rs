//! Bringing a picture of any shape to a square: torchvision's `Resize` and `CenterCrop`.

use crosstune_core::Cause;
use fast_image_resize::{
    CropBox, FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, SrcCropping,
    images::{Image, ImageRef},
};

use crate::{Channels, Picture, PictureError};

impl Picture {
    /// Scales the picture so that its shorter side is `resize` pixels, bilinearly and with
    /// antialiasing, and takes the middle `size × size` pixels of that. A picture that has its
    /// size already is left alone.
    ///
    /// Within 1/255 of torchvision's `Resize(resize)` and `CenterCrop(size)` on Pillow pictures,
    /// but in one pass: only what the crop shows is computed, so that a strip of 1 × 10,000
    /// pixels costs no more than any other picture.
    ///
    /// # Errors
    /// If `size` is 0 or more than `resize`.
    pub fn fit(self, resize: u32, size: u32) -> Result<Self, PictureError> {
        if size < 1 || size > resize {
            return Err(PictureError::Crop { resize, size });
        }
        if (self.width, self.height) == (size, size) && resize == size {
            return Ok(self);
        }
        let samples = self.middle(resize, size).map_err(PictureError::Resize)?;
        Ok(Self { width: size, height: size, samples, ..self })
    }

    /// The samples of the middle `size × size` pixels of the scaled picture.
    fn middle(&self, resize: u32, size: u32) -> Result<Vec<u8>, Cause> {
        let (left, width) = shown(self.width, self.height, resize, size);
        let (top, height) = shown(self.height, self.width, resize, size);
        let pixel = match self.channels {
            Channels::Grey => PixelType::U8,
            Channels::Rgb => PixelType::U8x3,
        };
        let options = ResizeOptions {
            algorithm: ResizeAlg::Convolution(FilterType::Bilinear),
            cropping: SrcCropping::Crop(CropBox { left, top, width, height }),
            ..ResizeOptions::default()
        };
        let from = ImageRef::new(self.width, self.height, &self.samples, pixel)?;
        let mut to = Image::new(size, size, pixel);
        Resizer::new().resize(&from, &mut to, &options)?;
        Ok(to.into_vec())
    }
}

/// Where, along a side of `length` pixels, the middle `size` pixels come from once the shorter of
/// `length` and `other` is scaled to `resize`: the first pixel and their number, in fractions of
/// pixels of the original.
fn shown(length: u32, other: u32, resize: u32, size: u32) -> (f64, f64) {
    // As torchvision rounds: the longer side down, the margin to the nearest and halves to even.
    let scaled = u64::from(resize) * u64::from(length) / u64::from(length.min(other));
    let margin = ((scaled as f64 - f64::from(size)) / 2.).round_ties_even();
    let of_original = |pixels: f64| pixels * f64::from(length) / scaled as f64;
    let start = of_original(margin);
    // Rounding must not put the end beyond the picture's.
    (start, of_original(f64::from(size)).min(f64::from(length) - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_found_as_torchvision_finds_it() {
        for (length, other, resize, size, expected) in [
            (32, 32, 32, 32, (0., 32.)),
            // 4 pixels too many, 2 at each end.
            (36, 32, 32, 32, (2., 32.)),
            // 3 too many: 1.5 rounds to 2; 1 too many: 0.5 rounds to 0.
            (35, 32, 32, 32, (2., 32.)),
            (33, 32, 32, 32, (0., 32.)),
            // 64 × 50 at half its size is 32 × 25: 7 too many, 3.5 rounds to 4, which were 8.
            (64, 50, 25, 25, (8., 50.)),
            // Scaled up by 224, a strip shows one of its pixels.
            (1, 10_001, 224, 224, (0., 1.)),
            (10_001, 1, 224, 224, (5_000., 1.)),
        ] {
            assert_eq!(shown(length, other, resize, size), expected, "{length} by {other}");
        }
    }

    #[test]
    fn a_crop_lies_within_whatever_the_sides() {
        for (width, height) in [(1, 1), (1, 65_535), (3, 7), (7, 3), (101, 99), (640, 427)] {
            for (resize, size) in [(1, 1), (7, 7), (64, 57), (225, 224)] {
                let samples = vec![9; width as usize * height as usize];
                let picture = Picture { width, height, channels: Channels::Grey, samples };
                let fitted = picture.fit(resize, size).unwrap();
                assert_eq!((fitted.width(), fitted.height()), (size, size));
                assert!(fitted.samples().iter().all(|&sample| sample == 9));
            }
        }
        let picture = Picture { width: 1, height: 1, channels: Channels::Grey, samples: vec![0] };
        assert!(picture.clone().fit(8, 9).is_err());
        assert!(picture.fit(8, 0).is_err());
    }
}
