//! The filters that pictures are scaled with: Pillow's.

use std::cell::RefCell;

use crosstune_core::BoxError;
use fast_image_resize::{
    CropBox, FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, SrcCropping,
    images::{Image, ImageRef},
};
use serde::{Deserialize, Serialize};

/// A filter of Pillow's, antialiased: its support grows as a picture shrinks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resample {
    /// Linear.
    #[default]
    Bilinear,
    /// A window of the width of the linear one, but sharper.
    Hamming,
    /// Cubic (Keys 1981, a = -1/2).
    Bicubic,
    /// A windowed sinc of three lobes.
    Lanczos,
}

impl Resample {
    /// All, in the order of their names here.
    pub const ALL: [Self; 4] = [Self::Bilinear, Self::Hamming, Self::Bicubic, Self::Lanczos];

    /// As a person writes it, and timm and torchvision.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear",
            Self::Hamming => "hamming",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }

    /// Pillow's number for it, which transformers saves.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Lanczos => 1,
            Self::Bilinear => 2,
            Self::Bicubic => 3,
            Self::Hamming => 5,
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.name() == name)
    }

    pub(crate) fn of_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.number() == number)
    }

    /// Scales a part of a picture of `from` (width and height) to `to`. The part is in pixels of the
    /// picture, of which it may cut some in two; a filter sees beyond its border.
    pub(crate) fn scale(
        self,
        samples: &[u8],
        from: (u32, u32),
        part: CropBox,
        to: (u32, u32),
        pixel: PixelType,
    ) -> Result<Vec<u8>, BoxError> {
        let (filter, reach) = self.filter();
        let samples = ImageRef::new(from.0, from.1, samples, pixel)?;
        let Some(reach) = reach else { return convolve(&samples, part, to, filter) };
        // A filter that overshoots is clipped between the passes, so their order matters. Pillow's
        // is rows first; the resizer, left to itself, would take columns first, which is faster.
        let reach = (reach * (part.height / f64::from(to.1)).max(1.)).ceil() + 1.;
        let top = (part.top - reach).floor().max(0.);
        let bottom = (part.top + part.height + reach).ceil().min(from.1.into());
        let rows = CropBox { top, height: bottom - top, ..part };
        let wide = (to.0, rows.height as u32);
        let narrowed = convolve(&samples, rows, wide, filter)?;
        let narrowed = ImageRef::new(wide.0, wide.1, &narrowed, pixel)?;
        let left = CropBox { left: 0., top: part.top - top, width: to.0.into(), ..part };
        convolve(&narrowed, left, to, filter)
    }

    /// The resizer's name for it; and if it overshoots, how far it reaches at full size, in pixels.
    fn filter(self) -> (FilterType, Option<f64>) {
        match self {
            Self::Bilinear => (FilterType::Bilinear, None),
            Self::Hamming => (FilterType::Hamming, None),
            Self::Bicubic => (FilterType::CatmullRom, Some(2.)),
            Self::Lanczos => (FilterType::Lanczos3, Some(3.)),
        }
    }
}

fn convolve(
    from: &ImageRef<'_>,
    part: CropBox,
    to: (u32, u32),
    filter: FilterType,
) -> Result<Vec<u8>, BoxError> {
    thread_local! {
        // It keeps the memory that it works in.
        static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    }
    let algorithm = ResizeAlg::Convolution(filter);
    let cropping = SrcCropping::Crop(part);
    let options = ResizeOptions { algorithm, cropping, ..ResizeOptions::default() };
    let mut scaled = Image::new(to.0, to.1, from.pixel_type());
    RESIZER.with_borrow_mut(|resizer| resizer.resize(from, &mut scaled, &options))?;
    Ok(scaled.into_vec())
}
