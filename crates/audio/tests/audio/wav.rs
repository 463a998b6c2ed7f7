//! Reading WAV files: every depth, and every way to be broken.

use std::{fs, path::Path};

use crosstune_audio::{Recording, RecordingError};
use crosstune_core::error::one_line;
use hound::{SampleFormat, WavSpec};

use crate::{spec, tone, write};

fn read(path: &Path) -> Result<Vec<f32>, RecordingError> {
    Recording::open(path)?.read(usize::MAX)
}

/// A WAV file by hand: a plain format chunk with what is given, some chunks, the data.
fn by_hand(format: [u16; 4], rate: u32, extra: &[u8], promised: u32, data: &[u8]) -> Vec<u8> {
    let [tag, channels, block, bits] = format;
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    file.extend([tag, channels].iter().flat_map(|x| x.to_le_bytes()));
    file.extend([rate, rate.wrapping_mul(block.into())].iter().flat_map(|x| x.to_le_bytes()));
    file.extend([block, bits].iter().flat_map(|x| x.to_le_bytes()));
    file.extend(extra);
    file.extend(b"data");
    file.extend(promised.to_le_bytes());
    file.extend(data);
    file
}

#[test]
fn integers_of_every_depth() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [8, 16, 24, 32_u16] {
        let (least, most) = (-(1_i64 << (bits - 1)), (1_i64 << (bits - 1)) - 1);
        let samples = [0, most as i32, least as i32, (least / 2) as i32, (most / 3) as i32];
        let path =
            write(folder.path(), "a.wav", WavSpec { bits_per_sample: bits, ..spec(8000) }, samples);
        let step = 2_f32.powi(1 - i32::from(bits));
        let expected = [0., 1. - step, -1., -0.5, 1. / 3.];
        for (x, y) in read(&path).unwrap().iter().zip(expected) {
            assert!((x - y).abs() <= step, "{bits} bits: {x}, not {y}");
        }
    }
}

#[test]
fn floats_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let float = WavSpec { bits_per_sample: 32, sample_format: SampleFormat::Float, ..spec(96_000) };
    let samples = [0., 1., -1., 1e-20, 0.3, -32_768.];
    let path = write(folder.path(), "a.wav", float, samples);
    assert_eq!(read(&path).unwrap(), samples);
    for (bad, says) in [
        (f32::NAN, "sample 1 is NaN: it is broken, or its samples are not floats"),
        (f32::INFINITY, "sample 1 is inf: "),
        (f32::NEG_INFINITY, "sample 1 is -inf: "),
        (3e38, "sample 1 is 3"),
    ] {
        let path = write(folder.path(), "a.wav", float, [0., bad, 0.]);
        let error = read(&path).unwrap_err();
        assert!(matches!(error, RecordingError::NotSound { at: 1, .. }));
        assert!(error.to_string().starts_with(says), "{error}");
        // What is not read cannot hurt.
        assert_eq!(Recording::open(&path).unwrap().read(1).unwrap(), [0.]);
    }
}

#[test]
fn channels_are_averaged() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [2, 3, 6] {
        let samples =
            (0..10 * i32::from(channels)).map(|n| 1000 * (n % i32::from(channels)) as i16);
        let path = write(folder.path(), "a.wav", WavSpec { channels, ..spec(44_100) }, samples);
        let wav = Recording::open(&path).unwrap();
        assert_eq!(
            (wav.sample_rate(), wav.channels(), wav.samples()),
            (44_100, Some(channels.into()), Some(10))
        );
        let mean = 1000. * f32::from(channels - 1) / 2. / 32_768.;
        let mono = wav.read(usize::MAX).unwrap();
        assert_eq!(mono.len(), 10);
        assert!(mono.iter().all(|x| (x - mean).abs() < 1e-6));
        assert_eq!(Recording::open(&path).unwrap().read(4).unwrap(), mono[..4]);
    }
}

#[test]
fn formats_that_are_often_misread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let data: Vec<u8> = [8192_i16, -16_384].iter().flat_map(|x| x.to_le_bytes()).collect();
    let expected = [0.25, -0.5];
    let plain = [1, 1, 2, 16];

    // A chunk of odd length, and the byte that pads it.
    fs::write(&path, by_hand(plain, 8000, b"LIST\x03\0\0\0abc\0", 4, &data)).unwrap();
    assert_eq!(read(&path).unwrap(), expected);
    // A length that was not known when the header was written.
    fs::write(&path, by_hand(plain, 8000, b"", u32::MAX, &data)).unwrap();
    assert_eq!(read(&path).unwrap(), expected);
    // Others say so otherwise: SoX, arecord, GStreamer.
    for promised in [0x7fff_f000, 0x8000_0000, u32::MAX - 44] {
        fs::write(&path, by_hand(plain, 8000, b"", promised, &data)).unwrap();
        assert_eq!(read(&path).unwrap(), expected, "{promised:#x}");
    }
    // Kaldi, with zeros; a length of the whole makes it a file of no samples.
    let mut file = by_hand(plain, 8000, b"", 0, &data);
    fs::write(&path, &file).unwrap();
    assert_eq!(read(&path).unwrap(), expected);
    file[4] = 36;
    fs::write(&path, file).unwrap();
    assert!(matches!(read(&path), Err(RecordingError::Empty)));
    // Half a sample at the end, in the header too or in the file alone.
    let odd = [&data[..], b"x"].concat();
    for promised in [5, u32::MAX] {
        fs::write(&path, by_hand(plain, 8000, b"", promised, &odd)).unwrap();
        assert_eq!(read(&path).unwrap(), expected, "{promised}");
    }
    // Of two channels, one sample is missing at the end.
    fs::write(&path, by_hand([1, 2, 4, 16], 8000, b"", 6, &[&data[..], b"ab"].concat())).unwrap();
    assert_eq!(read(&path).unwrap(), [-0.125]);
    // Something behind the data.
    fs::write(&path, by_hand(plain, 8000, b"", 4, &[&data[..], b"LIST"].concat())).unwrap();
    assert_eq!(read(&path).unwrap(), expected);
    // A wrong number of bytes a second.
    let mut file = by_hand(plain, 8000, b"", 4, &data);
    file[28..32].fill(0);
    fs::write(&path, file).unwrap();
    assert_eq!(read(&path).unwrap(), expected);
    // 24 valid bits at the top of 32, in the extended format.
    let data: Vec<u8> = [1 << 29, -1 << 30].iter().flat_map(|x: &i32| x.to_le_bytes()).collect();
    let mut file = by_hand([0xfffe, 1, 4, 32], 8000, b"", 8, &data);
    file[16] = 40;
    let extension = b"\x16\0\x18\0\0\0\0\0\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";
    file.splice(36..36, *extension);
    fs::write(&path, file).unwrap();
    assert_eq!(read(&path).unwrap(), expected);
    // 24 bits at the bottom of 32, in the plain format.
    let data: Vec<u8> = [1 << 21, -1 << 22].iter().flat_map(|x: &i32| x.to_le_bytes()).collect();
    fs::write(&path, by_hand([1, 1, 4, 24], 8000, b"", 8, &data)).unwrap();
    assert_eq!(read(&path).unwrap(), expected);
}

#[test]
fn broken_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let plain = [1, 1, 2, 16];
    let data = [0; 100];
    for (file, says) in [
        (
            vec![],
            "not a recording of a kind that can be read (WAV, FLAC, MP3, AAC, Ogg Vorbis, AIFF, AU): it is empty",
        ),
        (
            b"RIFF\0\0".to_vec(),
            "not a recording of a kind that can be read (WAV, FLAC, MP3, AAC, Ogg Vorbis, AIFF, AU): it ends after 6 bytes",
        ),
        (
            b"ID3\x03\0\0\0\0\0\0\0\0".to_vec(),
            "its MP3 data is broken: it holds none that can be decoded",
        ),
        (vec![0xff; 500], "not a recording of a kind that can be read (WAV, FLAC, MP3, AAC, Ogg"),
        (b"fLaC\0\0\0\x22\x10\0\x10\0".to_vec(), "its FLAC data is broken: it is cut short"),
        (vec![b'a'; 500], "not a recording of a kind that can be read (WAV, FLAC, MP3, AAC, Ogg"),
        (
            by_hand(plain, 8000, b"", 96_000, &data[..]),
            "the header promises 48,000 samples, the file holds 50, 0.01 of 6.00 s: it is cut short",
        ),
        (
            by_hand(plain, 8000, b"", 0x7fff_efff, &data),
            "the header promises 1,073,739,775 samples, the file holds 50, 0.01 of 134217.47 s: it is cut short",
        ),
        (by_hand(plain, 8000, b"", 0, &[]), "it holds no samples"),
        (by_hand(plain, 8000, b"", u32::MAX, &[]), "it holds no samples"),
        (by_hand(plain, 8000, b"", 1, &data), "it holds no samples"),
        (
            by_hand(plain, 8000, b"", 103, &data),
            "the header promises 51 samples, the file holds 50, 0.01 of 0.01 s: it is cut short",
        ),
        (by_hand([1, 0, 2, 16], 8000, b"", 100, &data), "its WAV header is broken: no channels"),
        (by_hand(plain, 0, b"", 100, &data), "its WAV header is broken: a sample rate of 0 Hz"),
        (
            by_hand(plain, u32::MAX, b"", 100, &data),
            "its WAV header is broken: a sample rate of 4,294,967,295 Hz",
        ),
        (
            by_hand([1, 1, 0, 16], 8000, b"", 100, &data),
            "its WAV header is broken: 1 channels of 16",
        ),
        (
            by_hand([1, 2, 5, 16], 8000, b"", 100, &data),
            "its WAV header is broken: 2 channels of 16",
        ),
        (
            by_hand([1, 9, 2, 16], 8000, b"", 100, &data),
            "its WAV header is broken: 9 channels of 16",
        ),
        (by_hand([1, 1, 2, 12], 8000, b"", 100, &data), "its samples are 12-bit integers: convert"),
        (by_hand([3, 1, 2, 16], 8000, b"", 96, &data), "its samples are 16-bit floats: convert"),
        (
            by_hand([2, 1, 1, 4], 8000, b"", 100, &data),
            "its samples are compressed (ADPCM): convert",
        ),
        (
            by_hand([99, 1, 1, 8], 8000, b"", 100, &data),
            "its samples are of an unknown kind (format",
        ),
        (by_hand([0xfffe, 1, 1, 8], 8000, b"", 100, &data), "its samples are of an unknown kind"),
        (
            by_hand(plain, 8000, b"LIST\xf0\xff\xff\xff", 100, &data),
            "its WAV header is broken: the file ends before its data",
        ),
        (
            b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(),
            "its WAV header is broken: the data comes before",
        ),
        (
            b"RIFF\0\0\0\0WAVEfmt \x08\0\0\0\x01\0\x01\0\x40\x1f\0\0data".to_vec(),
            "its WAV header is broken: a format of 8 bytes, where 16 are needed",
        ),
    ] {
        fs::write(&path, file).unwrap();
        let error = one_line(&read(&path).unwrap_err());
        assert!(error.starts_with(says), "{error}\n  not: {says}");
    }
    let missing = read(&folder.path().join("b.wav")).unwrap_err();
    assert!(one_line(&missing).starts_with("cannot be read: No such file"), "{missing}");
    assert!(read(folder.path()).is_err());
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let stereo = WavSpec { channels: 2, bits_per_sample: 24, ..spec(16_000) };
    let path = write(folder.path(), "a.wav", stereo, tone(440., 16_000, 200).map(i32::from));
    let whole = fs::read(&path).unwrap();
    assert_eq!(read(&path).unwrap().len(), 100);
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(read(&path).is_err(), "read though cut to {length} bytes");
    }
}

#[test]
fn a_file_with_any_byte_changed_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.wav", spec(8000), tone(440., 8000, 50));
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut file = whole.clone();
            file[at] = value;
            fs::write(&path, &file).unwrap();
            // It is read or refused, without a panic and without more samples than bytes.
            assert!(read(&path).map_or(0, |samples| samples.len()) <= file.len());
        }
    }
}
