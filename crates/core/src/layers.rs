//! The layers that trunks, embedders and heads are made of, each initialised as PyTorch does it.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::{
    Tensor,
    nn::{self, Init},
};

use crate::{Result, Scope, lora::Adapter, scope::Reshape};

/// `y = x Wᵀ + b`, and what an adapter adds where [`Lora`](crate::Lora) asks for one.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    adapter: Option<Adapter>,
}

impl Linear {
    /// `weight [d_out, d_in]` and `bias [d_out]`, uniform within `1/√d_in` as in PyTorch (tch's own
    /// default is about 2.45 times wider).
    pub fn new(at: &Scope<'_>, d_in: i64, d_out: i64) -> Result<Self> {
        let init = uniform(d_in);
        Ok(Self {
            weight: at.param("weight", &[d_out, d_in], init)?,
            bias: Some(at.param("bias", &[d_out], init)?),
            adapter: Adapter::new(at, d_in, d_out)?,
        })
    }

    /// The same without a bias: `y = x Wᵀ`.
    pub fn unbiased(at: &Scope<'_>, d_in: i64, d_out: i64) -> Result<Self> {
        Ok(Self {
            weight: at.param("weight", &[d_out, d_in], uniform(d_in))?,
            bias: None,
            adapter: Adapter::new(at, d_in, d_out)?,
        })
    }

    /// The same with an initialisation for the weight and zero for the bias when they are fresh.
    pub(crate) fn normal(at: &Scope<'_>, d_in: i64, d_out: i64, stdev: f64) -> Result<Self> {
        Ok(Self {
            weight: at.param("weight", &[d_out, d_in], Init::Randn { mean: 0., stdev })?,
            bias: Some(at.param("bias", &[d_out], Init::Const(0.))?),
            adapter: Adapter::new(at, d_in, d_out)?,
        })
    }

    /// Puts other values into the weight.
    pub(crate) fn set_weight(&self, weight: &Tensor) {
        tch::no_grad(|| self.weight.shallow_clone().copy_(weight));
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> tch::Device {
        self.weight.device()
    }

    /// `[…, d_in]` to `[…, d_out]`, as in prediction: nothing is dropped.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_t(x, false)
    }

    /// The same; `train` turns on an adapter's dropout.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        let y = x.linear(&self.weight, self.bias.as_ref());
        match &self.adapter {
            None => y,
            Some(adapter) => y + adapter.forward(x, train),
        }
    }
}

/// The bounds of PyTorch's default for a sum over `fan_in` inputs.
fn uniform(fan_in: i64) -> Init {
    let bound = (fan_in as f64).sqrt().recip();
    Init::Uniform { lo: -bound, up: bound }
}

/// Layer normalisation over the last dimension (Ba et al. 2016).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// `weight [width]`, fresh at 1, and `bias [width]`, fresh at 0.
    pub fn new(at: &Scope<'_>, width: i64, eps: f64) -> Result<Self> {
        Ok(Self {
            weight: at.param("weight", &[width], Init::Const(1.))?,
            bias: at.param("bias", &[width], Init::Const(0.))?,
            eps,
        })
    }

    /// `[…, width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, true)
    }
}

/// A convolution over planes, without a bias: a norm follows that would take it away.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// `weight [c_out, c_in, kernel, kernel]`, fresh as ResNets are initialised (He et al. 2015,
    /// over what comes out). The edges are padded by half a kernel: at a stride of 1, planes keep
    /// their size.
    pub fn new(at: &Scope<'_>, c_in: i64, c_out: i64, kernel: i64, stride: i64) -> Result<Self> {
        Self::reshaped(at, (c_in, c_out), kernel, stride, &|_| Ok(None))
    }

    /// The same, where `reshape` may bring the source's weight to the shape that is wanted.
    pub(crate) fn reshaped(
        at: &Scope<'_>,
        (c_in, c_out): (i64, i64),
        kernel: i64,
        stride: i64,
        reshape: Reshape<'_>,
    ) -> Result<Self> {
        let stdev = (2. / (c_out * kernel * kernel) as f64).sqrt();
        let shape = [c_out, c_in, kernel, kernel];
        let weight = at.param_reshaped("weight", &shape, reshape, || {
            nn::init(Init::Randn { mean: 0., stdev }, &shape, at.device())
        })?;
        Ok(Self { weight, stride, padding: kernel / 2 })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H / stride, W / stride]`, rounded up.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        x.conv2d(&self.weight, None::<Tensor>, stride, padding, [1, 1], 1)
    }
}

/// Whether the statistics of batch norms follow the batches of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistics {
    /// Those of norms that train do, those of frozen ones stand still.
    #[default]
    WithNorms,
    /// All stand still.
    Still,
    /// All move.
    Moving,
}

/// Batch normalisation of planes (Ioffe and Szegedy 2015).
#[derive(Debug)]
pub struct BatchNorm2d {
    statistics: Cell<Statistics>,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm2d {
    const EPS: f64 = 1e-5;
    const MOMENTUM: f64 = 0.1;

    /// Parameters `weight` and `bias`, buffers `running_mean` and `running_var`, each `[channels]`.
    pub fn new(at: &Scope<'_>, channels: i64) -> Result<Self> {
        Ok(Self {
            statistics: Cell::default(),
            weight: at.param("weight", &[channels], Init::Const(1.))?,
            bias: at.param("bias", &[channels], Init::Const(0.))?,
            running_mean: at.buffer("running_mean", &[channels], Init::Const(0.))?,
            running_var: at.buffer("running_var", &[channels], Init::Const(1.))?,
        })
    }

    /// Makes the running statistics those of planes `[B, channels, H, W]`.
    pub(crate) fn measure(&self, x: &Tensor) {
        let over = [0i64, 2, 3].as_slice();
        tch::no_grad(|| {
            self.running_mean.shallow_clone().copy_(&x.mean_dim(over, false, None));
            self.running_var.shallow_clone().copy_(&x.var_dim(over, true, false));
        });
    }

    /// Decides whether the statistics move.
    pub fn set_statistics(&self, statistics: Statistics) {
        self.statistics.set(statistics);
    }

    /// `[B, channels, H, W]` to the same shape. Where statistics move, a training goes by the
    /// batch's, and the running ones follow; else by the running ones, as prediction does.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let moves = match self.statistics.get() {
            Statistics::WithNorms => self.weight.requires_grad(),
            Statistics::Still => false,
            Statistics::Moving => true,
        };
        Tensor::batch_norm(
            x,
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train && moves,
            Self::MOMENTUM,
            Self::EPS,
            true,
        )
    }
}
