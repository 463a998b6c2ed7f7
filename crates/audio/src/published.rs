//! The front end and the embedder of a pretrained audio model.

use std::{fmt::Display, ops::RangeInclusive};

use crosstune_core::{
    Embedder, EmbedderConfig, Error, FeatureShape, FoldedPatchesConfig, FrameStemConfig,
    PatchEmbedderConfig, Pretrained, Result, StackedFramesConfig, StemConfig, VarBuilder,
    WaveformEmbedderConfig, WaveformNorm, checkpoint::PREPROCESSOR,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    embed::{
        FoldedSpectrogram, FrameStem, Sides, SpectrogramPatches, SpectrogramStem, StackedFrames,
        WaveformEmbedder,
    },
    features::{
        BandLevel, Cepstra, ClapConfig, ClapMel, Ends, FrontEnd, KaldiConfig, KaldiMel,
        KaldiWindow, Level, MelError, SampleRange, Waveform, WaveformConfig, WhisperConfig,
        WhisperMel,
    },
    options::AudioOptions,
    preprocessor::{Preprocessor, USUAL_RATE},
};

/// The front end and the embedder of a pretrained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Adopted {
    /// wav2vec2, HuBERT.
    Waveform {
        #[serde(alias = "hears")]
        front_end: WaveformConfig,
        embedder: WaveformEmbedderConfig,
    },
    /// Whisper.
    Whisper {
        #[serde(alias = "hears")]
        front_end: WhisperConfig,
        embedder: FrameStemConfig,
    },
    /// AST.
    Kaldi {
        #[serde(alias = "hears")]
        front_end: KaldiConfig,
        embedder: PatchEmbedderConfig,
    },
    /// wav2vec2-BERT.
    Stacked { front_end: KaldiConfig, embedder: StackedFramesConfig },
    /// honk.
    Cepstra { embedder: StemConfig },
    /// CLAP.
    Clap { front_end: ClapConfig, embedder: FoldedPatchesConfig },
}

impl Adopted {
    /// The front end and the embedder of `source`, which was trained on audio.
    ///
    /// # Errors
    /// If its preprocessing contradicts its weights, or if its embedder is not one for audio.
    pub(crate) fn of(source: &Pretrained) -> Result<Self> {
        let path = source.checkpoint().folder().join(PREPROCESSOR);
        let bands = |field: &str, says: Option<usize>, takes: i64| match says {
            Some(says) if says as i64 != takes => Err(Error::Malformed {
                path: path.clone(),
                problem: format!("{field} is {says}, but the model takes {takes} bands"),
            }),
            _ => Ok(size(takes)),
        };
        Ok(match source.config().embedder.clone() {
            EmbedderConfig::Waveform(embedder) => {
                let published = Preprocessor::open(&path)?;
                let masked = embedder.norm == WaveformNorm::Layer;
                let front_end = WaveformConfig {
                    sample_rate: published.rate(),
                    level: match published.normalises() {
                        true => Level::Normalised,
                        false => Level::AsRecorded,
                    },
                    ends: match published.return_attention_mask.unwrap_or(masked) {
                        true => Ends::Masked,
                        false => Ends::Silent,
                    },
                };
                Self::Waveform { front_end, embedder }
            }
            EmbedderConfig::Frames(embedder) => {
                let published = Preprocessor::open(&path)?;
                let front_end = WhisperConfig {
                    sample_rate: published.rate(),
                    fft: published.n_fft.unwrap_or(400),
                    hop: published.hop_length.unwrap_or(160),
                    bands: bands("feature_size", published.feature_size, embedder.bands)?,
                };
                Self::Whisper { front_end, embedder }
            }
            EmbedderConfig::Patches(embedder) => {
                let published = Preprocessor::open(&path)?;
                let (mean, std) = match published.normalises() {
                    // Those of AudioSet.
                    true => (
                        published.mean.unwrap_or(-4.267_739_3),
                        published.std.unwrap_or(4.568_997_4),
                    ),
                    false => (0., 0.5),
                };
                let front_end = KaldiConfig {
                    sample_rate: published.rate(),
                    bands: bands("num_mel_bins", published.num_mel_bins, embedder.size[0])?,
                    mean,
                    scale: 2. * std,
                    window: KaldiWindow::Hanning,
                    ..KaldiConfig::new(published.rate())
                };
                Self::Kaldi { front_end, embedder }
            }
            EmbedderConfig::StackedFrames(embedder) => {
                let published = Preprocessor::open(&path)?;
                if let Some(stride) = published.stride.filter(|&n| n != embedder.stacked) {
                    let problem =
                        format!("stride is {stride}, but the model stacks {}", embedder.stacked);
                    return Err(Error::Malformed { path, problem });
                }
                // Its publisher's library counts windows in samples, whatever the rate.
                if published.rate() != USUAL_RATE {
                    let rate = published.rate();
                    let problem = format!("sampling_rate is {rate}, expected {USUAL_RATE}");
                    return Err(Error::Malformed { path, problem });
                }
                let front_end = KaldiConfig {
                    bands: bands("num_mel_bins", published.num_mel_bins, embedder.bands)?,
                    range: SampleRange::Integer,
                    level: BandLevel::Normalised,
                    ..KaldiConfig::new(published.rate())
                };
                Self::Stacked { front_end, embedder }
            }
            // Published as a bare table of tensors, with nothing beside it.
            EmbedderConfig::Stem(embedder) => Self::Cepstra { embedder },
            EmbedderConfig::Folded(embedder) => Self::Clap {
                front_end: ClapConfig::read(&path, embedder.bands, embedder.frames())?,
                embedder,
            },
            EmbedderConfig::Tokens(_)
            | EmbedderConfig::PatchMap(_)
            | EmbedderConfig::FromModality => {
                return Err(Error::Family {
                    path: source.checkpoint().path().into(),
                    problem: "an audio model with such an embedder is not known".into(),
                });
            }
        })
    }

    /// The front end.
    ///
    /// # Errors
    /// If a size cannot be.
    pub(crate) fn front_end(&self) -> Result<FrontEnd, MelError> {
        Ok(match self {
            Self::Waveform { front_end, embedder } => {
                FrontEnd::Waveform(Waveform::new(*front_end, &embedder.convolutions))
            }
            Self::Whisper { front_end, .. } => FrontEnd::Whisper(WhisperMel::new(*front_end)?),
            Self::Kaldi { front_end, .. } => FrontEnd::Kaldi(KaldiMel::new(*front_end)?),
            Self::Stacked { front_end, .. } => FrontEnd::Fbank(KaldiMel::new(*front_end)?),
            Self::Cepstra { .. } => FrontEnd::Cepstra(Cepstra::new()),
            Self::Clap { front_end, .. } => FrontEnd::Clap(ClapMel::new(*front_end)?),
        })
    }

    /// The options as the model needs them.
    ///
    /// # Errors
    /// If an option says otherwise, or if the model cannot take the length.
    pub(crate) fn complete(&self, asked: AudioOptions) -> Result<AudioOptions> {
        for (setting, given) in [
            ("--features", asked.features.is_some()),
            ("--coefficients", asked.coefficients.is_some()),
        ] {
            if given {
                let problem = "the pretrained model keeps its own front end; leave it out";
                return Err(Error::Setting { setting, problem: problem.into() });
            }
        }
        let ms = |samples: usize, rate: u32| samples as f64 * 1000. / f64::from(rate);
        // Window, hop and bands.
        let (rate, shape) = match self {
            Self::Waveform { front_end, .. } => (front_end.sample_rate, None),
            Self::Whisper { front_end, .. } => {
                let &WhisperConfig { sample_rate, fft, hop, bands } = front_end;
                (sample_rate, Some((ms(fft, sample_rate), ms(hop, sample_rate), bands)))
            }
            Self::Kaldi { front_end, .. } | Self::Stacked { front_end, .. } => {
                let (window, hop) = (KaldiMel::WINDOW_MS, KaldiMel::HOP_MS);
                (front_end.sample_rate, Some((f64::from(window), f64::from(hop), front_end.bands)))
            }
            Self::Cepstra { .. } => {
                let rate = Cepstra::SAMPLE_RATE;
                let (window, hop) = (ms(Cepstra::WINDOW, rate), ms(Cepstra::HOP, rate));
                (rate, Some((window, hop, Cepstra::BANDS)))
            }
            Self::Clap { front_end, .. } => {
                let &ClapConfig { sample_rate, fft, hop, bands, .. } = front_end;
                (sample_rate, Some((ms(fft, sample_rate), ms(hop, sample_rate), bands)))
            }
        };
        let (window, hop, bands) = match shape {
            Some((window, hop, bands)) => (Some(window), Some(hop), Some(bands)),
            None => (None, None, None),
        };
        Ok(AudioOptions {
            sample_rate: resolve("--sample-rate", asked.sample_rate, Some(rate))?,
            window_ms: resolve("--window-ms", asked.window_ms, window)?,
            hop_ms: resolve("--hop-ms", asked.hop_ms, hop)?,
            bands: resolve("--bands", asked.bands, bands)?,
            frames: self.length(asked.frames)?,
            ..asked
        })
    }

    /// The length in frames, if it does not depend on the recordings.
    fn length(&self, asked: Option<usize>) -> Result<Option<usize>> {
        let Some(lengths) = self.lengths() else { return Ok(asked) };
        let (least, most) = (lengths.start(), *lengths.end());
        match asked {
            Some(asked) if !lengths.contains(&asked) => Err(Error::Setting {
                setting: "--frames",
                problem: format!("the pretrained model takes {least} to {most}, got {asked}"),
            }),
            _ => Ok(asked.or(Some(most))),
        }
    }

    /// The lengths that the model takes, in frames; `None`: any.
    pub(crate) fn lengths(&self) -> Option<RangeInclusive<usize>> {
        match self {
            Self::Waveform { .. } | Self::Stacked { .. } => None,
            Self::Whisper { embedder, .. } => Some(1..=2 * size(embedder.positions)),
            Self::Kaldi { embedder, .. } => Some(size(embedder.patch[1])..=size(embedder.size[1])),
            Self::Cepstra { .. } => Some(Cepstra::FEWEST..=Cepstra::USUAL),
            Self::Clap { front_end, .. } => Some(2..=front_end.frames),
        }
    }

    /// Frames from one position of the model's sequence to the next; `None`: its positions are not in
    /// the order of time alone.
    pub(crate) fn stride(&self) -> Option<usize> {
        match self {
            Self::Waveform { .. } | Self::Cepstra { .. } => Some(1),
            Self::Whisper { .. } => Some(2),
            Self::Stacked { embedder, .. } => Some(size(embedder.stacked)),
            Self::Kaldi { .. } | Self::Clap { .. } => None,
        }
    }

    /// The shape of the model's embedder for `frames` frames.
    pub(crate) fn pretrained(&self, frames: i64) -> EmbedderConfig {
        match self {
            Self::Waveform { embedder, .. } => EmbedderConfig::Waveform(embedder.clone()),
            Self::Whisper { embedder, .. } => {
                EmbedderConfig::Frames(fewer_positions(embedder, frames))
            }
            Self::Kaldi { embedder, .. } => EmbedderConfig::Patches(shortened(embedder, frames)),
            Self::Stacked { embedder, .. } => EmbedderConfig::StackedFrames(*embedder),
            Self::Cepstra { embedder } => EmbedderConfig::Stem(*embedder),
            Self::Clap { embedder, .. } => EmbedderConfig::Folded(*embedder),
        }
    }

    /// The `preprocessor_config.json` of the front end; `None`: transformers has no such front end.
    pub(crate) fn extractor(&self, options: &AudioOptions) -> Option<Value> {
        Some(match self {
            Self::Waveform { front_end, .. } => json!({
                "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1,
                "sampling_rate": front_end.sample_rate, "padding_value": 0.,
                "do_normalize": front_end.level == Level::Normalised,
                "return_attention_mask": front_end.ends == Ends::Masked,
            }),
            Self::Whisper { front_end, .. } => json!({
                "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": front_end.bands,
                "sampling_rate": front_end.sample_rate, "n_fft": front_end.fft, "hop_length": front_end.hop,
                // transformers counts in whole seconds: other lengths have to be cut to fit.
                "chunk_length": (options.frames() * front_end.hop).div_ceil(front_end.sample_rate as usize),
            }),
            Self::Kaldi { front_end, .. } => json!({
                "feature_extractor_type": "ASTFeatureExtractor", "num_mel_bins": front_end.bands,
                "sampling_rate": front_end.sample_rate, "max_length": options.frames(),
                "do_normalize": true, "mean": front_end.mean, "std": front_end.scale / 2.,
            }),
            Self::Stacked { front_end, embedder } => json!({
                "feature_extractor_type": "SeamlessM4TFeatureExtractor",
                "feature_size": front_end.bands, "num_mel_bins": front_end.bands,
                "sampling_rate": front_end.sample_rate, "stride": embedder.stacked,
                "padding_value": 0., "return_attention_mask": true,
            }),
            Self::Cepstra { .. } => return None,
            Self::Clap { front_end, .. } => front_end.published(options.frames()),
        })
    }

    /// The model's embedder, for `frames` frames. One that takes the waveform masks its features in
    /// training.
    ///
    /// # Errors
    /// As the embedder.
    pub(crate) fn embedder(
        &self,
        vb: &VarBuilder<'_>,
        frames: i64,
        form: FeatureShape,
        masks: usize,
    ) -> Result<Box<dyn Embedder>> {
        Ok(match self {
            Self::Waveform { embedder, .. } => {
                Box::new(WaveformEmbedder::new(vb, embedder, form)?.with_masks(vb, masks)?)
            }
            Self::Whisper { embedder, .. } => {
                Box::new(FrameStem::new(vb, &fewer_positions(embedder, frames), form)?)
            }
            Self::Kaldi { embedder, .. } => {
                let shorter = shortened(embedder, frames);
                Box::new(SpectrogramPatches::new(vb, embedder, &shorter, form)?)
            }
            Self::Stacked { embedder, .. } => Box::new(StackedFrames::new(vb, embedder, form)?),
            Self::Cepstra { embedder } => {
                Box::new(SpectrogramStem::new(vb, embedder, embedder, Sides::FramesByBands, form)?)
            }
            Self::Clap { embedder, .. } => Box::new(FoldedSpectrogram::new(vb, embedder, form)?),
        })
    }
}

impl Adopted {
    /// The same with the embedder as a run of ours has it, which was fitted to `frames` frames.
    pub(crate) fn fitted(self, frames: i64) -> Self {
        match self {
            Self::Whisper { front_end, embedder } => {
                Self::Whisper { front_end, embedder: fewer_positions(&embedder, frames) }
            }
            Self::Kaldi { front_end, embedder } => {
                Self::Kaldi { front_end, embedder: shortened(&embedder, frames) }
            }
            other => other,
        }
    }
}

/// The same patches over fewer frames.
fn shortened(embedder: &PatchEmbedderConfig, frames: i64) -> PatchEmbedderConfig {
    PatchEmbedderConfig { size: [embedder.size[0], frames], ..*embedder }
}

/// The same stem over fewer frames, of which every other one has a position.
fn fewer_positions(embedder: &FrameStemConfig, frames: i64) -> FrameStemConfig {
    FrameStemConfig { positions: (frames + 1) / 2, ..*embedder }
}

fn size(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

/// The value that the pretrained model needs, unless the option says otherwise. `None`: it has no
/// such value.
pub(crate) fn resolve<T: PartialEq + Display>(
    setting: &'static str,
    asked: Option<T>,
    needed: Option<T>,
) -> Result<Option<T>> {
    let problem = match (&asked, &needed) {
        (Some(asked), Some(needed)) if asked != needed => {
            format!("the pretrained model was trained at {needed}, got {asked}; leave it out")
        }
        (Some(_), None) => "the pretrained model takes the waveform itself; leave it out".into(),
        _ => return Ok(needed),
    };
    Err(Error::Setting { setting, problem })
}
