//! Colour: Pillow's `ImageEnhance`, and torchvision's turning of hues.

use std::iter;

use crosstune_core::Rng;
use rand::{RngExt, seq::SliceRandom};

use super::{operation::Operation, planes::Planes};
use crate::picture::luma_of;

/// Changes of brightness, contrast, saturation and hue, each at random and in random order
/// (torchvision's `ColorJitter`).
pub(crate) fn jitter(strength: f64, rng: &mut Rng) -> [Operation; 4] {
    let mut factor = || rng.random_range(1. - strength..=1. + strength);
    let (brightness, contrast, saturation) = (factor(), factor(), factor());
    let hue = strength / 4.;
    let mut all = [
        Operation::Brightness(brightness),
        Operation::Contrast(contrast),
        Operation::Saturation(saturation),
        Operation::Hue(rng.random_range(-hue..=hue)),
    ];
    all.shuffle(rng);
    all
}

/// From black (0) by the picture (1) to brighter ones.
pub(crate) fn brightness(planes: &mut Planes, factor: f64) {
    planes.map(|_| std::array::from_fn(|i| blend(0, i as u8, factor as f32)));
}

/// From an even grey (0) by the picture (1) to more contrast.
pub(crate) fn contrast(planes: &mut Planes, factor: f64) {
    let luma = luma(planes);
    let sum: u64 = luma.iter().map(|&sample| u64::from(sample)).sum();
    let mean = (sum as f64 / luma.len() as f64 + 0.5) as u8;
    planes.map(|_| std::array::from_fn(|i| blend(mean, i as u8, factor as f32)));
}

/// From grey (0) by the picture (1) to more colour. A grey picture has none.
pub(crate) fn saturation(planes: &mut Planes, factor: f64) {
    if planes.planes.len() < 3 {
        return;
    }
    let luma = luma(planes);
    for plane in &mut planes.planes {
        for (sample, &grey) in iter::zip(plane, &luma) {
            *sample = blend(grey, *sample, factor as f32);
        }
    }
}

/// From smooth (0) by the picture (1) to sharper ones; the outermost pixels stay.
pub(crate) fn sharpness(planes: &mut Planes, factor: f64) {
    let (width, height) = planes.size();
    if width < 3 || height < 3 {
        return;
    }
    for plane in &mut planes.planes {
        let sharp = plane.clone();
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let at = y * width + x;
                let row = |at: usize| sharp[at - 1..=at + 1].iter().map(|&v| u32::from(v));
                // Nine pixels, the middle one five times, rounded to nearest.
                let sum: u32 = row(at - width).chain(row(at)).chain(row(at + width)).sum();
                let smooth = (2 * (sum + 4 * u32::from(sharp[at])) + 13) / 26;
                plane[at] = blend(smooth as u8, sharp[at], factor as f32);
            }
        }
    }
}

/// Turns the circle of hues by a fraction of it. A grey picture has none.
pub(crate) fn hue(planes: &mut Planes, by: f64) {
    let [red, green, blue] = &mut planes.planes[..] else { return };
    for ((r, g), b) in iter::zip(iter::zip(red, green), blue) {
        [*r, *g, *b] = turned([*r, *g, *b], by as f32);
    }
}

/// RGB to hue, saturation and value, and back with another hue.
fn turned(rgb: [u8; 3], by: f32) -> [u8; 3] {
    let [r, g, b] = rgb.map(|sample| f32::from(sample) / 255.);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    if range == 0. {
        return rgb;
    }
    let [rc, gc, bc] = [r, g, b].map(|sample| (most - sample) / range);
    let sector = if most == r {
        bc - gc
    } else if most == g {
        2. + rc - bc
    } else {
        4. + gc - rc
    };
    let hue = (sector / 6. + 1. + by).rem_euclid(1.) * 6.;
    let (sector, fraction) = (hue.floor(), hue - hue.floor());
    let saturation = range / most;
    let low = most * (1. - saturation);
    let falling = most * (1. - saturation * fraction);
    let rising = most * (1. - saturation * (1. - fraction));
    let turned = match sector as u8 % 6 {
        0 => [most, rising, low],
        1 => [falling, most, low],
        2 => [low, most, rising],
        3 => [low, falling, most],
        4 => [rising, low, most],
        _ => [most, low, falling],
    };
    // torchvision's way from 0 to 1 to bytes.
    turned.map(|sample| (sample * 255.999) as u8)
}

/// The luma of each pixel.
fn luma(planes: &Planes) -> Vec<u8> {
    match &planes.planes[..] {
        [red, green, blue] => {
            iter::zip(iter::zip(red, green), blue).map(|((&r, &g), &b)| luma_of(r, g, b)).collect()
        }
        grey => grey.concat(),
    }
}

/// From one sample (0) by another (1) and beyond, rounded down as in Pillow.
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    let (from, to) = (f32::from(from), f32::from(to));
    // Casts clamp.
    (from + factor * (to - from)) as u8
}
