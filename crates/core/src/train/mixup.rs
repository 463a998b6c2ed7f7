//! mixup and CutMix: mixing the samples of a batch, and their targets.

use rand::RngExt;
use rand_distr::{Beta, Distribution};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::{Error, Result};
use crate::nn::Batch;
use crate::random::Rng;

/// How samples of a batch are mixed with others of it; with both, one of the two at random. Each is
/// the `α` of the distribution `Beta(α, α)` that fractions are drawn from; 0: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Mix {
    /// mixup (Zhang et al. 2018): a weighted mean of two samples.
    pub mixup: f64,
    /// CutMix (Yun et al. 2019): a rectangle of one picture in another.
    pub cutmix: f64,
}

impl Mix {
    /// Mixes each sample with its opposite in the batch, the first with the last. Classes `[B]`,
    /// i64, become soft targets `[B, classes]`, f32; labels and values are mixed as they are.
    ///
    /// # Errors
    /// If the batch cannot be mixed: token ids by mixup, anything but pictures by CutMix.
    pub fn apply(
        &self,
        batch: &Batch,
        targets: &Tensor,
        classes: i64,
        rng: &mut Rng,
    ) -> Result<(Batch, Tensor)> {
        let cut = match (self.mixup > 0., self.cutmix > 0.) {
            (true, true) => rng.random::<bool>(),
            (_, cut) => cut,
        };
        let alpha = if cut { self.cutmix } else { self.mixup };
        let fraction = Beta::new(alpha, alpha).map_or(1., |beta| beta.sample(rng));
        let (batch, fraction) =
            if cut { cut_in(batch, fraction, rng)? } else { (blend(batch, fraction)?, fraction) };
        let own = match targets.kind() {
            Kind::Int64 => targets.one_hot(classes).to_kind(Kind::Float),
            _ => targets.shallow_clone(),
        };
        let targets = &own * fraction + own.flip([0]) * (1. - fraction);
        Ok((batch, targets))
    }
}

/// `fraction` of each sample and the rest of its opposite.
fn blend(batch: &Batch, fraction: f64) -> Result<Batch> {
    let x = &batch.x;
    if x.kind() == Kind::Int64 {
        return Err(Error::setting(
            "--mixup",
            "token ids cannot be mixed; leave it out for sentences",
        ));
    }
    // A position with data in either holds data.
    let mask = batch.attention_mask.as_ref().map(|mask| mask.logical_or(&mask.flip([0])));
    Ok(Batch { x: x * fraction + x.flip([0]) * (1. - fraction), attention_mask: mask })
}

/// Each picture with a rectangle of its opposite, and the fraction of its own that is left.
fn cut_in(batch: &Batch, fraction: f64, rng: &mut Rng) -> Result<(Batch, f64)> {
    let x = &batch.x;
    let &[_, _, height, width] = &x.size()[..] else {
        return Err(Error::setting(
            "--cutmix",
            "only pictures can be cut; leave it out, or use --mixup",
        ));
    };
    // The rectangle has the picture's aspect ratio and a random centre; what sticks out of the
    // picture is cut off, as in the paper's code.
    let mut span = |length: i64| {
        let half = (length as f64 * (1. - fraction).sqrt() / 2.) as i64;
        let middle = rng.random_range(0..length);
        let (from, to) = ((middle - half).max(0), (middle + half).min(length));
        (from, to - from)
    };
    let ((top, rows), (left, columns)) = (span(height), span(width));
    let part = |x: &Tensor| x.narrow(2, top, rows).narrow(3, left, columns);
    let mixed = x.copy();
    part(&mixed).copy_(&part(&x.flip([0])));
    let fraction = 1. - (rows * columns) as f64 / (height * width) as f64;
    Ok((Batch { x: mixed, attention_mask: None }, fraction))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use tch::Device;

    use super::*;

    fn fractions(targets: &Tensor) -> Vec<f64> {
        Vec::try_from(targets.flatten(0, -1).to_kind(Kind::Double)).unwrap()
    }

    #[test]
    fn mixup_takes_as_much_of_the_target_as_of_the_sample() {
        let x = Tensor::from_slice(&[0f32, 1.]).view([2, 1]);
        let mask = Some(Tensor::from_slice(&[true, false]).view([2, 1]));
        let (batch, classes) = (Batch { x, attention_mask: mask }, Tensor::from_slice(&[0i64, 1]));
        let mix = Mix { mixup: 0.4, cutmix: 0. };
        let mut own = vec![];
        for seed in 0..200 {
            let mut rng = Rng::seed_from_u64(seed);
            let (mixed, targets) = mix.apply(&batch, &classes, 2, &mut rng).unwrap();
            let [a, b, c, d] = fractions(&targets)[..] else { panic!("{targets}") };
            // The second class has the value 1, so a sample's value is its fraction of that class.
            let x = fractions(&mixed.x);
            assert!((x[0] - b).abs() < 1e-6 && (x[1] - d).abs() < 1e-6);
            assert!((a + b - 1.).abs() < 1e-6 && (a - d).abs() < 1e-6 && (b - c).abs() < 1e-6);
            assert_eq!(
                Vec::<bool>::try_from(mixed.attention_mask.unwrap().flatten(0, -1)).unwrap(),
                [true; 2]
            );
            own.push(a);
        }
        // Beta(0.4, 0.4) has a mean of a half and a variance of 1 / (4 · 1.8).
        let mean = own.iter().sum::<f64>() / 200.;
        let variance = own.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 200.;
        assert!((mean - 0.5).abs() < 0.08 && (variance - 0.139).abs() < 0.03, "{mean} {variance}");
        let ids = Batch { x: classes.view([2, 1]), attention_mask: None };
        let error = mix.apply(&ids, &classes, 2, &mut Rng::seed_from_u64(0)).unwrap_err();
        assert!(error.to_string().starts_with("--mixup: token ids"), "{error}");
    }

    #[test]
    fn cutmix_takes_as_much_of_the_target_as_of_the_area() {
        let x = Tensor::from_slice(&[0f32, 1.]).view([2, 1, 1, 1]).expand([2, 3, 8, 10], false);
        let (batch, classes) = (Batch { x, attention_mask: None }, Tensor::from_slice(&[0i64, 1]));
        let mix = Mix { mixup: 0., cutmix: 1. };
        let mut between = 0;
        for seed in 0..50 {
            let (mixed, targets) =
                mix.apply(&batch, &classes, 2, &mut Rng::seed_from_u64(seed)).unwrap();
            let means = mixed.x.mean_dim([1, 2, 3].as_slice(), false, Kind::Double);
            let (means, targets) = (fractions(&means), fractions(&targets));
            assert!((means[0] - targets[1]).abs() < 1e-6 && (means[1] - targets[3]).abs() < 1e-6);
            let pure = mixed.x.eq(0.).logical_or(&mixed.x.eq(1.)).all();
            assert_eq!(pure, Tensor::from(true), "a pixel is of one of the two");
            between += usize::from(targets[0] > 0. && targets[0] < 1.);
        }
        assert!(between > 35, "{between}");
        assert_eq!(batch.x.sum(Kind::Float).double_value(&[]), 240., "the batch was changed");
        let frames =
            Batch { x: Tensor::zeros([2, 4, 3], (Kind::Float, Device::Cpu)), attention_mask: None };
        let error = mix.apply(&frames, &classes, 2, &mut Rng::seed_from_u64(0)).unwrap_err();
        assert!(error.to_string().starts_with("--cutmix: only pictures"), "{error}");
    }
}
