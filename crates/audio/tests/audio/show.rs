//! What a person sees of a recording: its length and its spectrogram.

use crosstune_audio::AudioSettings;
use crosstune_core::{Input, Modality, Preview};

use crate::{fixture, spec, tone, write};

#[test]
fn an_extent_is_in_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let audio = AudioSettings::default();
    assert_eq!(AudioSettings::SIZE, ["length, seconds"]);
    let path = write(folder.path(), "a.wav", spec(8000), tone(440., 8000, 6000));
    assert_eq!(audio.size(&Input::File(path)).unwrap(), [0.75]);
    let flac = Input::File(fixture("files/tone.flac"));
    assert_eq!(audio.size(&flac).unwrap(), [0.15]);
    assert!(audio.size(&Input::Text("a".into())).is_err());
    assert!(audio.size(&Input::File(folder.path().join("none.wav"))).is_err());
}

#[test]
fn a_tone_is_a_bright_line() {
    let folder = tempfile::tempdir().unwrap();
    for (rate, length, columns) in [
        (8000, 8000, 100),
        (8000, 80_000, 256),
        (44_100, 44_100, 100),
        (8000, 1, 1),
        (500, 250, 50),
    ] {
        let path = write(folder.path(), "a.wav", spec(rate), tone(100., rate, length));
        let shown = AudioSettings::default().preview(&Input::File(path)).unwrap();
        let Preview::Picture { width, height, rgb } = shown else { panic!("not a picture") };
        assert_eq!((width, height), (columns, 128), "{length} samples at {rate} Hz");
        assert_eq!(rgb.len(), 3 * (width * height) as usize);
        if length > 1 && rate > 500 {
            let brightness = |row: usize| {
                let row = &rgb[3 * row * width as usize..][..3 * width as usize];
                row.iter().map(|&c| u64::from(c)).sum::<u64>()
            };
            let brightest = (0..128).max_by_key(|&row| brightness(row)).unwrap();
            // 100 Hz of the mel scale, from the bottom.
            let mel = |hz: f64| (1. + hz / 700.).log10();
            let band = 129. * mel(100.) / mel(f64::from(rate) / 2.) - 1.;
            assert!((127. - brightest as f64 - band).abs() < 2.5, "{rate}: {brightest}, {band}");
        }
    }
}
