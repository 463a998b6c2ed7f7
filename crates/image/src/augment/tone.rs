//! Curves of intensity, a table for each channel: Pillow's `ImageOps`.

use std::array;

/// What a sample becomes, by its value.
pub(crate) type Table = [u8; 256];

/// Keeps the highest bits.
pub(crate) fn posterize(bits: u32) -> Table {
    let mask = !(0xFF_u32 >> bits) as u8;
    array::from_fn(|i| i as u8 & mask)
}

/// Turns all from a threshold on into their opposites.
pub(crate) fn solarize(threshold: f64) -> Table {
    array::from_fn(|i| if (i as f64) < threshold { i as u8 } else { 255 - i as u8 })
}

/// Stretches a plane to the full range.
pub(crate) fn stretch(plane: &[u8]) -> Table {
    let least = plane.iter().copied().min().unwrap_or(0);
    let most = plane.iter().copied().max().unwrap_or(0);
    if most <= least {
        return array::from_fn(|i| i as u8);
    }
    let scale = 255. / f64::from(most - least);
    let offset = -f64::from(least) * scale;
    array::from_fn(|i| (i as f64 * scale + offset).clamp(0., 255.) as u8)
}

/// Makes all intensities of a plane about equally frequent.
pub(crate) fn equalize(plane: &[u8]) -> Table {
    let mut histogram = [0_usize; 256];
    for &sample in plane {
        histogram[usize::from(sample)] += 1;
    }
    let last = histogram.iter().rev().copied().find(|&count| count > 0).unwrap_or(0);
    let step = (plane.len() - last) / 255;
    if step == 0 {
        return array::from_fn(|i| i as u8);
    }
    let mut below = step / 2;
    histogram.map(|count| {
        let level = (below / step).min(255) as u8;
        below += count;
        level
    })
}
