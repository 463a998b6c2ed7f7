//! Convolutions over log-mel frames (Whisper, Radford et al. 2022, §2.2).

use crosstune_core::{
    Batch, Bias, Embedder, Error, FeatureShape, Features, FrameStemConfig, Positions, Result,
    Sequence, VarBuilder, dropout,
    nn::{Exporter, GraphEmbedding, GraphFeatures, GraphSequence},
    onnx::{Dim, Element},
};
use tch::Tensor;

use super::conv::{Conv1d, Sliding};

/// Two convolutions over three frames each, the second at every other frame, each with a GELU; then
/// a vector for the position is added.
#[derive(Debug)]
pub struct FrameStem {
    conv1: Conv1d,
    conv2: Conv1d,
    position: Tensor,
    dropout: f64,
    width: i64,
}

impl FrameStem {
    /// Parameters `conv1.weight [D, F, 3]`, `conv2.weight [D, D, 3]`, a `bias [D]` for each, and
    /// `position [positions, D]`, below `vb`. Of a source that has more positions, the first are
    /// taken.
    ///
    /// # Errors
    /// If `form` is not a sequence, if the stem would be empty, or if a parameter cannot be made.
    pub fn new(vb: &VarBuilder<'_>, config: &FrameStemConfig, form: FeatureShape) -> Result<Self> {
        let &FrameStemConfig { bands, positions, dropout } = config;
        let width = form.sequence("its embedder makes a sequence")?;
        if bands < 1 || positions < 1 {
            let problem = format!("a stem of {positions} positions of {bands} bands is empty");
            return Err(Error::Setting { setting: "frames", problem });
        }
        let conv = |name, c_in, stride| {
            let sliding = Sliding { padding: 1, ..Sliding::new(3, stride) };
            Conv1d::new(&vb.sub(name), [c_in, width], sliding, Bias::With)
        };
        let first = |table: &Tensor| {
            let longer = table.dim() == 2 && table.size()[0] > positions;
            Ok(longer.then(|| table.narrow(0, 0, positions)))
        };
        Ok(Self {
            conv1: conv("conv1", bands, 1)?,
            conv2: conv("conv2", width, 2)?,
            position: vb.param_reshaped("position", &[positions, width], &first, || {
                Positions::Sequence(positions).sinusoidal(width)
            })?,
            dropout,
            width,
        })
    }

    /// Embeds frames `[B, T, F]` as `[B, T / 2, D]`, rounded up. A sequence that is longer than the
    /// positions is truncated; a shorter one has the first positions.
    pub fn forward(&self, frames: &Tensor, train: bool) -> Sequence {
        let longest = self.position.size()[0];
        let x = self.conv1.forward(&frames.transpose(1, 2)).gelu("none");
        let x = self.conv2.forward(&x).gelu("none").transpose(1, 2);
        let length = x.size()[1].min(longest);
        let x = x.narrow(1, 0, length) + self.position.narrow(0, 0, length);
        Sequence { x: dropout(&x, self.dropout, train), attention_mask: None }
    }
}

impl Embedder for FrameStem {
    fn emits(&self) -> FeatureShape {
        FeatureShape::Sequence { width: self.width }
    }
    /// Whisper hears the silence behind a recording, too (Radford et al. 2023, §2.2).
    fn attends_to_padding(&self) -> bool {
        true
    }
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::Sequence(self.forward(&batch.x, train))
    }

    /// As Whisper's own preparation has it, the input is `[B, F, T]`.
    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let size = e.example().x.size();
        let (length, longest) = (Dim::Fixed(size[1]), self.position.size()[0]);
        let dims = [Dim::BATCH, Dim::Fixed(size[2]), length];
        let frames = e.graph().input("input_features", Element::F32, &dims).to_float();
        let mask = e.leaves_positions().then(|| e.attention_mask(length));
        let x = self.conv1.onnx(e, &frames).gelu("none");
        let x = self.conv2.onnx(e, &x).gelu("none").permute(&[0, 2, 1]).narrow(1, 0, longest);
        let x = &x + e.parameter(&self.position).narrow_to(0, 0, &x.size(1));
        let features = GraphFeatures::Sequence(GraphSequence { x, attention_mask: None });
        Ok(GraphEmbedding { features, mask })
    }
}
