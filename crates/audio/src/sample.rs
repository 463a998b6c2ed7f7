//! From a recording to a sample: read, cut, augmented.

use std::ops::Range;

use crosstune_core::{BoxError, Input, Rng};
use tch::Tensor;

use crate::{
    augment::change_speed,
    features::FrontEnd,
    long::{Long, random_stretch, sounding},
    options::AudioOptions,
    recording::{LONGEST, Recording, RecordingError},
    resample::{self, Resampler},
    scale::{Normalization, to_vec},
    strides::Strides,
};

/// How recordings become samples: the settings that decide it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hearing<'a> {
    pub(crate) options: &'a AudioOptions,
    pub(crate) front_end: &'a FrontEnd,
    pub(crate) scale: Option<&'a Normalization>,
    /// Where every position is answered at.
    pub(crate) strides: Option<Strides<'a>>,
    /// The most frames that the model takes; `None`: any number.
    pub(crate) room: Option<usize>,
}

/// The form in which training samples are kept, for [`Hearing::augment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// The waveform at the front end's rate, `[N]`: features are computed at each step.
    Samples,
    /// Features, `[T, F]`, or `[N]` for a model that takes the waveform: a step costs nothing.
    Frames,
}

impl Hearing<'_> {
    /// [`Modality::read`](crosstune_core::Modality::read); for [`Long::Windows`], `[W, …]`.
    pub(crate) fn read(&self, input: &Input) -> Result<Tensor, BoxError> {
        if let Some(strides) = &self.strides {
            return self.read_whole(input, strides);
        }
        let (samples, frames) = (self.hear(input)?, self.options.frames());
        Ok(match self.options.long() {
            Long::Cut => self.front_end.compute(samples, frames),
            long => {
                let length = samples.len().min(self.window());
                let starts = long.starts(samples.len(), length, self.hop());
                let window =
                    |start| self.front_end.compute(samples[start..][..length].to_vec(), frames);
                let windows: Vec<Tensor> = starts.into_iter().map(window).collect();
                match long {
                    Long::Windows => Tensor::stack(&windows, 0),
                    Long::Cut | Long::Crop => windows[0].shallow_clone(),
                }
            }
        })
    }

    /// [`Modality::read_for_training`](crosstune_core::Modality::read_for_training).
    pub(crate) fn read_for_training(&self, input: &Input) -> Result<Tensor, BoxError> {
        if self.strides.is_some() {
            return self.read_whole_for_training(input);
        }
        let samples = self.hear(input)?;
        Ok(match self.keeps() {
            Kept::Samples => Tensor::from_slice(&samples),
            Kept::Frames if self.options.long() == Long::Cut => {
                self.front_end.compute(samples, self.options.frames())
            }
            Kept::Frames => {
                let frames = self.front_end.frames(samples.len());
                self.front_end.compute(samples, frames)
            }
        })
    }

    /// [`Modality::augment`](crosstune_core::Modality::augment).
    pub(crate) fn augment(&self, kept: &Tensor, rng: &mut Rng) -> Tensor {
        let (options, frames) = (self.options, self.options.frames());
        let sample = match self.keeps() {
            Kept::Samples => {
                let rate = self.front_end.sample_rate();
                let mut samples = to_vec(kept);
                let speed = options.augment.speed(rng);
                if self.strides.is_some() {
                    // Nothing may be left out of what is slowed down.
                    let longer = (samples.len() as f64 / speed).ceil() as usize;
                    if self.front_end.frames(longer) <= frames {
                        samples = change_speed(samples, speed, rate);
                    }
                } else {
                    let window = (self.window() as f64 * speed).ceil() as usize;
                    let heard = random_stretch(samples.len(), window, rng);
                    samples.truncate(heard.end);
                    samples.drain(..heard.start);
                    samples = change_speed(samples, speed, rate);
                }
                options.augment.augment_waves(&mut samples, rate, rng);
                match self.strides.is_some() && !self.takes_frames() {
                    true => return Tensor::from_slice(&samples),
                    false => self.front_end.compute(samples, frames),
                }
            }
            Kept::Frames if options.long() == Long::Cut || self.strides.is_some() => {
                kept.shallow_clone()
            }
            Kept::Frames => {
                let heard = random_stretch(kept.size()[0] as usize, frames, rng);
                kept.narrow(0, heard.start as i64, heard.len() as i64)
            }
        };
        match self.takes_frames() {
            true => options.augment.mask(sample, self.scale.map(|scale| &scale.mean[..]), rng),
            // The embedder masks what its convolutions make of the waveform.
            false => sample,
        }
    }

    /// Whether [`augment`](Self::augment) is random.
    pub(crate) fn augments(&self) -> bool {
        let options = self.options;
        options.augment.augments_waves()
            || options.augment.masks.is_some()
            || (options.long() != Long::Cut && self.strides.is_none())
    }

    /// The features of a sample that was [read for training](Self::read_for_training), not
    /// augmented.
    pub(crate) fn heard_of(&self, kept: &Tensor) -> Tensor {
        match self.keeps() {
            Kept::Frames => kept.shallow_clone(),
            Kept::Samples => self.front_end.compute(to_vec(kept), self.options.frames()),
        }
    }

    /// Whether a recording is decoded to its end, and not only as far as the model hears it.
    pub(crate) fn hears_all(&self) -> bool {
        self.options.long() != Long::Cut || self.options.trim_db.is_some()
    }

    /// Where each of so many windows of a recording begins, in samples of what is heard of it.
    pub(crate) fn starts(&self, input: &Input, windows: usize) -> Result<Vec<usize>, BoxError> {
        if windows <= 1 {
            return Ok(vec![0]);
        }
        let samples = self.whole(input)?.len();
        if let Some(strides) = &self.strides {
            return Ok(strides
                .windows(samples)
                .into_iter()
                .map(|(heard, _)| heard.start)
                .collect());
        }
        let length = samples.min(self.window());
        Ok(self.options.long().starts(samples, length, self.hop()))
    }

    /// All samples of a recording, at the rate of the front end and trimmed as the settings say.
    pub(crate) fn whole(&self, input: &Input) -> Result<Vec<f32>, BoxError> {
        self.samples(input, Long::Windows)
    }

    /// The same; truncated if the settings say so.
    fn hear(&self, input: &Input) -> Result<Vec<f32>, BoxError> {
        self.samples(input, self.options.long())
    }

    /// Which samples of a recording are left where silence is cut off at both ends, at the rate of the
    /// front end; `None`: all of them.
    pub(crate) fn trimmed(&self, input: &Input) -> Result<Option<Range<usize>>, BoxError> {
        let Some(quieter) = self.options.trim_db else { return Ok(None) };
        let samples = self.decoded(input)?;
        Ok(Some(sounding(&samples, self.front_end.sample_rate(), quieter)))
    }

    fn samples(&self, input: &Input, long: Long) -> Result<Vec<f32>, BoxError> {
        let mut samples = self.decoded(input)?;
        if let Some(quieter) = self.options.trim_db {
            let heard = sounding(&samples, self.front_end.sample_rate(), quieter);
            samples.truncate(heard.end);
            samples.drain(..heard.start);
        }
        if long == Long::Cut {
            samples.truncate(self.window());
        }
        Ok(samples)
    }

    /// The samples at the rate of the front end, as far as they are heard.
    fn decoded(&self, input: &Input) -> Result<Vec<f32>, BoxError> {
        let rate = self.front_end.sample_rate();
        let recording = open(input)?;
        let from = recording.sample_rate();
        // No more of a long recording is read than the frames need.
        let wanted = match self.hears_all() {
            true => usize::MAX,
            false => resample::needed(self.window(), from, rate),
        };
        let is_long = recording.samples().is_some_and(|samples| samples > HELD);
        Ok(match is_long && wanted == usize::MAX && from != rate {
            true => resampled(recording, rate)?,
            false => {
                let samples = recording.read(wanted)?;
                if samples.len() as u64 * u64::from(rate) / u64::from(from) > LONGEST {
                    return Err(RecordingError::TooLong { most: LONGEST, rate }.into());
                }
                resample::resample(samples, from, rate)?
            }
        })
    }

    /// The form in which training samples are kept.
    fn keeps(&self) -> Kept {
        let (long, augment) = (self.options.long(), &self.options.augment);
        if self.strides.is_some() {
            return match self.takes_frames() && !augment.augments_waves() {
                true => Kept::Frames,
                false => Kept::Samples,
            };
        }
        match augment.augments_waves() || (long != Long::Cut && !self.front_end.is_local()) {
            true => Kept::Samples,
            false => Kept::Frames,
        }
    }

    /// The length of the longest sequence, in samples.
    fn window(&self) -> usize {
        self.front_end.samples(self.options.frames())
    }

    /// From one window to the next, in samples.
    fn hop(&self) -> usize {
        (self.window() as f64 * (1. - self.options.overlap())) as usize
    }
}

/// More samples than these are not all held before they are resampled.
const HELD: u64 = 1 << 22;

/// All samples of a long recording at another rate, of which no more is held.
fn resampled(recording: Recording, rate: u32) -> Result<Vec<f32>, RecordingError> {
    let from = recording.sample_rate();
    let expected = recording.samples().unwrap_or(0) as u128 * u128::from(rate) / u128::from(from);
    if expected > u128::from(LONGEST) {
        return Err(RecordingError::TooLong { most: LONGEST, rate });
    }
    let mut pieces = Resampler::new(from, rate, expected as usize + 1);
    recording.read_pieces(rate, |piece| pieces.push(piece))?;
    Ok(pieces.finish())
}

/// Opens the recording of an input, and reads its header.
pub(crate) fn open(input: &Input) -> Result<Recording, BoxError> {
    match input {
        Input::File(path) => Ok(Recording::open(path)?),
        Input::Bytes { bytes, .. } => Ok(Recording::from_bytes(bytes.clone())?),
        Input::Stored(_) => open(&*input.loaded()?),
        Input::Text(_) | Input::Pair(_) | Input::Words(_) => {
            Err("a text, where the path of a recording is expected".into())
        }
    }
}
