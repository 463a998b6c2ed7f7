//! Taking over from a run of ours: its front end and its embedder.

use crosstune_core::{FeatureShape, Origin, Result};

use crate::{
    embed::of_one_channel,
    options::{AudioOptions, FrameFeatures},
    published::resolve,
    settings::{AudioSettings, FrameLayout},
};

impl AudioSettings {
    /// Takes over the front end and the embedder of a run of ours, whose trunk takes `form`.
    pub(crate) fn take_over(&mut self, run: Self, form: FeatureShape) -> Result<Origin> {
        let frames = run.options.frames();
        let asked = self.options.clone();
        if let Some(adopted) = run.adopted {
            let asked_frames = self.asked;
            let fitted = Self::with(asked, Some(adopted.fitted(frames as i64)))?;
            *self = Self { asked: asked_frames, ..fitted };
            return Ok(Origin::Pretrained);
        }
        // A table of positions has one length; feature maps have any.
        let frames = match form {
            FeatureShape::Sequence { .. } => resolve("--frames", asked.frames, Some(frames))?,
            FeatureShape::FeatureMap { .. } => asked.frames.or(Some(frames)),
        };
        let has = &run.options;
        let options = AudioOptions {
            sample_rate: resolve("--sample-rate", asked.sample_rate, has.sample_rate)?,
            features: resolve("--features", asked.features, Some(has.features()))?,
            window_ms: resolve("--window-ms", asked.window_ms, Some(has.window_ms()))?,
            hop_ms: resolve("--hop-ms", asked.hop_ms, Some(has.hop_ms()))?,
            bands: resolve("--bands", asked.bands, Some(has.bands()))?,
            coefficients: match has.features() {
                FrameFeatures::Mfcc => {
                    resolve("--coefficients", asked.coefficients, Some(has.coefficients()))?
                }
                FrameFeatures::LogMel | FrameFeatures::Fbank => asked.coefficients,
            },
            frames,
            ..asked
        };
        let layout = match run.layout {
            FrameLayout::Picture(Some(stem)) => FrameLayout::Picture(Some(of_one_channel(stem))),
            other => other,
        };
        let embedder = Origin::Pretrained;
        *self = Self { scale: run.scale, layout, embedder, ..Self::with(options, None)? };
        Ok(embedder)
    }
}
