//! Recordings as log-mel frames, for transfer learning with Crosstune.
//!
//! A recording is a file of any sample rate, depth and number of channels: WAV, FLAC, MP3, Ogg
//! Vorbis or AIFF, whatever its name says. [`Recording`] reads it as one channel, [`resample()`]
//! brings it to a common rate, and [`LogMel`] turns it into frames: how much power lies in each of
//! some forty bands of frequency, a hundred times a second.
//! [`AudioSettings`] is all of this as a [`Modality`](crosstune_core::Modality): it chooses
//! the rate and the length by a survey of the training set, normalises every band to mean 0 and
//! standard deviation 1, and pads recordings of different lengths to one batch. A
//! [`FrameEmbedder`](crosstune_core::FrameEmbedder) then embeds a frame as a trunk's own embedder
//! does a token or a patch.
//!
//! Audio models keep their own front end: the waveform for wav2vec2 and HuBERT
//! ([`WaveformEmbedder`]), Whisper's frames ([`WhisperMel`], [`FrameStem`]), Kaldi's for AST
//! ([`KaldiMel`], [`SpectrogramPatches`]) and wav2vec2-BERT ([`StackedFrames`]), cepstra for honk ([`Cepstra`], [`SpectrogramStem`]).
//!
//! ```
//! use crosstune_audio::{LogMel, MelConfig, Recording};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("beep.wav");
//! let spec = hound::WavSpec {
//!     channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int,
//! };
//! let mut file = hound::WavWriter::create(&path, spec)?;
//! (0..8000).try_for_each(|n| file.write_sample((1e4 * (n as f32 * 0.5).sin()) as i16))?;
//! file.finalize()?;
//!
//! let samples = Recording::open(&path)?.read(usize::MAX)?;
//! let mel = LogMel::new(MelConfig::new(8000, 256, 80, 40))?.compute(&samples);
//! assert_eq!(mel.len(), 101 * 40); // one second: 101 frames of 40 bands
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Long`] says how recordings that are longer than a model's sequence are handled, [`Augment`]
//! how training recordings are augmented, [`FrameFeatures`] what replaces log-mel bands.
//! [`KaldiMel`], [`KaldiMfcc`] and [`Mfcc`] also stand by themselves, for those who need
//! torchaudio's numbers without torchaudio.
//!
//! The feature `cli` adds the binary `crosstune-audio`.
#![deny(missing_docs)]

mod augment;
#[cfg(feature = "cli")]
mod cli;
mod embed;
mod explaining;
mod extent;
mod features;
mod long;
mod options;
mod preprocessor;
mod published;
mod range;
mod recording;
mod resample;
mod sample;
mod scale;
mod settings;
mod show;
mod strides;
mod survey;
mod taken;
mod transcribing;

pub use augment::Augment;
#[cfg(feature = "cli")]
pub use cli::AudioArgs;
pub use embed::{
    FoldedSpectrogram, FrameStem, Sides, SpectrogramPatches, SpectrogramStem, StackedFrames,
    WaveformEmbedder,
};
pub use features::{
    BandLevel, Cepstra, ClapConfig, ClapMel, ClapScale, Ends, Filling, KaldiConfig, KaldiMel,
    KaldiMfcc, KaldiWindow, Level, LogMel, MelConfig, MelError, Mfcc, MfccLog, SampleRange,
    Waveform, WaveformConfig, WhisperConfig, WhisperMel,
};
pub use long::Long;
pub use options::{AudioOptions, FrameFeatures};
pub use recording::{Recording, RecordingError};
pub use resample::{ResampleError, resample};
pub use scale::Normalization;
pub use settings::AudioSettings;
