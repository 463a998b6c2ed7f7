//! What pretrained models hear, against their libraries' feature extractors.

use crosstune_audio::{
    Cepstra, Ends, KaldiConfig, KaldiMel, KaldiWindow, Level, LogMel, MelConfig, Waveform,
    WaveformConfig, WhisperConfig, WhisperMel, resample,
};

use crate::{computed, computed_in};

/// The first rows of `want`, and one value in all the others: `silence`.
fn assert_close(name: &str, got: &[f32], silence: f32, within: f32) {
    let want = computed(name);
    assert!(got.len() < want.len());
    let got = got.iter().copied().chain(std::iter::repeat(silence));
    let worst = want.iter().zip(got).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
    assert!(worst < within, "{name}: off by {worst:e}");
}

fn whisper() -> WhisperMel {
    WhisperMel::new(WhisperConfig { sample_rate: 16_000, fft: 400, hop: 160, bands: 80 }).unwrap()
}

#[test]
fn recordings_are_heard_alike() {
    let recorded = |name: &str| computed_in("recorded.safetensors", name);
    let (wave, finer) = (recorded("wave"), recorded("wave_16k"));
    let assert_close = |name: &str, got: &[f32], silence: f32| {
        let got = got.iter().copied().chain(std::iter::repeat(silence));
        let want = recorded(name);
        let worst = want.iter().zip(got).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
        assert!(worst < 1e-4, "{name}: off by {worst:e}");
    };
    assert_close("wave_16k", &resample(wave.clone(), 8_000, 16_000).unwrap(), 0.);
    let mel = LogMel::new(MelConfig::new(8_000, 256, 80, 40)).unwrap();
    assert_close("mel_8k", &mel.compute(&wave), 0.);
    let mel = whisper().compute(&finer, 100);
    let loudest = mel.iter().copied().fold(f32::MIN, f32::max);
    assert_close("whisper", &mel, WhisperMel::silence(loudest));
    assert_close("kaldi", &kaldi().compute(&finer), kaldi().silence());
    assert_close("waveform", &waveform(Ends::Silent).compute(finer), 0.);
}

#[test]
fn as_whisper_hears() {
    let mel = whisper().compute(&computed("wave"), 100);
    assert_eq!(mel.len(), 27 * 80);
    let loudest = mel.iter().copied().fold(f32::MIN, f32::max);
    assert_close("whisper", &mel, WhisperMel::silence(loudest), 1e-5);
}

#[test]
fn whisper_hears_silence_and_cuts_what_is_too_long() {
    let mel = whisper().compute(&[0.; 1000], 100);
    assert_eq!(mel, vec![-1.5; 8 * 80]);
    assert_eq!(WhisperMel::silence(-1.5), -1.5);
    let wave = computed("wave");
    let cut = whisper().compute(&wave, 10);
    assert_eq!(cut.len(), 10 * 80);
    assert_eq!(cut, whisper().compute(&wave[..1600], 10));
}

fn kaldi() -> KaldiMel {
    let (mean, scale) = (-4.267_739_3, 2. * 4.568_997_4);
    let window = KaldiWindow::Hanning;
    KaldiMel::new(KaldiConfig { bands: 128, mean, scale, window, ..KaldiConfig::new(16_000) })
        .unwrap()
}

#[test]
fn as_ast_hears() {
    let mel = kaldi().compute(&computed("wave"));
    assert_eq!(mel.len(), 23 * 128);
    assert_close("kaldi", &mel, kaldi().silence(), 5e-5);
}

#[test]
fn ast_hears_the_shortest_recording() {
    assert_eq!((kaldi().frames(1), kaldi().frames(559), kaldi().frames(560)), (1, 1, 2));
    assert_eq!((kaldi().samples(1), kaldi().samples(2)), (400, 560));
    for length in [0, 1, 399] {
        let mel = kaldi().compute(&vec![0.5; length]);
        assert!(mel.len() == 128 && mel.iter().all(|x| x.is_finite()), "{length}");
    }
}

#[test]
fn as_honk_hears() {
    let cepstra = Cepstra::new().compute(&computed("wave"), Cepstra::USUAL);
    assert_eq!(cepstra.len(), 27 * 40);
    // The logarithms of 40 bands add up.
    assert_close("cepstra", &cepstra, 0., 1e-4);
}

fn waveform(ends: Ends) -> Waveform {
    let config = WaveformConfig { sample_rate: 16_000, level: Level::Normalised, ends };
    // wav2vec2's.
    let kernels = [(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)];
    Waveform::new(config, &kernels.map(|(kernel, stride)| [512, kernel, stride]))
}

#[test]
fn as_wav2vec2_hears() {
    let got = waveform(Ends::Silent).compute(computed("wave"));
    let worst = got.iter().zip(computed("waveform")).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
    assert!(got.len() == 4000 && worst < 2e-6, "off by {worst:e}");
}

#[test]
fn a_place_of_wav2vec2_sees_25_ms_and_the_next_one_20_ms_later() {
    let waveform = waveform(Ends::Masked);
    assert_eq!((waveform.samples(1), waveform.samples(2)), (400, 720));
    for (samples, frames) in [(0, 1), (400, 1), (719, 1), (720, 2), (16_000, 49)] {
        assert_eq!(waveform.frames(samples), frames, "{samples} samples");
    }
    // What is too short for one place is followed by silence; silence itself is left alone.
    let short = waveform.compute(vec![1., -1.]);
    assert_eq!((short.len(), short[2..].iter().sum::<f32>()), (400, 0.));
    assert_eq!(waveform.compute(vec![0.; 500]), vec![0.; 500]);
}
