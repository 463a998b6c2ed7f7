//! The random resized crop (Szegedy et al. 2015, "Going Deeper with Convolutions", §6), drawn as
//! torchvision's `RandomResizedCrop` draws it.

use crosstune_core::Rng;
use rand::RngExt;
use tch::Tensor;

use super::planes::Planes;
use crate::{geometry::Geometry, picture::Channels, resample::Window};

/// The width of a crop by its height.
const RATIO: (f64, f64) = (3. / 4., 4. / 3.);
/// How often a crop is drawn that may not fit, before the middle is taken.
const TRIES: usize = 10;

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crop {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Crop {
    /// A part of a picture of `width × height` pixels, of `least` of its area or more.
    pub(crate) fn draw(width: u32, height: u32, least: f64, rng: &mut Rng) -> Self {
        let area = f64::from(width) * f64::from(height);
        for _ in 0..TRIES {
            let (wide, high) = sides(area * rng.random_range(least..=1.), RATIO, rng);
            if (1. ..=f64::from(width)).contains(&wide) && (1. ..=f64::from(height)).contains(&high)
            {
                let (wide, high) = (wide as u32, high as u32);
                let top = rng.random_range(0..=height - high);
                let left = rng.random_range(0..=width - wide);
                return Self { left, top, width: wide, height: high };
            }
        }
        Self::middle(width, height)
    }

    /// The largest part in the middle whose ratio is allowed.
    fn middle(width: u32, height: u32) -> Self {
        let (least, most) = RATIO;
        let ratio = f64::from(width) / f64::from(height);
        let (wide, high) = if ratio < least {
            (width, (f64::from(width) / least).round_ties_even() as u32)
        } else if ratio > most {
            ((f64::from(height) * most).round_ties_even() as u32, height)
        } else {
            (width, height)
        };
        let (wide, high) = (wide.clamp(1, width), high.clamp(1, height));
        Self { left: (width - wide) / 2, top: (height - high) / 2, width: wide, height: high }
    }

    /// This part of a picture `[C, H, W]`, u8, scaled to the size that a model sees.
    pub(crate) fn of(self, picture: &Tensor, geometry: &Geometry) -> Planes {
        let Self { left, top, width, height } = self;
        let part =
            picture.narrow(1, top.into(), height.into()).narrow(2, left.into(), width.into());
        let size = geometry.size;
        let scale = |plane: Vec<u8>| {
            let window = Window::all((size, size));
            geometry.resample.scale(&plane, (width, height), window, Channels::Grey)
        };
        let planes = Planes::of(&part).planes.into_iter().map(scale).collect();
        Planes { width: size as usize, height: size as usize, planes }
    }
}

/// The width and height of a rectangle of this area, whose ratio is drawn evenly on a logarithmic
/// scale; whole numbers, which may be 0 or too large.
pub(crate) fn sides(area: f64, (least, most): (f64, f64), rng: &mut Rng) -> (f64, f64) {
    let ratio = rng.random_range(least.ln()..=most.ln()).exp();
    ((area * ratio).sqrt().round_ties_even(), (area / ratio).sqrt().round_ties_even())
}
