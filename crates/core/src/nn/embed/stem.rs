//! The stem of a convolutional network: its first convolution.

use tch::Tensor;

use super::config::{StemConfig, StemNorm, StemPool};
use super::embedder::Embedder;
use crate::error::{Error, Result};
use crate::nn::features::{Batch, FeatureShape, Features};
use crate::nn::layers::{BatchNorm2d, BatchNormStats, Conv2d};
use crate::weights::{VarBuilder, resize};

/// A convolution, a norm where the model has one, ReLU and pooling: `[B, C, H, W]` to
/// `[B, out_channels, H', W']`.
#[derive(Debug)]
pub struct StemEmbedder {
    conv: Conv2d,
    norm: Option<BatchNorm2d>,
    config: StemConfig,
}

impl StemEmbedder {
    /// Parameters `conv.weight [out_channels, C, K, K]` and, where there is a norm,
    /// `norm.{weight,bias,running_mean,running_var} [out_channels]`, below `vb`. `from` is the stem
    /// in the source of `vb`, `to` the wanted one: they may differ in channels, to which [`resize`]
    /// brings the kernel, in stride and in pooling.
    ///
    /// # Errors
    /// If `form` is other than the channels of `to`, if the kernels or the norms of the two differ,
    /// or if the source of `vb` lacks a tensor.
    pub fn new(
        vb: VarBuilder<'_>,
        from: &StemConfig,
        to: &StemConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let &StemConfig { in_channels, out_channels, kernel, stride, norm, pool } = to;
        if form != (FeatureShape::FeatureMap { channels: out_channels }) {
            let emits = FeatureShape::FeatureMap { channels: out_channels };
            return Err(Error::FeatureShape {
                emits: emits.to_string(),
                accepts: form.to_string(),
            });
        }
        let empty = matches!(pool, StemPool::Mean(sides) if sides.iter().any(|&side| side < 1));
        let same = (out_channels, kernel, norm) == (from.out_channels, from.kernel, from.norm);
        if in_channels < 1 || kernel < 1 || stride < 1 || empty || !same {
            return Err(Error::setting("stem", format!("{to:?} cannot be made of {from:?}")));
        }
        let reshape = |kernel: &Tensor| resize::input_channels(kernel, in_channels);
        let conv = Conv2d::reshaped(
            &vb.sub("conv"),
            (in_channels, out_channels),
            kernel,
            stride,
            &reshape,
        )?;
        let norm = match norm {
            StemNorm::Batch => Some(BatchNorm2d::new(&vb.sub("norm"), out_channels)?),
            StemNorm::Without => None,
        };
        Ok(Self { conv, norm, config: *to })
    }

    /// `[B, C, H, W]` to `[B, out_channels, H', W']`; in training, a norm whose statistics are
    /// updated normalises by the batch's.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.conv.forward(x);
        let x = match &self.norm {
            Some(norm) => norm.forward(&x, train),
            None => x,
        };
        let x = x.relu();
        match self.config.pool {
            StemPool::Without => x,
            StemPool::Max => x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false),
            StemPool::Mean(sides) => x.avg_pool2d(sides, sides, [0, 0], false, true, None),
        }
    }
}

impl Embedder for StemEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::FeatureMap { channels: self.config.out_channels }
    }

    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::FeatureMap(self.forward(&batch.x, train))
    }

    /// Sets the norm's running statistics to those of the batch, if they are new: else predictions
    /// before the first step would use a mean of 0 and a variance of 1.
    fn init_from_data(&self, batch: &Batch) {
        if let Some(norm) = &self.norm {
            norm.measure(&tch::no_grad(|| self.conv.forward(&batch.x)));
        }
    }

    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        if let Some(norm) = &self.norm {
            norm.set_batch_norm_stats(statistics);
        }
    }
}
