//! Batch normalisation.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::nn::Init;
use tch::{Kind, Tensor};

use crate::distributed::several;
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::onnx::Value;
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
    /// normalises by the batch's; else by the running ones, as prediction does. Of a batch that several
    /// processes share, the statistics are those of the whole (PyTorch's `SyncBatchNorm`).
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let updates = match self.statistics.get() {
            BatchNormStats::FollowFreeze => self.weight.requires_grad(),
            BatchNormStats::Frozen => false,
            BatchNormStats::Updating => true,
        };
        if let Some(world) = several().filter(|_| train && updates) {
            let rows = if world.is_absent() { 0. } else { values(x) };
            return self.synchronised(x, rows, |sums| world.sum_through(sums));
        }
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

    /// The same in a graph, of `[B, channels, …]`: by the running statistics.
    pub fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let Self { weight, bias, running_mean, running_var, .. } = self;
        let [weight, bias, mean, var] =
            [weight, bias, running_mean, running_var].map(|tensor| e.parameter(tensor));
        x.batch_norm([&weight, &bias, &mean, &var], self.eps)
    }

    /// The same with statistics that are summed over several processes; of this one's batch, `rows` values
    /// of each channel count: all of them, or none.
    fn synchronised(&self, x: &Tensor, rows: f64, sum: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let (var, mean) = x.var_mean_dim([0i64, 2, 3].as_slice(), false, false);
        // Sums of squares, from which squares are subtracted: an f32 would have too few digits.
        let (mean, var) = (mean.to_kind(Kind::Double), var.to_kind(Kind::Double));
        let squares = var + mean.square();
        let count = Tensor::full([1], rows, (Kind::Double, x.device()));
        let sums = sum(&Tensor::cat(&[mean * rows, squares * rows, count], 0));
        let channels = self.weight.size()[0];
        let count = sums.narrow(0, 2 * channels, 1);
        let mean = sums.narrow(0, 0, channels) / &count;
        let var = (sums.narrow(0, channels, channels) / &count - mean.square()).clamp_min(0.);
        tch::no_grad(|| {
            let unbiased = &var * &count / (&count - 1.).clamp_min(1.);
            for (running, now) in [(&self.running_mean, &mean), (&self.running_var, &unbiased)] {
                let now = now.to_kind(running.kind());
                let _ = running.shallow_clone().lerp_(&now, self.momentum);
            }
        });
        let scale = (var + self.eps).rsqrt().to_kind(Kind::Float) * &self.weight;
        let shift = &self.bias - mean.to_kind(Kind::Float) * &scale;
        let over = |vector: Tensor| vector.view([1, -1, 1, 1]);
        (x * over(scale) + over(shift)).to_kind(x.kind())
    }
}

/// How many values each channel has.
fn values(x: &Tensor) -> f64 {
    x.size().iter().enumerate().filter(|(dim, _)| *dim != 1).map(|(_, n)| *n as f64).product()
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, nn};

    use super::*;

    fn norm(store: &VarStore) -> BatchNorm2d {
        let at = |name: &str, x: &[f32]| store.root().add(name, Tensor::from_slice(x), true);
        BatchNorm2d {
            statistics: Cell::new(BatchNormStats::Updating),
            weight: at("w", &[1.5, -0.5]),
            bias: at("b", &[0.1, 0.2]),
            running_mean: Tensor::from_slice(&[0.5f32, 0.]),
            running_var: Tensor::from_slice(&[1f32, 2.]),
            eps: 1e-5,
            momentum: 0.1,
        }
    }

    /// What one process makes of both halves of a batch is what two make of theirs: outputs, gradients and
    /// running statistics. The sums of the two are those of the whole.
    #[test]
    fn statistics_of_two_halves_are_those_of_the_whole() {
        let store = nn::VarStore::new(Device::Cpu);
        let whole = norm(&store);
        tch::manual_seed(7);
        let x = Tensor::randn([6, 2, 3, 3], (Kind::Float, Device::Cpu)) * 2. + 100.;
        let x = x.set_requires_grad(true);
        let upstream = Tensor::randn([6, 2, 3, 3], (Kind::Float, Device::Cpu));
        let y = whole.forward(&x, true);
        let wanted =
            Tensor::run_backward(&[(&y * &upstream).sum(Kind::Float)], &[&x], false, false);
        let other = norm(&nn::VarStore::new(Device::Cpu));
        let z = other.synchronised(&x, values(&x), Tensor::shallow_clone);
        let got = Tensor::run_backward(&[(&z * &upstream).sum(Kind::Float)], &[&x], false, false);
        let off = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(off(&y, &z) < 2e-5, "{}", off(&y, &z));
        assert!(off(&wanted[0], &got[0]) < 2e-5, "{}", off(&wanted[0], &got[0]));
        assert!(off(&whole.running_mean, &other.running_mean) < 1e-5);
        assert!(off(&whole.running_var, &other.running_var) < 1e-5);
        // A process without a part of the batch normalises by the others' statistics.
        let none = norm(&nn::VarStore::new(Device::Cpu));
        let others = |own: &Tensor| {
            assert_eq!(own.abs().sum(Kind::Double).double_value(&[]), 0.);
            Tensor::from_slice(&[10f64, 0., 60., 30., 10.])
        };
        let y =
            none.synchronised(&Tensor::ones([1, 2, 1, 1], (Kind::Float, Device::Cpu)), 0., others);
        // Means 1 and 0, variances 5 and 3.
        let wanted = Tensor::from_slice(&[0.1f32, 0.2 - 0.5 / 3f32.sqrt()]).view([1, 2, 1, 1]);
        assert!(off(&y, &wanted) < 1e-5, "{y}");
    }
}
