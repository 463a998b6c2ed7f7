//! The normalisation of log-mel bands.

use crosstune_core::Moments;
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
    /// A standard deviation below this is rounding. To divide by it would amplify without bound
    /// whatever another recording has in that band.
    const STILL: f64 = 1e-3;

    /// What [`of`](Self::of) has to know of a sample `[T, F]`.
    pub fn moments(sample: &Tensor) -> Moments {
        let bands = sample.size()[1] as usize;
        let (mut sums, mut squares) = (vec![0.; bands], vec![0.; bands]);
        // Not by a tensor's sums, whose order depends on the number of threads.
        for frame in to_vec(sample).chunks_exact(bands.max(1)) {
            for ((sum, square), &x) in sums.iter_mut().zip(&mut squares).zip(frame) {
                *sum += f64::from(x);
                *square += f64::from(x).powi(2);
            }
        }
        Moments { count: sample.size()[0] as u64, sums, squares }
    }

    /// That of samples with these moments; `None` if there are none.
    pub fn of(moments: &Moments) -> Option<Self> {
        let bands = moments.mean_and_std()?;
        let std = |&(_, std): &(f64, f64)| if std < Self::STILL { 1. } else { std as f32 };
        Some(Self {
            mean: bands.iter().map(|&(mean, _)| mean as f32).collect(),
            std: bands.iter().map(std).collect(),
        })
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
