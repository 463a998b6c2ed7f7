//! Frames: from vectors to a sequence, for data that a trunk never saw.

use tch::Tensor;

use crate::{
    Batch, Embedder, Error, Features, Form, Positions, Result, Scope, Sequence,
    layers::{LayerNorm, Linear},
};

/// Vectors to a sequence, for data that a sequence trunk never saw: `[B, T, F]` is projected to
/// `[B, T, D]`, positions are added, and a layer norm brings the sum to the scale at which
/// transformers receive their own embeddings (ViT, Dosovitskiy et al. 2021, §3.1; the norm as in
/// BERT's embedder). Positions are learned, but start as sines and cosines: they tell one place
/// from another from the first step on.
#[derive(Debug)]
pub struct FrameEmbedder {
    project: Linear,
    position: Tensor,
    norm: LayerNorm,
    width: i64,
}

/// The shape of a [`FrameEmbedder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FrameEmbedderConfig {
    /// Numbers in a frame, `F`.
    pub features: i64,
    /// How the frames of the longest sequence lie.
    pub positions: Positions,
}

impl FrameEmbedder {
    /// Parameters `project.weight [D, F]`, `project.bias [D]`, `position [1, positions, D]`,
    /// `norm.weight [D]`, `norm.bias [D]` below `at`.
    ///
    /// # Errors
    /// If `form` is not a sequence, or a parameter cannot be made.
    pub fn new(at: Scope<'_>, config: FrameEmbedderConfig, form: Form) -> Result<Self> {
        let Form::Sequence { width } = form else {
            return Err(Error::Setting {
                setting: "--weights",
                problem: format!("the trunk takes {form}, but frames are a sequence"),
            });
        };
        let positions = config.positions.count();
        if config.features < 1 || positions < 1 {
            return Err(Error::Setting {
                setting: "frames",
                problem: format!(
                    "an embedder of {positions} positions of {} features is empty",
                    config.features
                ),
            });
        }
        Ok(Self {
            project: Linear::new(&at.sub("project"), config.features, width)?,
            position: at.param_or("position", &[1, positions, width], || {
                config.positions.waves(width).unsqueeze(0)
            })?,
            norm: LayerNorm::new(&at.sub("norm"), width, 1e-12)?,
            width,
        })
    }

    /// Embeds frames `[B, T, F]` of which `keep` (`[B, T]`, bool) tells the real ones. What lies
    /// behind the last position is cut off.
    pub fn forward(&self, frames: &Tensor, keep: Option<&Tensor>) -> Sequence {
        let length = frames.size()[1].min(self.position.size()[1]);
        let x =
            self.project.forward(&frames.narrow(1, 0, length)) + self.position.narrow(1, 0, length);
        Sequence { x: self.norm.forward(&x), keep: keep.map(|k| k.narrow(1, 0, length)) }
    }
}

impl Embedder for FrameEmbedder {
    fn emits(&self) -> Form {
        Form::Sequence { width: self.width }
    }
    fn embed(&self, batch: &Batch, _train: bool) -> Features {
        Features::Sequence(self.forward(&batch.x, batch.keep.as_ref()))
    }
}
