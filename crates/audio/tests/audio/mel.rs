//! Log-mel spectrograms against torchaudio's, and where torchaudio has none.

use crosstune_audio::{LogMel, MelConfig};

use crate::computed as fixture;

fn assert_parity(config: MelConfig, name: &str) {
    let mel = LogMel::new(config).unwrap().compute(&fixture("wave"));
    let expected = fixture(name);
    assert_eq!(mel.len(), expected.len());
    let worst = mel.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
    assert!(worst < 1e-4, "{name}: off by {worst}");
}

#[test]
fn as_torchaudio_with_a_transform_of_the_windows_length() {
    assert_parity(MelConfig::new(8_000, 256, 80, 40), "mel_8k");
}

#[test]
fn as_torchaudio_with_a_longer_transform() {
    assert_parity(MelConfig { fft: 512, ..MelConfig::new(16_000, 400, 160, 64) }, "mel_16k");
}

#[test]
fn a_tone_is_in_its_band() {
    let wave: Vec<f32> =
        (0..8000).map(|n| (std::f32::consts::TAU * 1000. * n as f32 / 8000.).sin()).collect();
    let mel = LogMel::new(MelConfig::new(8_000, 256, 80, 40)).unwrap().compute(&wave);
    let middle = &mel[50 * 40..51 * 40];
    let (loudest, _) = middle.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    // 1000 Hz is 1000 mel of 2146: at 19.1 of 41 edges, nearest to the peak of band 18 (from 0).
    assert_eq!(loudest, 18);
}

#[test]
fn silence_and_short_clips_have_frames_too() {
    let log_mel = LogMel::new(MelConfig::new(8_000, 256, 80, 40)).unwrap();
    for (samples, frames) in
        [(0, 0), (1, 1), (2, 1), (79, 1), (80, 2), (127, 2), (129, 2), (256, 4)]
    {
        assert_eq!(log_mel.config().frames(samples), frames);
        let mel = log_mel.compute(&vec![0.; samples]);
        assert_eq!(mel, vec![1e-6_f32.ln(); frames * 40], "{samples} samples of silence");
        let mel = log_mel.compute(&vec![0.5; samples]);
        assert_eq!(mel.len(), frames * 40);
        assert!(mel.iter().all(|x| x.is_finite()));
    }
}

#[test]
fn first_frames_need_no_more_samples_than_promised() {
    let wave = fixture("wave");
    for (window, fft) in [(256, 256), (400, 512), (353, 353), (2, 3)] {
        let config = MelConfig { fft, ..MelConfig::new(8_000, window, 80, 20) };
        let log_mel = LogMel::new(config).unwrap();
        let whole = log_mel.compute(&wave);
        assert_eq!(whole.len(), config.frames(wave.len()) * 20);
        for frames in [1, 2, 7] {
            let some = log_mel.compute(&wave[..config.samples(frames)]);
            assert!(config.frames(config.samples(frames)) >= frames);
            assert_eq!(some[..frames * 20], whole[..frames * 20]);
        }
    }
}

#[test]
fn an_impossible_shape_is_an_error() {
    let good = MelConfig::new(8_000, 256, 80, 40);
    for (config, says) in [
        (MelConfig { window: 1, ..good }, "a window of 1 samples"),
        (MelConfig { hop: 0, ..good }, "a hop of 0 samples"),
        (MelConfig { bands: 0, ..good }, "0 mel bands"),
        (MelConfig { fft: 128, ..good }, "a Fourier transform of 128 samples"),
        (MelConfig { fft: usize::MAX, ..good }, "a Fourier transform of"),
        (MelConfig { high_hz: 4_001., ..good }, "bands from 0 Hz to 4001 Hz"),
        (MelConfig { high_hz: f64::NAN, ..good }, "bands from 0 Hz to NaN Hz"),
        (MelConfig { low_hz: 5_000., ..good }, "bands from 5000 Hz to 4000 Hz"),
        (MelConfig { low_hz: -1., ..good }, "bands from -1 Hz"),
        (MelConfig { sample_rate: 0, high_hz: 0., ..good }, "bands from 0 Hz to 0 Hz"),
    ] {
        let error = LogMel::new(config).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}
