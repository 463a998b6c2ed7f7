//! Resampling against what the signal would have been at the other rate.

use std::f64::consts::TAU;

use crosstune_audio::resample;

use crate::{computed, computed_in};

fn sine(hz: f64, rate: u32, length: usize) -> Vec<f32> {
    (0..length).map(|n| (TAU * hz * n as f64 / f64::from(rate)).sin() as f32).collect()
}

#[test]
fn as_torchaudio() {
    let wave = &computed("wave")[..2000];
    for (from, to) in [
        (8_000, 16_000),
        (44_100, 16_000),
        (48_000, 16_000),
        (16_000, 8_000),
        (22_050, 16_000),
        (16_000, 44_100),
        (11_025, 8_000),
    ] {
        let expected = computed_in("resampled.safetensors", &format!("{from}-{to}"));
        let samples = resample(wave.to_vec(), from, to).unwrap();
        assert_eq!(samples.len(), expected.len());
        let worst = samples.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
        assert!(worst < 1e-5, "{from} to {to} Hz: off by {worst:e}");
    }
}

#[test]
fn a_sine_stays_that_sine() {
    for (from, to) in [
        (44_100, 16_000),
        (8_000, 16_000),
        (16_000, 8_000),
        (48_000, 8_000),
        (22_050, 16_000),
        (11_025, 16_000),
        (96_000, 16_000),
        (44_101, 16_000),
        (1_500, 16_000),
    ] {
        let samples = resample(sine(440., from, from as usize * 2), from, to).unwrap();
        assert_eq!(samples.len(), to as usize * 2, "{from} to {to}");
        let expected = sine(440., to, samples.len());
        let edge = samples.len() / 100;
        let worst = samples[edge..samples.len() - edge]
            .iter()
            .zip(&expected[edge..])
            .map(|(a, b)| (a - b).abs())
            .fold(0., f32::max);
        assert!(worst < 5e-3, "{from} to {to} Hz: off by {worst}");
    }
}

#[test]
fn what_the_lower_rate_cannot_hold_is_removed() {
    let samples = resample(sine(11_000., 44_100, 44_100), 44_100, 16_000).unwrap();
    let loudest = samples[4000..12_000].iter().fold(0., |m: f32, x| m.max(x.abs()));
    assert!(loudest < 1e-2, "an alias of {loudest}");
    // What is well within it stays.
    let samples = resample(sine(5_000., 44_100, 44_100), 44_100, 16_000).unwrap();
    let power: f32 = samples[4000..12_000].iter().map(|x| x * x).sum::<f32>() / 8000.;
    assert!((power - 0.5).abs() < 0.005, "a power of {power}");
}

#[test]
fn an_onset_is_not_shifted() {
    for (from, to) in [(44_100, 16_000), (8_000, 16_000), (48_000, 16_000), (12_000, 16_000)] {
        let mut samples = vec![0.; from as usize];
        samples[from as usize / 2] = 1.;
        let samples = resample(samples, from, to).unwrap();
        let (peak, _) = samples.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert_eq!(peak, to as usize / 2, "{from} to {to} Hz");
    }
}

#[test]
fn the_length_is_the_ratio_rounded_up() {
    for length in [1, 2, 3, 440, 441, 442, 1000, 44_099, 44_100, 44_101] {
        for (from, to) in [(44_100, 16_000), (8_000, 16_000), (16_000, 11_025), (44_101, 16_000)] {
            let samples = resample(vec![0.1; length], from, to).unwrap();
            assert_eq!(samples.len(), (length * to as usize).div_ceil(from as usize));
            assert!(samples.iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn the_same_rate_costs_nothing_and_zero_is_an_error() {
    let samples = vec![0.5; 100];
    let place = samples.as_ptr();
    let same = resample(samples, 8_000, 8_000).unwrap();
    assert_eq!(same.as_ptr(), place);
    assert!(resample(vec![], 8_000, 16_000).unwrap().is_empty());
    assert!(resample(vec![1.], 0, 16_000).is_err());
    assert!(resample(vec![1.], 16_000, 0).is_err());
}
