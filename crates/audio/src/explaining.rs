//! Recordings as a model hears them, for explanations of answers.

use crosstune_core::{Baseline, Batch, BoxError, Input, Pixels, Surface, units};
use tch::{Device, Kind, Tensor};

use crate::{
    features::{FrontEnd, Padding},
    scale::to_vec,
    settings::AudioSettings,
    show::{of_frames, of_samples},
};

impl units::Units for AudioSettings {
    fn baselines(&self) -> &'static [Baseline] {
        &[Baseline::Silence, Baseline::Mean]
    }

    /// Silence in a recording would be an event of its own.
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
        let (x, lengths) = (&batch.x, self.lengths(samples, batch));
        let positions = Tensor::arange(x.size()[1], (Kind::Int64, Device::Cpu));
        let held = positions.lt_tensor(&Tensor::f_from_slice(&lengths)?.unsqueeze(1));
        let held = if x.dim() == 3 { held.unsqueeze(-1) } else { held };
        let beside = match baseline {
            Baseline::Silence => self.silence(x)?,
            _ => {
                let counts = Tensor::f_from_slice(&lengths)?.clamp_min(1).to_kind(x.kind());
                let counts = counts.view_as(&held.select(1, 0).unsqueeze(1));
                (x * &held).f_sum_dim_intlist([1].as_slice(), true, x.kind())? / counts
            }
        };
        let x = beside.f_expand_as(x)?.f_where_self(&held, x)?;
        if x.isfinite().all().int64_value(&[]) == 0 {
            return Err("these features have no number for silence; choose --baseline mean".into());
        }
        Ok(Batch { x, attention_mask: batch.attention_mask.as_ref().map(Tensor::shallow_clone) })
    }

    fn surface(
        &self,
        input: &Input,
        samples: &[&Tensor],
        batch: &Batch,
    ) -> Result<Surface, BoxError> {
        let rate = f64::from(self.front_end.sample_rate());
        let is_waveform = batch.x.dim() == 2;
        let step = if is_waveform { 1. } else { self.front_end.hop() as f64 } / rate;
        let lengths = self.lengths(samples, batch);
        let starts = self.hearing().starts(input, samples.len())?;
        let starts: Vec<f64> = starts.into_iter().map(|start| start as f64 / rate).collect();
        let ends = starts.iter().zip(&lengths).map(|(start, length)| start + *length as f64 * step);
        let seconds = ends.fold(step, f64::max);
        // What later windows hear lies over what earlier ones hear of the same moments.
        let width = if is_waveform { 1 } else { batch.x.size()[2] as usize };
        let mut values = vec![f32::NAN; ((seconds / step).round() as usize).max(1) * width];
        for ((row, start), &length) in batch.x.unbind(0).iter().zip(&starts).zip(&lengths) {
            let heard = to_vec(&row.narrow(0, 0, length));
            let from = ((start / step).round() as usize * width).min(values.len());
            let room = heard.len().min(values.len() - from);
            values[from..from + room].copy_from_slice(&heard[..room]);
        }
        let lowest = values.iter().copied().filter(|x| x.is_finite()).fold(f32::MAX, f32::min);
        let gap = if is_waveform { 0. } else { lowest };
        values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = gap);
        let spectrogram: Pixels = match is_waveform {
            true => of_samples(&values, self.front_end.sample_rate())?,
            false => of_frames(&values, width),
        };
        Ok(Surface::Recording { spectrogram, seconds, starts, lengths, step })
    }
}

impl AudioSettings {
    /// How many frames or samples of each row of a batch hold data: at least one.
    fn lengths(&self, samples: &[&Tensor], batch: &Batch) -> Vec<i64> {
        let most = batch.x.size()[1];
        let length = |sample: &&Tensor| {
            let length = sample.size()[0];
            let frames = match sample.dim() {
                // Its frames are computed with the batch.
                1 if batch.x.dim() == 3 => self.front_end.frames(length as usize) as i64,
                _ => length,
            };
            frames.clamp(1, most)
        };
        samples.iter().map(length).collect()
    }

    /// Silence as a batch of this shape has it, without its padding.
    fn silence(&self, x: &Tensor) -> Result<Tensor, BoxError> {
        if x.dim() == 2 {
            return Ok(x.f_zeros_like()?);
        }
        if let FrontEnd::Whisper(_) = &self.front_end {
            // Nothing is quieter than what lies so far below the loudest of a recording.
            let row = |row: &Tensor| row.full_like(self.front_end.silence(row));
            return Ok(Tensor::f_stack(&x.unbind(0).iter().map(row).collect::<Vec<_>>(), 0)?);
        }
        let frames = x.size()[1];
        let samples = vec![0.; self.front_end.samples(frames as usize)];
        let silent = self.front_end.compute(samples, frames as usize);
        let missing = frames - silent.size()[0];
        let silent = match missing {
            ..1 => silent,
            _ => {
                let last = silent.narrow(0, silent.size()[0] - 1, 1);
                Tensor::f_cat(&[&silent, &last.f_expand([missing, -1], false)?], 0)?
            }
        };
        let scale = self.scale.as_ref().filter(|_| self.front_end.padding() == Padding::Masked);
        let silent = scale.map_or_else(|| silent.shallow_clone(), |scale| scale.apply(&silent));
        Ok(silent.unsqueeze(0))
    }
}

#[cfg(test)]
mod tests {
    use crosstune_core::{Modality, units::Units as _};

    use super::*;
    use crate::options::AudioOptions;

    #[test]
    fn silence_and_the_mean_stand_for_what_is_heard() {
        let options = AudioOptions { sample_rate: Some(8000), ..AudioOptions::default() };
        let settings = AudioSettings::new(options).unwrap();
        let wave: Vec<f32> = (0..4000).map(|at| (at as f32 / 3.).sin()).collect();
        let long = settings.front_end.compute(wave, 512);
        let (short, input) = (long.narrow(0, 0, 20), Input::Text(String::new()));
        let samples = [&long, &short];
        let batch = settings.batch(&samples);
        let of = |baseline| settings.baseline(&input, &samples, &batch, baseline).unwrap().x;
        let silence = settings.front_end.compute(vec![0.; 4000], 512);
        let silent = of(Baseline::Silence);
        assert!((silent.get(0) - &silence).abs().max().double_value(&[]) < 1e-5);
        // Padding is none of it.
        let behind = |x: &Tensor| x.get(1).narrow(0, 20, 10).abs().max().double_value(&[]);
        assert_eq!((behind(&silent), behind(&of(Baseline::Mean))), (0., 0.));
        let mean = short.mean_dim([0].as_slice(), false, Kind::Float);
        let far = (of(Baseline::Mean).get(1).get(3) - mean).abs().max().double_value(&[]);
        assert!(far < 1e-4, "{far}");
        let Surface::Recording { spectrogram, seconds, starts, lengths, step } =
            settings.surface(&input, &[&long], &settings.batch(&[&long])).unwrap()
        else {
            panic!("no recording")
        };
        assert_eq!((starts, lengths, step), (vec![0.], vec![long.size()[0]], 0.01));
        assert_eq!(spectrogram.width as i64, long.size()[0]);
        assert!((seconds - long.size()[0] as f64 * 0.01).abs() < 1e-9);
    }
}
