//! Random erasing (Zhong et al. 2017), drawn as torchvision's `RandomErasing` draws it.

use crosstune_core::Rng;
use rand::RngExt;

use super::{crop::sides, planes::Planes};

/// The fraction of the area that is erased.
const AREA: (f64, f64) = (0.02, 0.33);
/// The height of the rectangle by its width.
const RATIO: (f64, f64) = (0.3, 3.3);
/// How often a rectangle is drawn that may not fit, before the picture is left alone.
const TRIES: usize = 10;

/// Fills a rectangle, a value for each channel.
pub(crate) fn erase(planes: &mut Planes, fill: &[u8], rng: &mut Rng) {
    let (width, height) = planes.size();
    let area = (width * height) as f64;
    for _ in 0..TRIES {
        let (high, wide) = sides(area * rng.random_range(AREA.0..=AREA.1), RATIO, rng);
        let (wide, high) = (wide as usize, high as usize);
        if wide >= width || high >= height {
            continue;
        }
        let top = rng.random_range(0..=height - high);
        let left = rng.random_range(0..=width - wide);
        for (plane, &fill) in planes.planes.iter_mut().zip(fill) {
            for row in plane.chunks_exact_mut(width).skip(top).take(high) {
                row[left..left + wide].fill(fill);
            }
        }
        return;
    }
}
