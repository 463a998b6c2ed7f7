//! The filters that pictures are scaled with: Pillow's.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{
    convolve::convolve,
    passes::First,
    weights::{Filter, Weights},
};
use crate::picture::Channels;

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

    /// Scales a picture of `from` (width and height), at least a pixel, as far as the window shows it:
    /// the bytes of Pillow's `resize`, and `crop` behind it.
    pub(crate) fn scale(
        self,
        samples: &[u8],
        from: (u32, u32),
        window: Window,
        channels: Channels,
    ) -> Vec<u8> {
        let Window { scaled, start, size } = window;
        let weights = |from: u32, scaled, start, size: u32| {
            Weights::new(from as usize, scaled, start..start + u64::from(size), self.filter())
        };
        let x = weights(from.0, scaled.0, start.0, size.0);
        let y = weights(from.1, scaled.1, start.1, size.1);
        let (width, first) = (from.0 as usize, window.first(from));
        match channels {
            Channels::Grey => convolve::<1>(samples, width, &x, &y, first),
            Channels::Rgb => convolve::<3>(samples, width, &x, &y, first),
        }
    }

    fn filter(self) -> Filter {
        match self {
            Self::Bilinear => Filter { support: 1., weight: |x| (1. - x.abs()).max(0.) },
            Self::Hamming => Filter { support: 1., weight: hamming },
            Self::Bicubic => Filter { support: 2., weight: bicubic },
            Self::Lanczos => Filter { support: 3., weight: lanczos },
        }
    }
}

/// What is made of a picture that is scaled: a part of it, all in pixels of the scaled picture, width
/// and height.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// The size of the whole picture, once it is scaled.
    pub(crate) scaled: (u64, u64),
    pub(crate) start: (u64, u64),
    pub(crate) size: (u32, u32),
}

impl Window {
    /// All of it.
    pub(crate) fn all(size: (u32, u32)) -> Self {
        Self { scaled: (size.0.into(), size.1.into()), start: (0, 0), size }
    }

    /// What Pillow begins with since 13.0: columns, if they lose more than twice as many pixels as rows
    /// do. Up to 12 it began with rows, which makes a difference of 1/255 here and there.
    fn first(&self, from: (u32, u32)) -> First {
        let lost = |from: u32, to: u64| i128::from(from) - i128::from(to);
        let (x, y) = (lost(from.0, self.scaled.0), lost(from.1, self.scaled.1));
        if y > 0 && y > 2 * x { First::Columns } else { First::Rows }
    }
}

fn hamming(x: f64) -> f64 {
    match x.abs() {
        0. => 1.,
        x if x >= 1. => 0.,
        // Pillow has these two numbers as f32.
        x => sinc(x) * (f64::from(0.54_f32) + f64::from(0.46_f32) * (x * PI).cos()),
    }
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1. => ((A + 2.) * x - (A + 3.)) * x * x + 1.,
        x if x < 2. => (((x - 5.) * x + 8.) * x - 4.) * A,
        _ => 0.,
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3. ..3.).contains(&x) { sinc(x) * sinc(x / 3.) } else { 0. }
}

fn sinc(x: f64) -> f64 {
    if x == 0. { 1. } else { (x * PI).sin() / (x * PI) }
}
