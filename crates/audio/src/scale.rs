//! The normalisation of log-mel bands.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Mean and standard deviation of each mel band, measured on a training set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// The mean of each band.
    pub mean: Vec<f32>,
    /// The standard deviation of each band; 1 for a band that never changes.
    #[serde(alias = "deviation")]
    pub std: Vec<f32>,
}

impl Normalization {
    /// Measures samples `[T, F]` of any `T`; `None` if there are none.
    pub fn measure(samples: impl IntoIterator<Item = Tensor>) -> Option<Self> {
        /// Samples whose frames are copied together at a time.
        const CHUNK: usize = 256;
        /// A standard deviation below this is rounding. To divide by it would amplify without bound
        /// whatever another recording has in that band.
        const STILL: f64 = 1e-3;

        let mut samples = samples.into_iter().peekable();
        let bands = samples.peek()?.size()[1];
        let sums = || Tensor::zeros([bands], (Kind::Double, tch::Device::Cpu));
        let (mut frames, mut sum, mut squares) = (0, sums(), sums());
        while samples.peek().is_some() {
            let chunk: Vec<Tensor> = samples.by_ref().take(CHUNK).collect();
            let x = Tensor::cat(&chunk, 0).to_kind(Kind::Double);
            frames += x.size()[0];
            sum += x.sum_dim_intlist(0, false, Kind::Double);
            squares += x.square().sum_dim_intlist(0, false, Kind::Double);
        }
        let mean = sum / frames;
        let std = (squares / frames - mean.square()).clamp_min(0.).sqrt();
        let std = std.masked_fill(&std.lt(STILL), 1.);
        Some(Self { mean: to_vec(&mean), std: to_vec(&std) })
    }

    /// `(x - mean) / std` of frames `[…, F]`.
    pub fn apply(&self, x: &Tensor) -> Tensor {
        (x - Tensor::from_slice(&self.mean)) / Tensor::from_slice(&self.std)
    }
}

/// The values of a tensor of floats.
pub(crate) fn to_vec(x: &Tensor) -> Vec<f32> {
    let mut values = vec![0.; x.numel()];
    x.to_kind(Kind::Float).copy_data(&mut values, x.numel());
    values
}
