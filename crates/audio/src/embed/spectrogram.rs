//! Spectrograms as pictures of one channel, for the embedders of pictures.

use crosstune_core::{
    Batch, Embedder, FeatureShape, Features, PatchEmbedderConfig, Result, StemConfig, StemEmbedder,
    StemPool, TokenLayout, TokenPatchEmbedder, VarBuilder,
    nn::{BatchNormStats, Exporter, GraphEmbedding, GraphFeatures, GraphMap, ReadingOrder},
    onnx::{Dim, Element, Value},
};
use tch::Tensor;

/// The layout of a spectrogram as a picture: rows, then columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// Bands from top to bottom, frames from left to right: AST and image models.
    BandsByFrames,
    /// Frames from top to bottom, bands from left to right: honk.
    FramesByBands,
}

impl Sides {
    /// Frames `[B, T, F]` to a picture, `[B, 1, F, T]` or `[B, 1, T, F]`.
    fn picture(self, frames: &Tensor) -> Tensor {
        match self {
            Self::BandsByFrames => frames.transpose(1, 2).unsqueeze(1),
            Self::FramesByBands => frames.unsqueeze(1),
        }
    }

    /// The same in a graph; frames are as many as the example's.
    fn picture_onnx(self, e: &Exporter, frames: &Value) -> GraphMap {
        let size = e.example().x.size();
        match self {
            Self::BandsByFrames => {
                let x = frames.permute(&[0, 2, 1]).unsqueeze(&[1]);
                GraphMap { x, sides: [size[2], size[1]] }
            }
            Self::FramesByBands => {
                GraphMap { x: frames.unsqueeze(&[1]), sides: [size[1], size[2]] }
            }
        }
    }
}

/// The input of frames that are always as many as the example's, `[B, T, F]`, and, where the model answers
/// at every position, which of them hold data.
pub(super) fn frames_input(e: &Exporter, name: &str) -> (Value, Option<Value>) {
    let size = e.example().x.size();
    let length = Dim::Fixed(size[1]);
    let dims = [Dim::BATCH, length, Dim::Fixed(size[2])];
    let frames = e.graph().input(name, Element::F32, &dims).to_float();
    (frames, e.leaves_positions().then(|| e.attention_mask(length)))
}

/// Patches of a spectrogram (AST, Gong et al. 2021, §2.1).
#[derive(Debug)]
pub struct SpectrogramPatches {
    patches: TokenPatchEmbedder,
    /// In frames.
    length: i64,
}

impl SpectrogramPatches {
    /// Parameters as [`TokenPatchEmbedder::new`]; `from` and `to` may differ in the number of
    /// frames.
    ///
    /// # Errors
    /// As [`TokenPatchEmbedder::new`].
    pub fn new(
        vb: &VarBuilder<'_>,
        from: &PatchEmbedderConfig,
        to: &PatchEmbedderConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let patches = TokenPatchEmbedder::new(vb.clone(), from, to, form)?;
        Ok(Self { patches, length: to.size[1] })
    }
}

impl Embedder for SpectrogramPatches {
    fn emits(&self) -> FeatureShape {
        self.patches.emits()
    }

    fn layout(&self) -> TokenLayout {
        self.patches.layout()
    }

    /// As AST does.
    fn attends_to_padding(&self) -> bool {
        true
    }

    /// Frames `[B, T, F]`, truncated or padded with zeros to the length that it was built for, as a
    /// sequence.
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        let picture = Sides::BandsByFrames.picture(&batch.x);
        // What is missing may be below 0: then this cuts.
        let missing = self.length - picture.size()[3];
        let picture = picture.constant_pad_nd([0, missing]);
        Features::Sequence(self.patches.forward(&picture, train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let (frames, mask) = frames_input(e, "input_values");
        let GraphMap { x, sides: [bands, frames] } = Sides::BandsByFrames.picture_onnx(e, &frames);
        let x = match self.length - frames {
            0 => x,
            missing => x.pad(&[(3, 0, missing)]),
        };
        let sequence = self.patches.onnx(e, &GraphMap { x, sides: [bands, self.length] });
        Ok(GraphEmbedding { features: GraphFeatures::Sequence(sequence), mask })
    }
}

/// The stem of a convolutional network, over a spectrogram.
#[derive(Debug)]
pub struct SpectrogramStem {
    stem: StemEmbedder,
    sides: Sides,
}

impl SpectrogramStem {
    /// Parameters as [`StemEmbedder::new`]; a spectrogram has one channel.
    ///
    /// # Errors
    /// As [`StemEmbedder::new`].
    pub fn new(
        vb: &VarBuilder<'_>,
        from: &StemConfig,
        to: &StemConfig,
        sides: Sides,
        form: FeatureShape,
    ) -> Result<Self> {
        Ok(Self { stem: StemEmbedder::new(vb.clone(), from, to, form)?, sides })
    }
}

impl Embedder for SpectrogramStem {
    fn emits(&self) -> FeatureShape {
        self.stem.emits()
    }

    /// Time is from left to right, or from top to bottom.
    fn order(&self) -> ReadingOrder {
        match self.sides {
            Sides::BandsByFrames => ReadingOrder::Columns,
            Sides::FramesByBands => ReadingOrder::Rows,
        }
    }

    /// Frames `[B, T, F]` as a feature map. Feature maps have no mask: padding is seen.
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::FeatureMap(self.stem.forward(&self.sides.picture(&batch.x), train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let (frames, mask) = frames_input(e, "input_features");
        let map = self.stem.onnx(e, &self.sides.picture_onnx(e, &frames));
        Ok(GraphEmbedding { features: GraphFeatures::FeatureMap(map), mask })
    }

    fn init_from_data(&self, batch: &Batch) {
        let x = self.sides.picture(&batch.x);
        self.stem.init_from_data(&Batch { x, attention_mask: None });
    }

    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.stem.set_batch_norm_stats(statistics);
    }
}

/// A stem for pictures, adapted to one channel. It keeps all frames, so that where an answer is a
/// sequence, the trunk's strides alone make one position of several: of 4 frames in ResNets for small
/// pictures, of 8 in others. Fast speech needs a shorter hop then.
pub(crate) fn of_one_channel(stem: StemConfig) -> StemConfig {
    StemConfig { in_channels: 1, stride: 1, pool: StemPool::Without, ..stem }
}

/// The stem for a convolutional trunk that has none for pictures. Like a new stem for small
/// pictures, it has stride 1 and no pooling: a second of 40 bands is smaller than the output of a
/// ResNet's stem (56 × 56 of 224 × 224), and the strides of the later stages leave 5 bands of 40.
pub(crate) fn fresh_stem(out_channels: i64) -> StemConfig {
    StemConfig::new((1, out_channels), 3, 1, StemPool::Without)
}
