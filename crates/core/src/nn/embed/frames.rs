//! Frames: from vectors to a sequence, for data that a trunk never saw.

use tch::Tensor;

use super::embedder::Embedder;
use super::positioned::PositionedNorm;
use crate::error::{Error, Result};
use crate::nn::exporter::{Exporter, GraphEmbedding, GraphFeatures, GraphSequence};
use crate::nn::features::{Batch, FeatureShape, Features, Sequence};
use crate::nn::layers::Linear;
use crate::nn::position::Positions;
use crate::onnx::{Dim, Element, Value};
use crate::weights::VarBuilder;

/// Vectors to a sequence, for data that a sequence trunk never saw: `[B, T, F]` is projected to
/// `[B, T, D]` (ViT, Dosovitskiy et al. 2021, §3.1), and a [`PositionedNorm`] follows.
#[derive(Debug)]
pub struct FrameEmbedder {
    project: Linear,
    positioned: PositionedNorm,
    width: i64,
}

/// The least variance of a direction, as a fraction of the mean variance, that whitening goes by.
const LEAST_VARIANCE: f64 = 0.01;

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
    /// `norm.weight [D]`, `norm.bias [D]` below `vb`.
    ///
    /// # Errors
    /// If `form` is not a sequence, or a parameter cannot be made.
    pub fn new(
        vb: VarBuilder<'_>,
        config: FrameEmbedderConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let width = form.sequence("frames are a sequence")?;
        let positions = config.positions.count();
        if config.features < 1 || positions < 1 {
            return Err(Error::setting(
                "frames",
                format!(
                    "an embedder of {positions} positions of {} features is empty",
                    config.features
                ),
            ));
        }
        Ok(Self {
            project: Linear::new(&vb.sub("project"), config.features, width)?,
            positioned: PositionedNorm::new(&vb, config.positions, width)?,
            width,
        })
    }

    /// Makes the projection one of whitened frames, as far as `frames` (`[N, F]`, of training inputs)
    /// tell their covariance (LeCun et al. 2012, *Efficient BackProp*, §4.3). Neighbouring pixels are
    /// so alike that a random projection mostly sees their mean; whitened, all directions count alike.
    /// The outcome keeps the standard deviation that a random projection of standardised frames has.
    pub fn whiten(&self, frames: &Tensor) {
        let _grad = tch::no_grad_guard();
        let (count, features) = (frames.size()[0], frames.size()[1]);
        if count < 2 {
            return;
        }
        let centred = frames - frames.mean_dim([0].as_slice(), true, None);
        let covariance = centred.tr().matmul(&centred) / (count - 1) as f64;
        let (values, directions) = covariance.linalg_eigh("L");
        // Directions that hardly occur are not blown up.
        let floor = values.mean(None) * LEAST_VARIANCE;
        let whitening = directions * (values.clamp_min(0) + floor).rsqrt();
        let random = Tensor::randn([self.width, features], (frames.kind(), frames.device()));
        let weight = random.matmul(&whitening.tr());
        let std = centred.matmul(&weight.tr()).std(true);
        if std.double_value(&[]) > 0. {
            self.project.set_weight(&(weight / std / 3f64.sqrt()));
        }
    }

    /// Embeds frames `[B, T, F]` of which `mask` (`[B, T]`, bool) tells the real ones. What lies
    /// behind the last position is cut off.
    pub fn forward(&self, frames: &Tensor, mask: Option<&Tensor>) -> Sequence {
        let length = frames.size()[1].min(self.positioned.positions());
        let x = self.positioned.forward(&self.project.forward(&frames.narrow(1, 0, length)));
        Sequence { x, attention_mask: mask.map(|mask| mask.narrow(1, 0, length)) }
    }
}

impl FrameEmbedder {
    /// [`forward`](Self::forward) in a graph.
    pub fn onnx(&self, e: &Exporter, frames: &Value, mask: Option<Value>) -> GraphSequence {
        // What is shorter stays as it is.
        let cut = |x: &Value| x.narrow(1, 0, self.positioned.positions());
        let x = self.positioned.onnx(e, &self.project.onnx(e, &cut(frames)));
        GraphSequence { x, attention_mask: mask.as_ref().map(cut) }
    }
}

impl Embedder for FrameEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::Sequence { width: self.width }
    }
    fn embed(&self, batch: &Batch, _train: bool) -> Features {
        Features::Sequence(self.forward(&batch.x, batch.attention_mask.as_ref()))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let (length, features) = (Dim::Open("frames"), self.project.inputs());
        let dims = [Dim::BATCH, length, Dim::Fixed(features)];
        let x = e.graph().input("input_features", Element::F32, &dims).to_float();
        let sequence = self.onnx(e, &x, Some(e.attention_mask(length)));
        Ok(GraphEmbedding::of(GraphFeatures::Sequence(sequence)))
    }
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;
    use crate::weights::Fresh;

    #[test]
    fn whitened_frames_count_alike_in_all_directions() {
        tch::manual_seed(1);
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let config = FrameEmbedderConfig { features: 4, positions: Positions::Sequence(8) };
        let form = FeatureShape::Sequence { width: 64 };
        let embedder = FrameEmbedder::new(VarBuilder::root(&store, &fresh), config, form).unwrap();
        // Four numbers that are nearly the same one, and so vary in one direction by far the most.
        let noise = Tensor::randn([512, 8, 4], (Kind::Float, Device::Cpu));
        let x = noise.narrow(2, 0, 1) + noise * 0.2;
        let spread = || {
            let y = embedder.project.forward(&x).flatten(0, 1);
            let (values, _) = y.tr().matmul(&(&y - y.mean_dim(0, true, None))).linalg_eigh("L");
            let top = Vec::<f64>::try_from(values.narrow(0, 60, 4).to_kind(Kind::Double)).unwrap();
            top[3] / top[0]
        };
        let before = spread();
        embedder.whiten(&x.flatten(0, 1));
        let after = spread();
        assert!(before > 20. && after < 8., "{before} before, {after} after");
        let y = embedder.project.forward(&x).flatten(0, 1);
        let std = (&y - y.mean_dim(0, true, None)).std(true).double_value(&[]);
        assert!((std - 3f64.sqrt().recip()).abs() < 0.01, "{std}");
    }
}
