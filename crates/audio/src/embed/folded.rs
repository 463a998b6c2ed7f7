//! Long spectrograms folded to a square (HTS-AT, Chen et al. 2022, §2.1, as CLAP has it).

use crosstune_core::{
    Batch, Embedder, FeatureShape, Features, FoldedPatchesConfig, PatchMapEmbedder, Result,
    VarBuilder,
    nn::{
        BatchNorm2d, BatchNormStats, Exporter, GraphEmbedding, GraphFeatures, GraphMap,
        ReadingOrder,
    },
};
use tch::{Device, Kind, Tensor};

use super::spectrogram::frames_input;

/// Normalises every band, stretches the time to the length of all pieces together, sets the pieces
/// one below the other, and embeds the patches of that square.
#[derive(Debug)]
pub struct FoldedSpectrogram {
    norm: BatchNorm2d,
    patches: PatchMapEmbedder,
    config: FoldedPatchesConfig,
}

impl FoldedSpectrogram {
    /// Parameters `norm_bands.{weight,bias,running_mean,running_var} [bands]` and those of
    /// [`PatchMapEmbedder::new`], below `vb`.
    ///
    /// # Errors
    /// As [`PatchMapEmbedder::new`].
    pub fn new(
        vb: &VarBuilder<'_>,
        config: &FoldedPatchesConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        Ok(Self {
            norm: BatchNorm2d::new(&vb.sub("norm_bands"), config.bands)?,
            patches: PatchMapEmbedder::new(vb, &config.patches, &config.patches, form)?,
            config: *config,
        })
    }

    /// Frames `[B, T, F]`, of at most all pieces, to a picture `[B, 1, side, side]`.
    fn picture(&self, frames: &Tensor, train: bool) -> Tensor {
        let (folds, bands, length) = (self.config.folds(), self.config.bands, self.config.frames());
        let x = self.norm.forward(&frames.transpose(1, 2).unsqueeze(-1), train);
        let x = x.permute([0, 3, 2, 1]);
        let x = match x.size()[2] {
            all if all == length => x,
            _ => x.upsample_bicubic2d([length, bands], true, None, None),
        };
        let side = length / folds;
        x.reshape([-1, folds, side, bands]).transpose(2, 3).reshape([-1, 1, folds * bands, side])
    }
}

/// What brings `from` frames to `to`, `[to, from]`, as [`FoldedSpectrogram::picture`] does: what that makes
/// of each frame by itself.
fn stretching(from: i64, to: i64) -> Tensor {
    let each = Tensor::eye(from, (Kind::Float, Device::Cpu)).view([1, 1, from, from]);
    each.upsample_bicubic2d([to, from], true, None, None).view([to, from])
}

impl Embedder for FoldedSpectrogram {
    fn emits(&self) -> FeatureShape {
        self.patches.emits()
    }

    fn order(&self) -> ReadingOrder {
        ReadingOrder::Pieces(self.config.folds())
    }

    /// Frames `[B, T, F]` as a feature map. Feature maps have no mask: padding is seen.
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::FeatureMap(self.patches.forward(&self.picture(&batch.x, train), train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let (folds, bands, length) = (self.config.folds(), self.config.bands, self.config.frames());
        let (frames, mask) = frames_input(e, "input_features");
        let x = frames.permute(&[0, 2, 1]).unsqueeze(&[3]);
        let x = self.norm.onnx(e, &x).permute(&[0, 3, 2, 1]);
        let x = match e.example().x.size()[1] {
            all if all == length => x,
            other => e.constant(&stretching(other, length)).matmul(&x),
        };
        let side = length / folds;
        let x = x.reshape(&[-1, folds, side, bands]).permute(&[0, 1, 3, 2]);
        let x = x.reshape(&[-1, 1, folds * bands, side]);
        let map = self.patches.onnx(e, &GraphMap { x, sides: [folds * bands, side] });
        Ok(GraphEmbedding { features: GraphFeatures::FeatureMap(map), mask })
    }

    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.norm.set_batch_norm_stats(statistics);
    }
}
