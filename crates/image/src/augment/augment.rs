//! The augmentation of a training picture, all of it in order.

use std::ops::RangeInclusive;

use crosstune_core::{Error, Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{colour, crop::Crop, erase, planes::Planes, policy::Policy};
use crate::geometry::Geometry;

/// The random augmentation of a training picture, in this order. None by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Random resized crop: the smallest area of a crop, as a fraction of the picture (Szegedy et
    /// al. 2015); `None`: no random crop.
    pub crop: Option<f64>,
    /// The probability of a horizontal flip.
    pub flip: f64,
    /// Operations that are drawn at random.
    pub policy: Policy,
    /// The largest change of brightness, contrast and saturation, as a fraction; that of hue is a
    /// quarter of it, as a fraction of the circle (Chen et al. 2020, appendix A).
    pub jitter: f64,
    /// The probability that a rectangle is blanked out (Zhong et al. 2017).
    pub erase: f64,
}

/// The smallest area in the random crop of Inception, torchvision and timm.
const LEAST_AREA: f64 = 0.08;

impl Augment {
    /// Random resized crops and flips, as is usual for photographs, and a policy.
    pub fn standard(policy: Policy) -> Self {
        Self { crop: Some(LEAST_AREA), flip: 0.5, policy, jitter: 0., erase: 0. }
    }

    /// Whether nothing is augmented.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that each number is in its range.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn validate(&self) -> Result<()> {
        let Self { crop, flip, policy: _, jitter, erase } = *self;
        let check = |setting, value: f64, range: RangeInclusive<f64>, least: &str| {
            if range.contains(&value) {
                return Ok(());
            }
            let problem = format!("{value}: must be {least} 0 and at most 1");
            Err(Error::Setting { setting, problem })
        };
        check("--crop-scale", crop.unwrap_or(1.), f64::MIN_POSITIVE..=1., "above")?;
        check("--flip", flip, 0. ..=1., "at least")?;
        check("--jitter", jitter, 0. ..=1., "at least")?;
        check("--erase", erase, 0. ..=1., "at least")
    }

    /// A sample `[C, size, size]`, u8, from a picture `[C, H, W]`, u8, augmented by `rng`. Without
    /// a random crop, the picture has its size already. Empty areas are filled with `fill`, a value
    /// for each channel.
    pub(crate) fn augment(
        &self,
        kept: &Tensor,
        geometry: &Geometry,
        fill: &[u8],
        rng: &mut Rng,
    ) -> Tensor {
        if self.is_none() {
            return kept.shallow_clone();
        }
        let mut planes = match self.crop {
            Some(least) => {
                let size = kept.size();
                Crop::draw(size[2] as u32, size[1] as u32, least, rng).of(kept, geometry)
            }
            None => Planes::of(kept),
        };
        if rng.random_bool(self.flip) {
            planes.flip();
        }
        for operation in self.policy.draw(planes.size(), rng) {
            operation.apply(&mut planes, fill);
        }
        if self.jitter > 0. {
            for operation in colour::jitter(self.jitter, rng) {
                operation.apply(&mut planes, fill);
            }
        }
        if rng.random_bool(self.erase) {
            erase::erase(&mut planes, fill, rng);
        }
        planes.into_tensor()
    }
}
