//! Log-mel frames of which neighbours stand side by side (SeamlessM4T, Barrault et al. 2023, §4.1).

use crosstune_core::{
    Batch, Embedder, Error, FeatureShape, Features, Result, Sequence, StackedFramesConfig,
    VarBuilder, dropout,
    nn::{Exporter, GraphEmbedding, GraphFeatures, GraphSequence, LayerNorm, Linear},
    onnx::{Dim, Element},
};
use tch::Tensor;

/// A layer norm over the frames of a position, and a projection to the width of the trunk.
#[derive(Debug)]
pub struct StackedFrames {
    feature_norm: LayerNorm,
    project: Linear,
    stacked: i64,
    dropout: f64,
    width: i64,
}

impl StackedFrames {
    /// Parameters `feature_norm.{weight,bias} [stacked · F]`, `project.weight [D, stacked · F]` and
    /// `project.bias [D]`, below `vb`.
    ///
    /// # Errors
    /// If `form` is not a sequence, if a position would be empty, or if a parameter cannot be made.
    pub fn new(
        vb: &VarBuilder<'_>,
        config: &StackedFramesConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let &StackedFramesConfig { bands, stacked, eps, dropout } = config;
        let width = form.sequence("its embedder makes a sequence")?;
        let features = bands.checked_mul(stacked).filter(|_| bands > 0 && stacked > 0);
        let Some(features) = features else {
            let problem = format!("positions of {stacked} frames of {bands} bands are empty");
            return Err(Error::Setting { setting: "frames", problem });
        };
        Ok(Self {
            feature_norm: LayerNorm::new(&vb.sub("feature_norm"), features, eps)?,
            project: Linear::new(&vb.sub("project"), features, width)?,
            stacked,
            dropout,
            width,
        })
    }

    /// Embeds frames `[B, T, F]`, with a `mask` (`[B, T]`, bool) that is false for padding, as
    /// `[B, T / stacked, D]`, rounded down: frames that do not fill a position are left out, but for the
    /// first, which zeros fill.
    pub fn forward(&self, frames: &Tensor, mask: Option<&Tensor>, train: bool) -> Sequence {
        let (t, each) = (frames.size()[1], self.stacked);
        let length = (t / each * each).max(each);
        // What is missing is below 0 where frames are left over: then this cuts.
        let filled = frames.constant_pad_nd([0, 0, 0, length - t]);
        let stacked = filled.unflatten(1, [-1, each]).flatten(2, 3);
        let x = self.project.forward_t(&self.feature_norm.forward(&stacked), train);
        let mask = mask.map(|mask| {
            // The last frame of a position tells whether it is full.
            let full = mask.slice(1, 2 * each - 1, None, each);
            Tensor::cat(&[mask.narrow(1, 0, 1), full], 1)
        });
        Sequence { x: dropout(&x, self.dropout, train), attention_mask: mask }
    }
}

impl Embedder for StackedFrames {
    fn emits(&self) -> FeatureShape {
        FeatureShape::Sequence { width: self.width }
    }
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::Sequence(self.forward(&batch.x, batch.attention_mask.as_ref(), train))
    }

    /// As the model's own preparation has it, the frames of a position stand side by side already.
    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let (length, features) = (Dim::Open("positions"), Dim::Fixed(self.project.inputs()));
        let dims = [Dim::BATCH, length, features];
        let stacked = e.graph().input("input_features", Element::F32, &dims).to_float();
        let x = self.project.onnx(e, &self.feature_norm.onnx(e, &stacked));
        let attention_mask = Some(e.attention_mask(length));
        let sequence = GraphSequence { x, attention_mask };
        Ok(GraphEmbedding::of(GraphFeatures::Sequence(sequence)))
    }
}
