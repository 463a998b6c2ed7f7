//! Cepstral coefficients and Kaldi's filter bank against torchaudio's.

use crosstune_audio::{KaldiConfig, KaldiMel, KaldiMfcc, KaldiWindow, MelConfig, Mfcc, MfccLog};

use crate::{computed, computed_in};

fn assert_parity(name: &str, got: &[f32]) {
    let want = computed_in("cepstra.safetensors", name);
    assert_eq!(got.len(), want.len(), "{name}");
    let worst = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
    assert!(worst < 1e-4, "{name}: off by {worst:e}");
}

#[test]
fn as_kaldi_hears() {
    let usual = KaldiConfig::new(16_000);
    assert_parity("fbank", &KaldiMel::new(usual).unwrap().compute(&computed("wave")));
    let hamming = KaldiConfig { window: KaldiWindow::Hamming, bands: 10, ..usual };
    assert_parity("hamming", &KaldiMel::new(hamming).unwrap().compute(&computed("wave")));
    let mfcc = KaldiMfcc::new(usual, 13, 22.).unwrap();
    assert_parity("kaldi_mfcc", &mfcc.compute(&computed("wave")));
}

#[test]
fn as_torchaudio_takes_cepstra() {
    let mel = MelConfig::new(16_000, 512, 160, 64);
    for (name, coefficients, log) in
        [("mfcc", 40, MfccLog::Decibels), ("mfcc_ln", 13, MfccLog::Natural)]
    {
        let mfcc = Mfcc::new(mel, coefficients, log).unwrap();
        assert_parity(name, &mfcc.compute(&computed("wave")));
    }
}

#[test]
fn silence_and_nothing_have_cepstra_too() {
    let mfcc = Mfcc::new(MelConfig::new(8_000, 256, 80, 40), 13, MfccLog::Decibels).unwrap();
    assert!(mfcc.compute(&[]).is_empty());
    let silence = mfcc.compute(&[0.; 800]);
    assert_eq!(silence.len(), 11 * 13);
    // -100 dB in every of 40 bands.
    assert!((silence[0] + 100. * 40_f32.sqrt()).abs() < 1e-3 && silence[1].abs() < 1e-4);
}

#[test]
fn impossible_numbers_of_coefficients_are_errors() {
    let (mel, kaldi) = (MelConfig::new(8_000, 256, 80, 40), KaldiConfig::new(8_000));
    for coefficients in [0, 41] {
        let error = Mfcc::new(mel, coefficients, MfccLog::Natural).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{coefficients} coefficients of 40 bands")), "{error}");
    }
    assert!(KaldiMfcc::new(kaldi, 24, 22.).is_err());
    let error = KaldiMfcc::new(kaldi, 13, f64::NAN).unwrap_err().to_string();
    assert!(error.starts_with("a liftering of NaN"), "{error}");
}
