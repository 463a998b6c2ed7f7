//! Random augmentation of training recordings.

use crosstune_core::{Result, Rng};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{range::within, resample::resample};

/// The augmentation of training recordings; none by default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// A random gain of up to this many decibels, louder or quieter.
    pub gain_db: Option<f64>,
    /// White noise with a random signal-to-noise ratio from this many decibels to 20 more.
    pub noise_db: Option<f64>,
    /// A random shift in time of up to this many milliseconds; silence is shifted in.
    pub shift_ms: Option<f64>,
    /// The number of time masks and of frequency masks, which are filled with the mean
    /// (SpecAugment, Park et al. 2019). Of a waveform, what the model's convolutions make of it is
    /// masked.
    pub masks: Option<usize>,
    /// Speeds, of which a recording is played at one: 0.9, 1 and 1.1, say (Ko et al. 2015).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub speeds: Vec<f64>,
}

impl Augment {
    /// From the loudest random noise to the quietest, in decibels.
    const NOISE_RANGE: f64 = 20.;
    /// The most of the bands that one mask covers: 27 of 80 (Park et al. 2019, table 1).
    const BANDS: f64 = 27. / 80.;
    /// The most frames that one mask covers (the same).
    const FRAMES: i64 = 100;
    /// The most of the time that one mask covers, so that short recordings are not masked whole
    /// (the same, §2; 0.2 for Switchboard).
    const TIME: f64 = 0.2;

    pub(crate) fn validate(&self) -> Result<()> {
        if let Some(gain) = &self.gain_db {
            within("--gain", gain, 0.0..=60.0, " dB")?;
        }
        if let Some(noise) = &self.noise_db {
            within("--noise", noise, -20.0..=100.0, " dB")?;
        }
        if let Some(shift) = &self.shift_ms {
            within("--shift", shift, 0.0..=60_000.0, " ms")?;
        }
        if let Some(masks) = &self.masks {
            within("--spec-augment", masks, 0..=20, " masks")?;
        }
        self.speeds.iter().try_for_each(|speed| within("--speed", speed, 0.5..=2.0, ""))
    }

    /// Whether the waveform itself is augmented, so that features are computed anew each time.
    pub(crate) fn augments_waves(&self) -> bool {
        self.gain_db.is_some()
            || self.noise_db.is_some()
            || self.shift_ms.is_some()
            || !self.speeds.is_empty()
    }

    /// The slowest speed, at most 1.
    pub(crate) fn slowest(&self) -> f64 {
        self.speeds.iter().copied().fold(1., f64::min)
    }

    /// A speed; 1 where there is none to choose from.
    pub(crate) fn speed(&self, rng: &mut Rng) -> f64 {
        match self.speeds.len() {
            0 => 1.,
            speeds => self.speeds[rng.random_range(0..speeds)],
        }
    }

    /// Augments a waveform at `rate` Hz.
    pub(crate) fn augment_waves(&self, samples: &mut [f32], rate: u32, rng: &mut Rng) {
        if let Some(most) = self.shift_ms {
            let most = (most * f64::from(rate) / 1000.).round() as i64;
            shift(samples, rng.random_range(-most..=most));
        }
        if let Some(least) = self.noise_db {
            add_noise(samples, rng.random_range(least..=least + Self::NOISE_RANGE), rng);
        }
        if let Some(most) = self.gain_db {
            let factor = ratio(rng.random_range(-most..=most));
            samples.iter_mut().for_each(|x| *x *= factor);
        }
    }

    /// Masks a sample, `[T, F]` or a waveform `[T]`, with `mean` (`[F]`) or else with the mean of
    /// the sample.
    pub(crate) fn mask(&self, sample: Tensor, mean: Option<&[f32]>, rng: &mut Rng) -> Tensor {
        let Some(masks) = self.masks.filter(|&masks| masks > 0) else { return sample };
        let size = sample.size();
        // A kept sample is not the sample's own to change.
        let x = sample.copy();
        let mean = match mean {
            Some(mean) => Tensor::from_slice(mean),
            None => sample.mean(None),
        };
        let cover = |side: i64, most: i64, rng: &mut Rng| {
            let width = rng.random_range(0..=most);
            let start = rng.random_range(0..=size[side as usize] - width);
            let mean = match (side, mean.dim()) {
                (1, 1) => mean.narrow(0, start, width),
                _ => mean.shallow_clone(),
            };
            x.narrow(side, start, width).copy_(&mean);
        };
        for _ in 0..masks {
            let time = part(size[0], Self::TIME);
            if let [_, bands] = size[..] {
                cover(0, time.min(Self::FRAMES), rng);
                cover(1, part(bands, Self::BANDS), rng);
            } else {
                cover(0, time, rng);
            }
        }
        x
    }
}

/// Plays samples at another speed, and with it at another pitch: as `torchaudio.transforms.Speed`.
pub(crate) fn change_speed(samples: Vec<f32>, speed: f64, rate: u32) -> Vec<f32> {
    let from = (f64::from(rate) * speed) as u32;
    // No rate is 0: speeds and rates are within their ranges.
    resample(samples, from.max(1), rate).unwrap_or_default()
}

fn part(length: i64, fraction: f64) -> i64 {
    (length as f64 * fraction) as i64
}

/// A factor for the amplitude.
fn ratio(db: f64) -> f32 {
    10_f64.powf(db / 20.) as f32
}

/// Shifts samples to later, or to earlier if `by` is negative.
fn shift(samples: &mut [f32], by: i64) {
    let length = samples.len();
    let steps = usize::try_from(by.unsigned_abs()).unwrap_or(length).min(length);
    if by > 0 {
        samples.copy_within(..length - steps, steps);
        samples[..steps].fill(0.);
    } else {
        samples.copy_within(steps.., 0);
        samples[length - steps..].fill(0.);
    }
}

/// Adds uniformly distributed white noise, `quieter` decibels below the recording's power.
fn add_noise(samples: &mut [f32], quieter: f64, rng: &mut Rng) {
    let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64;
    // Of even noise within -1..1, the power is a third.
    let loudest = (3. * power).sqrt() as f32 * ratio(-quieter);
    samples.iter_mut().for_each(|x| *x += loudest * (2. * rng.random::<f32>() - 1.));
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn rng(seed: u64) -> Rng {
        Rng::seed_from_u64(seed)
    }

    #[test]
    fn a_shift_moves_and_leaves_silence() {
        for (by, expected) in [
            (1, [0., 1., 2., 3.]),
            (-1, [2., 3., 4., 0.]),
            (0, [1., 2., 3., 4.]),
            (9, [0.; 4]),
            (-9, [0.; 4]),
        ] {
            let mut samples = [1., 2., 3., 4.];
            shift(&mut samples, by);
            assert_eq!(samples, expected, "{by}");
        }
    }

    #[test]
    fn noise_has_the_power_that_was_asked_for() {
        let wave: Vec<f32> = (0..20_000).map(|n| (n as f32 * 0.1).sin()).collect();
        let mut noisy = wave.clone();
        add_noise(&mut noisy, 10., &mut rng(1));
        let power = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>() / 20_000.;
        let noise = power(&mut noisy.iter().zip(&wave).map(|(a, b)| a - b));
        let ratio = power(&mut wave.iter().copied()) / noise;
        assert!((ratio.log10() * 10. - 10.).abs() < 0.2, "{ratio}");
        // Silence has no power to compare with.
        let mut silence = [0.; 100];
        add_noise(&mut silence, 10., &mut rng(1));
        assert_eq!(silence, [0.; 100]);
        add_noise(&mut [], 10., &mut rng(1));
    }

    #[test]
    fn a_gain_stays_within_its_bound() {
        let augment = Augment { gain_db: Some(6.), ..Augment::default() };
        let gains: Vec<f32> = (0..200)
            .map(|seed| {
                let mut wave = [1.];
                augment.augment_waves(&mut wave, 8000, &mut rng(seed));
                20. * wave[0].log10()
            })
            .collect();
        assert!(gains.iter().all(|gain| gain.abs() <= 6.001));
        assert!(gains.iter().any(|&gain| gain > 5.) && gains.iter().any(|&gain| gain < -5.));
    }

    #[test]
    fn masks_take_the_mean_and_nothing_else_changes() {
        let augment = Augment { masks: Some(2), ..Augment::default() };
        let sample = Tensor::arange(200 * 40, (tch::Kind::Float, tch::Device::Cpu)).view([200, 40]);
        let mean: Vec<f32> = (0..40).map(|band| -1. - band as f32).collect();
        let mut masked = 0;
        for seed in 0..20 {
            let x = augment.mask(sample.shallow_clone(), Some(&mean), &mut rng(seed));
            let changed = x.ne_tensor(&sample);
            let expected = Tensor::from_slice(&mean).expand_as(&x).masked_select(&changed);
            assert_eq!(x.masked_select(&changed), expected);
            // At most 2 × 40 of 200 frames and 2 × 13 of 40 bands.
            let whole =
                |side: i64| changed.all_dim(1 - side, false).sum(tch::Kind::Int64).int64_value(&[]);
            let (frames, bands) = (whole(0), whole(1));
            assert!(frames <= 80 && bands <= 26);
            masked += frames + bands;
        }
        assert!(masked > 200, "{masked}");
        assert_eq!(sample.get(0).get(3).double_value(&[]), 3., "what was kept has changed");
        // One mean for all where no training set was measured, and time alone in a waveform.
        let wave = Tensor::arange(1000, (tch::Kind::Float, tch::Device::Cpu));
        let x = augment.mask(wave.shallow_clone(), None, &mut rng(3));
        let changed = x.ne_tensor(&wave);
        let count = changed.sum(tch::Kind::Int64).int64_value(&[]);
        assert!((1..=400).contains(&count), "{count}");
        assert!(x.masked_select(&changed).eq(499.5).all().int64_value(&[]) == 1);
    }

    #[test]
    fn the_shortest_samples_can_be_masked() {
        let augment = Augment { masks: Some(20), ..Augment::default() };
        for size in [[1, 1], [1, 40], [4, 2]] {
            let sample = Tensor::ones(size, (tch::Kind::Float, tch::Device::Cpu));
            assert_eq!(augment.mask(sample.shallow_clone(), None, &mut rng(0)), sample);
        }
    }
}
