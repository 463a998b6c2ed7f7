//! Pictures as a model sees them, for explanations of answers.

use crosstune_core::{Baseline, Batch, BoxError, Input, Pixels, Surface, units};
use tch::{Kind, Tensor};

use crate::{picture::Channels, settings::ImageSettings};

/// The standard deviation of the blur, as a share of a picture's shorter side: 10 pixels of 224, as Fong and
/// Vedaldi (2017, §4.3) have it.
const BLUR: f64 = 10. / 224.;

impl units::Units for ImageSettings {
    fn baselines(&self) -> &'static [Baseline] {
        &[Baseline::Black, Baseline::Mean, Baseline::Blurred]
    }

    /// A grey square.
    fn cover(&self) -> Baseline {
        Baseline::Mean
    }

    fn baseline(
        &self,
        _: &Input,
        samples: &[&Tensor],
        batch: &Batch,
        baseline: Baseline,
    ) -> Result<Batch, BoxError> {
        let x = match baseline {
            Baseline::Black => {
                let black: Vec<Tensor> = samples.iter().map(|sample| sample.zeros_like()).collect();
                self.scale().apply(&Tensor::f_stack(&black, 0)?)
            }
            // Normalised by the mean.
            Baseline::Mean => batch.x.f_zeros_like()?,
            _ => blurred(&batch.x)?,
        };
        Ok(Batch { x, attention_mask: batch.attention_mask.as_ref().map(Tensor::shallow_clone) })
    }

    fn surface(&self, _: &Input, samples: &[&Tensor], _: &Batch) -> Result<Surface, BoxError> {
        let sample = samples.first().ok_or("there is no picture")?;
        let (channels, height, width) = sample.size3()?;
        let rgb = match self.geometry().channels {
            Channels::Rgb if channels == 3 => sample.shallow_clone(),
            _ => sample.narrow(0, 0, 1).f_expand([3, height, width], false)?,
        };
        let rgb = rgb.f_permute([1, 2, 0])?.f_contiguous()?.f_view(-1)?;
        let mut bytes = vec![0; rgb.numel()];
        rgb.f_to_kind(Kind::Uint8)?.f_copy_data_u8(&mut bytes, rgb.numel())?;
        Ok(Surface::Picture(Pixels { width: width as u32, height: height as u32, rgb: bytes }))
    }
}

/// Pictures `[B, C, H, W]` under a Gaussian blur; beyond an edge they go on as it is there.
fn blurred(x: &Tensor) -> Result<Tensor, BoxError> {
    let size = x.size();
    let (channels, high, wide) = (size[1], size[2], size[3]);
    let sigma = (BLUR * high.min(wide) as f64).max(0.5);
    let reach = (3. * sigma).ceil() as i64;
    let at = Tensor::arange_start(-reach, reach + 1, (Kind::Double, x.device()));
    let weights = (at.square() / (-2. * sigma * sigma)).exp();
    let weights = (&weights / weights.sum(Kind::Double)).to_kind(x.kind());
    let kernel =
        |shape: [i64; 2]| weights.view([1, 1, shape[0], shape[1]]).repeat([channels, 1, 1, 1]);
    let (down, right) = (kernel([2 * reach + 1, 1]), kernel([1, 2 * reach + 1]));
    let none = None::<&Tensor>;
    let x = x.f_replication_pad2d([reach, reach, reach, reach])?;
    let x = x.f_conv2d(&down, none, [1, 1], [0, 0], [1, 1], channels)?;
    Ok(x.f_conv2d(&right, none, [1, 1], [0, 0], [1, 1], channels)?)
}

#[cfg(test)]
mod tests {
    use crosstune_core::{Modality, units::Units as _};
    use tch::Device;

    use super::*;

    #[test]
    fn baselines_are_black_grey_and_blurred() {
        let settings = ImageSettings::default();
        let sample = Tensor::zeros([3, 40, 40], (Kind::Uint8, Device::Cpu));
        let _ = sample.narrow(1, 20, 20).fill_(200);
        let (samples, input) = ([&sample], Input::Text(String::new()));
        let batch = settings.batch(&samples);
        let of = |baseline| settings.baseline(&input, &samples, &batch, baseline).unwrap().x;
        // With a mean and a standard deviation of a half, black is -1.
        assert_eq!(of(Baseline::Black), batch.x.full_like(-1.));
        assert_eq!(of(Baseline::Mean), batch.x.zeros_like());
        let blurred = of(Baseline::Blurred);
        assert_eq!(blurred.size(), batch.x.size());
        let row = |x: &Tensor, at: i64| x.get(0).get(1).get(at).get(7).double_value(&[]);
        // Far from the edge as it was; at the edge in between, and the steps fall evenly around it.
        for at in [0, 39] {
            assert!((row(&blurred, at) - row(&batch.x, at)).abs() < 1e-5);
        }
        let middle = (row(&batch.x, 0) + row(&batch.x, 39)) / 2.;
        let around = (row(&blurred, 19) + row(&blurred, 20)) / 2.;
        assert!((around - middle).abs() < 1e-5 && row(&blurred, 19) > row(&batch.x, 19));
        let Surface::Picture(shown) = settings.surface(&input, &samples, &batch).unwrap() else {
            panic!("no picture")
        };
        assert_eq!((shown.width, shown.height), (40, 40));
        assert_eq!(shown.rgb[3 * 40 * 20 - 1..3 * 40 * 20 + 1], [0, 200]);
    }
}
