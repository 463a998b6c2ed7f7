//! The preview of a recording: its log-mel spectrogram as a picture.

use std::{f64::consts::PI, io::Cursor};

use crosstune_core::{BoxError, Pixels, Preview};
use hound::{SampleFormat, WavSpec, WavWriter};

use crate::{
    features::{LogMel, MelConfig},
    recording::{LONGEST, Recording},
};

/// The most columns, in pixels.
const WIDTH: usize = 256;
/// Bands, one a row of pixels.
const HEIGHT: usize = 128;
/// Black is this much quieter than the loudest, in powers of e: 80 dB.
const RANGE: f32 = 18.42;

/// Draws a recording: time from left to right, bands from bottom to top, a column at least every
/// 10 ms, brighter where it is louder.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn spectrogram(recording: Recording) -> Result<Preview, BoxError> {
    let rate = recording.sample_rate();
    // More would be an error to read, and too long to look at.
    let samples = recording.read(LONGEST as usize)?;
    let Pixels { width, height, rgb } = of_samples(&samples, rate)?;
    Ok(Preview::Picture { width, height, rgb })
}

/// The same of samples.
pub(crate) fn of_samples(samples: &[f32], rate: u32) -> Result<Pixels, BoxError> {
    let columns = (samples.len() * 100 / rate as usize).clamp(1, WIDTH);
    let hop = samples.len().div_ceil(columns).max(1);
    // Long transforms, so that no low band is narrower than the distance of two bins.
    let window = (rate as usize / 40).max(2);
    let fft = (8 * window).next_power_of_two();
    let mel = LogMel::new(MelConfig { fft, ..MelConfig::new(rate, window, hop, HEIGHT) })?;
    let mel = mel.compute(samples);
    let columns = columns.min(mel.len() / HEIGHT);
    let loudest = mel.iter().copied().fold(f32::MIN, f32::max);
    let mut rgb = Vec::with_capacity(3 * columns * HEIGHT);
    for band in (0..HEIGHT).rev() {
        for column in 0..columns {
            let quieter = loudest - mel[column * HEIGHT + band];
            rgb.extend(colour(f64::from(1. - quieter / RANGE)));
        }
    }
    Ok(Pixels { width: columns as u32, height: HEIGHT as u32, rgb })
}

/// Draws frames, `bands` numbers each: brighter where they are larger, from the fifth of a hundred parts of
/// them up.
pub(crate) fn of_frames(frames: &[f32], bands: usize) -> Pixels {
    let mut sorted: Vec<f32> = frames.iter().copied().filter(|x| x.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    let low = sorted.get(sorted.len() / 20).copied().unwrap_or(0.);
    let range = (sorted.last().copied().unwrap_or(1.) - low).max(f32::EPSILON);
    let columns = frames.len() / bands.max(1);
    let mut rgb = Vec::with_capacity(3 * columns * bands);
    for band in (0..bands).rev() {
        for column in 0..columns {
            let value = frames[column * bands + band];
            rgb.extend(colour(f64::from((value - low) / range)));
        }
    }
    Pixels { width: columns as u32, height: bands as u32, rgb }
}

/// The most of a recording that is played, in seconds.
const PLAYED: usize = 10;

/// The beginning of a recording as a WAV file: one channel of 16 bit, at its own rate.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn clip(recording: Recording) -> Result<Vec<u8>, BoxError> {
    let rate = recording.sample_rate();
    let samples = recording.read(PLAYED * rate as usize)?;
    let mut file = Cursor::new(vec![]);
    let spec = WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::new(&mut file, spec)?;
    for sample in samples {
        // Float recordings may be louder than integers can tell.
        writer.write_sample((sample.clamp(-1., 1.) * f32::from(i16::MAX)) as i16)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

/// The colour of an intensity, 0 to 1: from black over blue, violet and orange to a light yellow,
/// in equal steps of perceived lightness (Ottosson 2020, A perceptual color space for image
/// processing).
fn colour(intensity: f64) -> [u8; 3] {
    let intensity = intensity.clamp(0., 1.);
    let lightness = 0.98 * intensity;
    // Most colourful in the middle, where the most colours are there to show.
    let chroma = 0.17 * (PI * intensity).sin();
    let hue = PI * (-0.55 + 1.1 * intensity);
    oklab([lightness, chroma * hue.cos(), chroma * hue.sin()])
}

/// From Oklab to sRGB.
fn oklab([l, a, b]: [f64; 3]) -> [u8; 3] {
    let cone = |x: f64| x.powi(3);
    let (long, middle, short) = (
        cone(l + 0.396_337_777_4 * a + 0.215_803_757_3 * b),
        cone(l - 0.105_561_345_8 * a - 0.063_854_172_8 * b),
        cone(l - 0.089_484_177_5 * a - 1.291_485_548_0 * b),
    );
    [
        4.076_741_662_1 * long - 3.307_711_591_3 * middle + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * middle - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * middle + 1.707_614_701_0 * short,
    ]
    .map(|linear| {
        let linear = linear.clamp(0., 1.);
        let curved = match linear <= 0.003_130_8 {
            true => 12.92 * linear,
            false => 1.055 * linear.powf(1. / 2.4) - 0.055,
        };
        (255. * curved).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_grow_lighter_in_even_steps() {
        assert_eq!((colour(0.), colour(-1.)), ([0; 3], [0; 3]));
        // Rec. 709's weights of linear light, and CIE's cube root.
        let lightness = |rgb: [u8; 3]| {
            let linear = rgb.map(|c| (f64::from(c) / 255.).powf(2.2));
            (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]).cbrt()
        };
        let steps: Vec<f64> = (0..=10).map(|i| lightness(colour(f64::from(i) / 10.))).collect();
        assert!(
            steps.windows(2).all(|pair| (0.03..0.17).contains(&(pair[1] - pair[0]))),
            "{steps:?}"
        );
        assert!(colour(1.).iter().all(|&c| c > 220));
        assert_eq!(oklab([1., 0., 0.]), [255; 3]);
    }
}
