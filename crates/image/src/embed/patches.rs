//! Patches: from pixels to a sequence of vectors (ViT, Dosovitskiy et al. 2021, §3.1).

use crosstune_core::{
    Batch, Embedder, FeatureShape, Features, FrameEmbedder, FrameEmbedderConfig, Positions, Result,
    TokenLayout, VarBuilder,
    nn::{Exporter, GraphEmbedding, GraphFeatures},
};
use tch::Tensor;

use crate::geometry::Geometry;

/// Cuts pictures into square patches and embeds each as a frame: `[B, C, H, W]` to `[B, T, D]`,
/// where `T` is the number of patches, row by row. The projection of a flattened patch is a
/// convolution with a stride of its own size.
#[derive(Debug)]
pub struct PatchEmbedder {
    frames: FrameEmbedder,
    patch: i64,
    /// Patches from top to bottom, and from left to right.
    grid: [i64; 2],
}

impl PatchEmbedder {
    /// The parameters are those of a [`FrameEmbedder`] of `C · P · P` features.
    ///
    /// # Errors
    /// If `form` is not a sequence, if the geometry has no patch that divides its size, or if a
    /// parameter cannot be made.
    pub fn new(vb: VarBuilder<'_>, geometry: &Geometry, form: FeatureShape) -> Result<Self> {
        let patch = i64::from(geometry.divided()?);
        let grid = geometry.sides().map(|side| side / patch);
        let [rows, columns] = grid;
        let config = FrameEmbedderConfig {
            features: geometry.channels.count() as i64 * patch * patch,
            positions: Positions::Grid { rows, columns },
        };
        Ok(Self { frames: FrameEmbedder::new(vb, config, form)?, patch, grid })
    }

    /// `[B, C, H, W]` to `[B, T, C · P · P]`: in a patch, the channels are outermost, as in the
    /// weight of a convolution.
    fn cut(&self, pixels: &Tensor) -> Tensor {
        let p = self.patch;
        let size = pixels.size();
        let (c, rows, columns) = (size[1], size[2] / p, size[3] / p);
        // The size of the batch is left open, so that a traced model takes any.
        pixels.reshape([-1, c, rows, p, columns, p]).permute([0, 2, 4, 1, 3, 5]).reshape([
            -1,
            rows * columns,
            c * p * p,
        ])
    }
}

impl Embedder for PatchEmbedder {
    fn emits(&self) -> FeatureShape {
        self.frames.emits()
    }

    fn layout(&self) -> TokenLayout {
        let [rows, columns] = self.grid;
        TokenLayout::Grid { prefix: 0, rows, columns }
    }

    fn embed(&self, batch: &Batch, _train: bool) -> Features {
        Features::Sequence(self.frames.forward(&self.cut(&batch.x), None))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let (p, [rows, columns]) = (self.patch, self.grid);
        let (pixels, c) = (e.pictures().x, e.example().x.size()[1]);
        let patches = pixels.reshape(&[-1, c, rows, p, columns, p]).permute(&[0, 2, 4, 1, 3, 5]);
        let patches = patches.reshape(&[-1, rows * columns, c * p * p]);
        let sequence = self.frames.onnx(e, &patches, None);
        Ok(GraphEmbedding::of(GraphFeatures::Sequence(sequence)))
    }

    fn init_from_data(&self, batch: &Batch) {
        self.frames.whiten(&self.cut(&batch.x).flatten(0, 1));
    }
}

#[cfg(test)]
mod tests {
    use crosstune_core::Fresh;
    use tch::{Device, Kind, nn};

    use super::*;
    use crate::picture::Channels;

    /// Embeds random pictures and returns, beside the result, the pictures and the parameters.
    fn embedded(geometry: Geometry, width: i64) -> (Tensor, Tensor, nn::VarStore) {
        tch::manual_seed(1);
        let (store, fresh) = (nn::VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh);
        let embedder =
            PatchEmbedder::new(root, &geometry, FeatureShape::Sequence { width }).unwrap();
        let (channels, size) = (geometry.channels.count() as i64, i64::from(geometry.size));
        let x = Tensor::rand([2, channels, size, size], (Kind::Float, Device::Cpu));
        let embedded = embedder.frames.forward(&embedder.cut(&x), None).x;
        assert_eq!(embedder.emits(), FeatureShape::Sequence { width });
        (embedded, x, store)
    }

    #[test]
    fn patches_are_a_convolution_with_its_own_stride() {
        for (channels, size, patch) in
            [(Channels::Rgb, 32, 4), (Channels::Grey, 8, 2), (Channels::Rgb, 6, 6)]
        {
            let geometry = Geometry::new(size, size, Some(patch), channels);
            let (embedded, x, store) = embedded(geometry, 16);
            assert_eq!(embedded.size(), [2, geometry.patches().unwrap(), 16]);
            let p = |name: &str| store.variables()[name].shallow_clone();
            let patch = i64::from(patch);
            let kernel = p("project.weight").view([16, channels.count() as i64, patch, patch]);
            let conv =
                x.conv2d(&kernel, Some(&p("project.bias")), [patch, patch], [0, 0], [1, 1], 1);
            let sum = conv.flatten(2, 3).transpose(1, 2) + p("position");
            let (weight, bias) = (p("norm.weight"), p("norm.bias"));
            let expected = sum.layer_norm([16], Some(&weight), Some(&bias), 1e-12, true);
            let difference = (embedded - expected).abs().max().double_value(&[]);
            assert!(difference < 2e-5, "{channels:?} {size} {patch}: {difference}");
        }
    }
}
