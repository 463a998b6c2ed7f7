//! Patches that stay in their places: from a picture to a feature map (Liu et al. 2021, §3.1).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::embedder::Embedder;
use super::projection::projection;
use crate::error::{Error, Result};
use crate::nn::exporter::{Exporter, GraphEmbedding, GraphFeatures, GraphMap};
use crate::nn::features::{Batch, FeatureShape, Features};
use crate::nn::layers::dropout::dropout;
use crate::nn::layers::{Bias, LayerNorm, convolved};
use crate::weights::VarBuilder;

/// The shape of an embedder of patches without tokens or positions. Sides are rows, then columns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchMapConfig {
    /// Channels of the input.
    pub channels: i64,
    /// Sides of the input that the model was made for, in pixels; others go through as well.
    pub size: [i64; 2],
    /// Sides of a patch, in pixels.
    pub patch: [i64; 2],
    /// Strides of the patches, in pixels: smaller than a patch where patches overlap. Then the input
    /// has zeros around it, such that there are as many patches as strides.
    pub stride: [i64; 2],
    /// The epsilon of the layer norm of each patch's vector; `None`: there is none.
    pub eps: Option<f64>,
    /// The dropout probability in training.
    pub dropout: f64,
}

impl PatchMapConfig {
    /// What must be at least 1.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let sides = [("size", self.size), ("patch", self.patch), ("stride", self.stride)];
        let sides = sides.into_iter().flat_map(|(name, [a, b])| [(name, a), (name, b)]);
        let over = |i: usize| self.patch[i].saturating_sub(self.stride[i]).saturating_add(1);
        let overlaps = [("patches over strides", over(0)), ("patches over strides", over(1))];
        sides.chain(overlaps).chain([("channels", self.channels)])
    }
}

/// The shape of an embedder of patches of a spectrogram that is longer than a square: the time is cut
/// into pieces, which are set one below the other (HTS-AT, Chen et al. 2022, §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoldedPatchesConfig {
    /// Mel bands of a frame.
    pub bands: i64,
    /// The patches of the folded spectrogram, whose sides are equal.
    pub patches: PatchMapConfig,
}

impl FoldedPatchesConfig {
    /// How many pieces are set one below the other.
    pub fn folds(&self) -> i64 {
        self.patches.size[0] / self.bands.max(1)
    }

    /// The most frames.
    pub fn frames(&self) -> i64 {
        self.patches.size[1].saturating_mul(self.folds())
    }
}

/// `[B, C, H, W]` to a feature map `[B, width, H', W']`: a convolution makes a vector of every patch,
/// which is normalised.
#[derive(Debug)]
pub struct PatchMapEmbedder {
    weight: Tensor,
    bias: Option<Tensor>,
    norm: Option<LayerNorm>,
    config: PatchMapConfig,
}

impl PatchMapEmbedder {
    /// Parameters `project.weight [width, C, P, Q]`, `project.bias [width]` and, where there is a
    /// norm, `norm.{weight,bias} [width]`, below `vb`. `from` is the embedder in the source of `vb`,
    /// `to` the wanted one: where channels or patches differ, [`resize`](crate::weights::resize)
    /// brings the source's tensors to the wanted shapes.
    ///
    /// # Errors
    /// If `form` is not a feature map, or if the source of `vb` lacks a tensor.
    pub fn new(
        vb: &VarBuilder<'_>,
        from: &PatchMapConfig,
        to: &PatchMapConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let width = form.feature_map("its patches are a feature map")?;
        if let Some((name, n)) = to.counts().find(|(_, n)| *n < 1) {
            return Err(Error::setting("--patch", format!("{name} {n}: must be at least 1")));
        }
        let (weight, bias) = projection(vb, width, to.channels, to.patch, Bias::With)?;
        let norm = |eps| LayerNorm::new(&vb.sub("norm"), width, eps);
        Ok(Self { weight, bias, norm: from.eps.map(norm).transpose()?, config: *to })
    }

    /// `[B, C, H, W]` to `[B, width, H', W']`; `train` turns on dropout.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let PatchMapConfig { patch, stride, dropout: p, .. } = self.config;
        let padding = [0, 1].map(|i| (patch[i] - stride[i]) / 2);
        let x = x.conv2d(&self.weight, self.bias.as_ref(), stride, padding, [1, 1], 1);
        let x = match &self.norm {
            Some(norm) => norm.forward(&x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]),
            None => x,
        };
        dropout(&x, p, train)
    }

    /// The same in a graph.
    pub fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let PatchMapConfig { patch, stride, .. } = self.config;
        let padding = [0, 1].map(|i| [(patch[i] - stride[i]) / 2; 2]);
        let (weight, bias) =
            (e.parameter(&self.weight), self.bias.as_ref().map(|bias| e.parameter(bias)));
        let map = convolved(map, (&weight, bias.as_ref()), patch, stride, padding, 1);
        match &self.norm {
            Some(norm) => {
                let x = norm.onnx(e, &map.x.permute(&[0, 2, 3, 1])).permute(&[0, 3, 1, 2]);
                map.with(x)
            }
            None => map,
        }
    }
}

impl Embedder for PatchMapEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::FeatureMap { channels: self.weight.size()[0] }
    }

    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::FeatureMap(self.forward(&batch.x, train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let map = self.onnx(e, &e.pictures());
        Ok(GraphEmbedding::of(GraphFeatures::FeatureMap(map)))
    }
}
