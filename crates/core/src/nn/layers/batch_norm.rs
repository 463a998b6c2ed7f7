//! Batch normalisation.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Init;

use crate::error::Result;
use crate::weights::VarBuilder;

/// Whether batch-norm running statistics are updated in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchNormStats {
    /// Those of trainable norms are, those of frozen norms are not.
    #[default]
    #[serde(alias = "with-norms")]
    FollowFreeze,
    /// None are updated.
    #[serde(alias = "still")]
    Frozen,
    /// All are updated.
    #[serde(alias = "moving")]
    Updating,
}

/// Batch normalisation of feature maps (Ioffe and Szegedy 2015).
#[derive(Debug)]
pub struct BatchNorm2d {
    statistics: Cell<BatchNormStats>,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    eps: f64,
    momentum: f64,
}

impl BatchNorm2d {
    /// Parameters `weight` and `bias`, buffers `running_mean` and `running_var`, each `[channels]`;
    /// epsilon and momentum are PyTorch's.
    pub fn new(vb: &VarBuilder<'_>, channels: i64) -> Result<Self> {
        Self::with(vb, channels, 1e-5, 0.1)
    }

    /// The same with another epsilon and another `momentum`, the share of a batch in the running
    /// statistics.
    pub fn with(vb: &VarBuilder<'_>, channels: i64, eps: f64, momentum: f64) -> Result<Self> {
        Ok(Self {
            statistics: Cell::default(),
            eps,
            momentum,
            weight: vb.param("weight", &[channels], Init::Const(1.))?,
            bias: vb.param("bias", &[channels], Init::Const(0.))?,
            running_mean: vb.buffer("running_mean", &[channels], Init::Const(0.))?,
            running_var: vb.buffer("running_var", &[channels], Init::Const(1.))?,
        })
    }

    /// Sets the running statistics to those of feature maps `[B, channels, H, W]`.
    pub(crate) fn measure(&self, x: &Tensor) {
        let over = [0i64, 2, 3].as_slice();
        tch::no_grad(|| {
            self.running_mean.shallow_clone().copy_(&x.mean_dim(over, false, None));
            self.running_var.shallow_clone().copy_(&x.var_dim(over, true, false));
        });
    }

    /// Decides whether the running statistics are updated.
    pub fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.statistics.set(statistics);
    }

    /// `[B, channels, H, W]` to the same shape. Where running statistics are updated, training
    /// normalises by the batch's; else by the running ones, as prediction does.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let updates = match self.statistics.get() {
            BatchNormStats::FollowFreeze => self.weight.requires_grad(),
            BatchNormStats::Frozen => false,
            BatchNormStats::Updating => true,
        };
        Tensor::batch_norm(
            x,
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train && updates,
            self.momentum,
            self.eps,
            true,
        )
    }
}
