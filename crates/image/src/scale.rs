//! The normalisation of pixels: mean and standard deviation.

use std::iter;

use crosstune_core::Moments;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::picture::Channels;

/// The mean and standard deviation of each channel, where black is 0 and full intensity is 1: those
/// of the training set, or those that a pretrained model was trained with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// The standard deviation of each channel.
    #[serde(alias = "deviation")]
    pub std: Vec<f32>,
}

/// The least standard deviation, one of the 255 steps of intensity: blank pictures are not
/// amplified.
const LEAST_STD: f64 = 1. / 255.;

impl Normalization {
    /// From -1 to 1: until something is known, and for ViT and many of its kin.
    pub(crate) fn halves(channels: usize) -> Self {
        let half = vec![0.5; channels];
        Self { mean: half.clone(), std: half }
    }

    /// That of ImageNet.
    pub(crate) fn imagenet() -> Self {
        Self { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
    }

    /// That of CLIP (Radford et al. 2021).
    pub(crate) fn clip() -> Self {
        Self {
            mean: vec![0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: vec![0.268_629_5, 0.261_302_6, 0.275_777_1],
        }
    }

    /// The same for another number of channels: for one, the mean of all, else each in turn.
    pub(crate) fn of_channels(&self, channels: usize) -> Self {
        let fit = |values: &[f32]| -> Vec<f32> {
            match channels {
                1 => vec![values.iter().sum::<f32>() / values.len() as f32],
                _ => values.iter().copied().cycle().take(channels).collect(),
            }
        };
        Self { mean: fit(&self.mean), std: fit(&self.std) }
    }

    /// What [`of`](Self::of) has to know of a sample `[C, H, W]`, u8. In whole numbers, so exact, and
    /// some forty times as fast as by tensors, which would first become f32 or f64.
    pub(crate) fn moments(channels: Channels, sample: &Tensor) -> Moments {
        let mut values = vec![0; sample.numel()];
        sample.copy_data_u8(&mut values, sample.numel());
        let plane = values.len() / channels.count();
        let sums = |value: fn(u8) -> u32| {
            // Small enough for the squares to fit u32, which is quick to add up.
            let part = |part: &[u8]| u64::from(part.iter().map(|&v| value(v)).sum::<u32>());
            let sum = |plane: &[u8]| plane.chunks(1 << 16).map(part).sum::<u64>() as f64;
            values.chunks_exact(plane.max(1)).map(sum).collect()
        };
        Moments {
            count: plane as u64,
            sums: sums(u32::from),
            squares: sums(|v| u32::from(v).pow(2)),
        }
    }

    /// That of samples with these moments; `None` if there are none.
    pub(crate) fn of(moments: &Moments) -> Option<Self> {
        let scale =
            |(mean, std): (f64, f64)| ((mean / 255.) as f32, (std / 255.).max(LEAST_STD) as f32);
        let (mean, std) = moments.mean_and_std()?.into_iter().map(scale).unzip();
        Some(Self { mean, std })
    }

    /// `[B, C, H, W]` of 0 to 255 to `(x / 255 - mean) / std`, f32.
    pub(crate) fn apply(&self, x: &Tensor) -> Tensor {
        let channel = |values: Vec<f32>| {
            Tensor::from_slice(&values).view([1, -1, 1, 1]).to_device(x.device())
        };
        let factor = channel(self.std.iter().map(|d| 1. / (255. * d)).collect());
        let shift = channel(iter::zip(&self.mean, &self.std).map(|(m, d)| -m / d).collect());
        // One pass over the pixels for both, in place.
        let x = x.to_kind(Kind::Float);
        shift.addcmul_out(&x, &x, &factor)
    }

    /// Why it cannot be used for a number of channels, if it cannot.
    pub(crate) fn problem(&self, channels: usize) -> Option<(&'static str, String)> {
        let Self { mean, std } = self;
        if mean.len() != channels || std.len() != channels {
            let (means, stds) = (mean.len(), std.len());
            let problem =
                format!("{means} means and {stds} standard deviations for {channels} channels");
            return Some(("mean", problem));
        }
        if let Some(m) = mean.iter().find(|m| !m.is_finite()) {
            return Some(("mean", format!("{m} is not a number")));
        }
        let bad = std.iter().find(|d| !(d.is_finite() && **d > 0.))?;
        Some(("std", format!("{bad} is not a positive number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_samples_are_measured_as_one() {
        let samples: Vec<_> =
            (0..=255u8).map(|value| Tensor::from_slice(&[value]).view([1, 1, 1])).collect();
        let moments = samples.iter().map(|s| Normalization::moments(Channels::Grey, s)).collect();
        let scale = Normalization::of(&moments).unwrap();
        // The uniform distribution over 0 to 255.
        let std = ((256f64.powi(2) - 1.) / 12.).sqrt() / 255.;
        assert_eq!(scale, Normalization { mean: vec![0.5], std: vec![std as f32] });
    }

    #[test]
    fn other_channels_keep_the_scale() {
        let scale = Normalization { mean: vec![0.25, 0.5, 0.75], std: vec![0.125, 0.25, 0.375] };
        assert_eq!(scale.of_channels(1), Normalization { mean: vec![0.5], std: vec![0.25] });
        assert_eq!(scale.of_channels(3), scale);
        assert_eq!(Normalization::halves(1).of_channels(3), Normalization::halves(3));
    }
}
