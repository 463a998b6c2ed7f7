//! Policies: the random choice of operations for a picture, and their strengths.

use crosstune_core::Rng;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::operation::Operation;

/// Operations that are drawn at random for each picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// None.
    #[default]
    None,
    /// One, of any strength (Müller and Hutter 2021): torchvision's `TrivialAugmentWide`.
    Trivial,
    /// Two, of medium strength (Cubuk et al. 2020): torchvision's `RandAugment`, with its defaults.
    Rand,
}

/// The steps of strength, in both policies.
const STEPS: u32 = 31;
/// The step of RandAugment.
const MAGNITUDE: u32 = 9;
/// The operations of RandAugment that a picture goes through.
const OPERATIONS: usize = 2;

/// The greatest strengths in a policy.
struct Range {
    /// Pixels a row.
    shear: f64,
    /// Pixels to the right and down.
    translate: (f64, f64),
    /// Degrees.
    rotate: f64,
    /// Beside 1.
    enhance: f64,
    /// Bits that are dropped.
    posterize: f64,
}

impl Policy {
    /// Operations for a picture of this width and height.
    pub(crate) fn draw(self, (width, height): (usize, usize), rng: &mut Rng) -> Vec<Operation> {
        match self {
            Self::None => vec![],
            Self::Trivial => {
                let range = Range {
                    shear: 0.99,
                    translate: (32., 32.),
                    rotate: 135.,
                    enhance: 0.99,
                    posterize: 6.,
                };
                let step = rng.random_range(0..STEPS);
                operation(&range, step, rng).into_iter().collect()
            }
            Self::Rand => {
                // As on the pictures of 331 pixels that it was found on.
                let scaled = |length: usize| 150. / 331. * length as f64;
                let range = Range {
                    shear: 0.3,
                    translate: (scaled(width), scaled(height)),
                    rotate: 30.,
                    enhance: 0.9,
                    posterize: 4.,
                };
                (0..OPERATIONS).filter_map(|_| operation(&range, MAGNITUDE, rng)).collect()
            }
        }
    }
}

/// One of fourteen, all as likely: `None` is the one that does nothing.
fn operation(range: &Range, step: u32, rng: &mut Rng) -> Option<Operation> {
    let strength = f64::from(step) / f64::from(STEPS - 1);
    let kind = rng.random_range(0..14);
    let mut signed =
        |most: f64| if rng.random_bool(0.5) { -most * strength } else { most * strength };
    Some(match kind {
        0 => return None,
        1 => Operation::ShearX(signed(range.shear)),
        2 => Operation::ShearY(signed(range.shear)),
        3 => Operation::TranslateX(signed(range.translate.0).trunc()),
        4 => Operation::TranslateY(signed(range.translate.1).trunc()),
        5 => Operation::Rotate(signed(range.rotate)),
        6 => Operation::Brightness(1. + signed(range.enhance)),
        7 => Operation::Saturation(1. + signed(range.enhance)),
        8 => Operation::Contrast(1. + signed(range.enhance)),
        9 => Operation::Sharpness(1. + signed(range.enhance)),
        10 => Operation::Posterize(8 - (range.posterize * strength).round_ties_even() as u32),
        11 => Operation::Solarize(255. * (1. - strength)),
        12 => Operation::AutoContrast,
        _ => Operation::Equalize,
    })
}
