//! Bringing a picture of any shape to a square: torchvision's `Resize` and `CenterCrop`.

use crate::{
    geometry::{CropMode, Geometry, Margin},
    picture::{Picture, PictureError},
    resample::{Resample, Window},
};

impl Picture {
    /// Scales the picture as `geometry` says and takes the centre crop of `size × size` pixels. A
    /// picture of that size already is left alone.
    ///
    /// The very pixels of torchvision's `Resize(resize)` and `CenterCrop(size)` on Pillow pictures, and
    /// of what transformers' image processors make of them; but in one pass: only what the crop
    /// shows is computed, so that a strip of 1 × 10,000 pixels costs no more than any other picture.
    ///
    /// # Errors
    /// If `size` is 0 or more than `resize`.
    pub fn fit(self, geometry: &Geometry) -> Result<Self, PictureError> {
        let Geometry { size, resize, resample, crop_mode, margin, .. } = *geometry;
        if let Some(width) = geometry.line_width {
            return Ok(self.line((width.max(1), size.max(1)), resample));
        }
        if size < 1 || size > resize {
            return Err(PictureError::Crop { resize, size });
        }
        if (self.width, self.height) == (size, size) && resize == size {
            return Ok(self);
        }
        let scaled = scaled(self.width, self.height, resize, crop_mode);
        let start = (margin.before(scaled.0, size), margin.before(scaled.1, size));
        Ok(self.window(Window { scaled, start, size: (size, size) }, resample))
    }

    /// Scales the picture to a height, and fills it up on the right with what its last column has at the
    /// top; one that would be wider is squeezed.
    fn line(self, (width, height): (u32, u32), by: Resample) -> Self {
        let shaped = line_width(self.width, self.height, height).min(width.into());
        let line = self.to((shaped as u32, height), by);
        let (n, shaped) = (line.channels.count(), shaped as usize);
        let ground = line.samples[(shaped - 1) * n..shaped * n].to_vec();
        let missing = ground.repeat(width as usize - shaped);
        let rows = line.samples.chunks_exact(shaped * n);
        let samples = rows.flat_map(|row| row.iter().chain(&missing).copied()).collect();
        Self { width, samples, ..line }
    }

    /// Scales the picture down so that neither side is longer than `longest`, at least to a pixel.
    pub(crate) fn thumbnail(self, longest: u32) -> Self {
        let side = self.width.max(self.height);
        if side <= longest {
            return self;
        }
        let scale = |length: u32| {
            (f64::from(length) * f64::from(longest) / f64::from(side)).round().max(1.) as u32
        };
        let to = (scale(self.width), scale(self.height));
        self.to(to, Resample::Bilinear)
    }

    /// Scales the picture to a width and a height, above 0.
    pub(crate) fn to(self, to: (u32, u32), by: Resample) -> Self {
        self.window(Window::all(to), by)
    }

    fn window(self, window: Window, by: Resample) -> Self {
        let samples = by.scale(&self.samples, (self.width, self.height), window, self.channels);
        Self { width: window.size.0, height: window.size.1, samples, ..self }
    }
}

/// The width of a picture that is scaled to a height, at least a pixel.
pub(crate) fn line_width(width: u32, height: u32, to: u32) -> u64 {
    (u64::from(width) * u64::from(to)).div_ceil(u64::from(height).max(1)).max(1)
}

/// The width and height of a picture once it is scaled, before the crop.
pub(crate) fn scaled(width: u32, height: u32, resize: u32, crop_mode: CropMode) -> (u64, u64) {
    // The longer side is rounded down, as torchvision and transformers do it.
    let side = |length: u32| match crop_mode {
        CropMode::Crop => u64::from(resize) * u64::from(length) / u64::from(width.min(height)),
        CropMode::Squash => resize.into(),
    };
    (side(width), side(height))
}

impl Margin {
    /// The pixels before the middle `size` of `scaled`, which are as many at least.
    fn before(self, scaled: u64, size: u32) -> u64 {
        let spare = scaled - u64::from(size);
        match self {
            Self::Down => spare / 2,
            // Of two halves, that which is even.
            Self::Even => spare / 2 + u64::from(spare % 4 == 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Channels;

    #[test]
    fn the_middle_is_found_as_the_publishers_find_it() {
        use Margin::{Down, Even};
        for (length, other, resize, size, margin, expected) in [
            (32, 32, 32, 32, Even, 0),
            // 4 pixels too many, 2 at each end.
            (36, 32, 32, 32, Even, 2),
            // 3 too many: 1.5 rounds to 2; 1 too many: 0.5 rounds to 0.
            (35, 32, 32, 32, Even, 2),
            (35, 32, 32, 32, Down, 1),
            (33, 32, 32, 32, Even, 0),
            (37, 32, 32, 32, Even, 2),
            // 64 × 50 at half its size is 32 × 25: 7 too many, 3.5 rounds to 4.
            (64, 50, 25, 25, Even, 4),
            (64, 50, 25, 25, Down, 3),
            (10_001, 1, 224, 224, Even, 1_120_000),
        ] {
            let (side, _) = scaled(length, other, resize, CropMode::Crop);
            assert_eq!(margin.before(side, size), expected, "{length} by {other}");
        }
        assert_eq!(scaled(640, 427, 9, CropMode::Squash), (9, 9));
    }

    fn square(resize: u32, size: u32) -> Geometry {
        Geometry::new(size, resize, None, Channels::Grey)
    }

    fn grey(width: u32, height: u32) -> Picture {
        let samples = vec![9; width as usize * height as usize];
        Picture { width, height, channels: Channels::Grey, samples }
    }

    #[test]
    fn a_crop_lies_within_whatever_the_sides() {
        for (width, height) in [(1, 1), (1, 65_535), (3, 7), (7, 3), (101, 99), (640, 427)] {
            for (resize, size) in [(1, 1), (7, 7), (64, 57), (225, 224)] {
                for resample in Resample::ALL {
                    for crop_mode in [CropMode::Crop, CropMode::Squash] {
                        let geometry = Geometry { resample, crop_mode, ..square(resize, size) };
                        let fitted = grey(width, height).fit(&geometry).unwrap();
                        assert_eq!((fitted.width(), fitted.height()), (size, size));
                        assert!(fitted.samples().iter().all(|&sample| sample == 9));
                    }
                }
            }
        }
        assert!(grey(1, 1).fit(&square(8, 9)).is_err());
        assert!(grey(1, 1).fit(&square(8, 0)).is_err());
    }

    #[test]
    fn a_line_keeps_its_shape_and_is_filled_up() {
        let samples = vec![0, 0, 7, 7, 0, 0, 7, 7];
        let line = Picture { width: 4, height: 2, channels: Channels::Grey, samples };
        let at = |width, line: &Picture| {
            let geometry = Geometry { line_width: Some(width), ..square(2, 2) };
            line.clone().fit(&geometry).unwrap()
        };
        assert_eq!(at(6, &line).samples, [0, 0, 7, 7, 7, 7, 0, 0, 7, 7, 7, 7]);
        let squeezed = at(2, &line);
        assert_eq!((squeezed.width(), squeezed.height()), (2, 2));
        assert_eq!(line_width(1, 65_535, 32), 1);
        assert_eq!(line_width(300, 20, 32), 480);
    }

    #[test]
    fn a_thumbnail_keeps_the_shape() {
        for ((width, height), expected) in [
            ((400, 200), (128, 64)),
            ((200, 400), (64, 128)),
            ((128, 3), (128, 3)),
            ((1, 65_535), (1, 128)),
        ] {
            let small = grey(width, height).thumbnail(128);
            assert_eq!((small.width(), small.height()), expected);
        }
    }
}
