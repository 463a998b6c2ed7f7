//! The front ends: from samples to the input of an embedder.

use tch::Tensor;

use super::{
    cepstra::Cepstra,
    clap::ClapMel,
    kaldi::{BandLevel, KaldiMel},
    mel::LogMel,
    mfcc::Mfcc,
    waveform::Waveform,
    whisper::WhisperMel,
};

/// From samples to the input of an embedder. A frame is a position in time, however long.
#[derive(Debug, Clone)]
pub(crate) enum FrontEnd {
    /// Log-mel frames, for a model that was not trained on audio.
    LogMel(LogMel),
    /// wav2vec2, HuBERT.
    Waveform(Waveform),
    Whisper(WhisperMel),
    /// AST.
    Kaldi(KaldiMel),
    /// honk.
    Cepstra(Cepstra),
    Clap(ClapMel),
    /// Kaldi's frames, for wav2vec2-BERT, or for a model that was not trained on audio.
    Fbank(KaldiMel),
    /// MFCCs, for a model that was not trained on audio.
    Mfcc(Mfcc),
}

/// How samples of different lengths are padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// With zeros to the longest, and masked.
    Masked,
    /// With the value of silence, all to the one length that the model was trained on.
    Full,
}

impl FrontEnd {
    /// The rate of the samples that it takes, in Hz.
    pub(crate) fn sample_rate(&self) -> u32 {
        match self {
            Self::LogMel(mel) => mel.config().sample_rate,
            Self::Waveform(waveform) => waveform.config().sample_rate,
            Self::Whisper(mel) => mel.config().sample_rate,
            Self::Kaldi(mel) | Self::Fbank(mel) => mel.config().sample_rate,
            Self::Mfcc(mfcc) => mfcc.mel().sample_rate,
            Self::Cepstra(_) => Cepstra::SAMPLE_RATE,
            Self::Clap(mel) => mel.config().sample_rate,
        }
    }

    /// How many numbers are a frame; 1 of the waveform.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::LogMel(mel) => mel.config().bands,
            Self::Waveform(_) => 1,
            Self::Whisper(mel) => mel.config().bands,
            Self::Kaldi(mel) | Self::Fbank(mel) => mel.config().bands,
            Self::Mfcc(mfcc) => mfcc.coefficients(),
            Self::Cepstra(_) => Cepstra::BANDS,
            Self::Clap(mel) => mel.config().bands,
        }
    }

    /// How many frames `samples` samples give.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        match self {
            Self::LogMel(mel) => mel.config().frames(samples),
            Self::Waveform(waveform) => waveform.frames(samples),
            Self::Whisper(mel) => samples.div_ceil(mel.config().hop),
            Self::Kaldi(mel) | Self::Fbank(mel) => mel.frames(samples),
            Self::Mfcc(mfcc) => mfcc.mel().frames(samples),
            Self::Cepstra(_) => 1 + samples / Cepstra::HOP,
            Self::Clap(mel) => mel.frames(samples),
        }
    }

    /// How many samples it takes to know the first `frames` frames.
    pub(crate) fn samples(&self, frames: usize) -> usize {
        match self {
            Self::LogMel(mel) => mel.config().samples(frames),
            Self::Waveform(waveform) => waveform.samples(frames),
            Self::Whisper(mel) => mel.samples(frames),
            Self::Kaldi(mel) | Self::Fbank(mel) => mel.samples(frames),
            Self::Mfcc(mfcc) => mfcc.mel().samples(frames),
            Self::Cepstra(_) => Cepstra::samples(frames),
            Self::Clap(mel) => mel.samples(frames),
        }
    }

    /// From one frame to the next, in samples.
    pub(crate) fn hop(&self) -> usize {
        self.samples(2).saturating_sub(self.samples(1)).max(1)
    }

    /// A sample of at most `frames` frames: `[T, F]`, or `[N]` of the waveform.
    pub(crate) fn compute(&self, mut samples: Vec<f32>, frames: usize) -> Tensor {
        let mut values = match self {
            Self::LogMel(mel) => mel.compute(&samples),
            Self::Waveform(waveform) => {
                samples.truncate(waveform.samples(frames));
                return Tensor::from_slice(&waveform.compute(samples));
            }
            Self::Whisper(mel) => mel.compute(&samples, frames),
            Self::Kaldi(mel) | Self::Fbank(mel) => mel.compute(&samples),
            Self::Mfcc(mfcc) => mfcc.compute(&samples),
            Self::Cepstra(cepstra) => cepstra.compute(&samples, frames),
            Self::Clap(mel) => mel.compute(&samples, frames),
        };
        values.truncate(frames * self.width());
        Tensor::from_slice(&values).view([-1, self.width() as i64])
    }

    /// Whether a frame depends on the samples near it alone, so that frames of a whole recording can
    /// be cut like those of a part.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Kaldi(mel) | Self::Fbank(mel) => mel.config().level == BandLevel::AsRecorded,
            Self::LogMel(_) | Self::Cepstra(_) => true,
            // Brought to the level of the whole, cut off below the loudest of it, or filled up with it.
            Self::Whisper(_) | Self::Waveform(_) | Self::Mfcc(_) | Self::Clap(_) => false,
        }
    }

    /// How samples of different lengths are padded.
    pub(crate) fn padding(&self) -> Padding {
        match self {
            Self::LogMel(_) | Self::Waveform(_) | Self::Fbank(_) | Self::Mfcc(_) => Padding::Masked,
            Self::Whisper(_) | Self::Kaldi(_) | Self::Cepstra(_) | Self::Clap(_) => Padding::Full,
        }
    }

    /// The value of padding for `sample`.
    pub(crate) fn silence(&self, sample: &Tensor) -> f64 {
        match self {
            Self::LogMel(_)
            | Self::Waveform(_)
            | Self::Cepstra(_)
            // It fills up all recordings.
            | Self::Clap(_)
            | Self::Fbank(_)
            | Self::Mfcc(_) => 0.,
            Self::Whisper(_) => WhisperMel::silence(sample.max().double_value(&[]) as f32).into(),
            Self::Kaldi(mel) => mel.silence().into(),
        }
    }
}
