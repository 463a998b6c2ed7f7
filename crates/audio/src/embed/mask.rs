//! Masks over the features behind the convolutions of a waveform, in training (wav2vec 2.0, Baevski et
//! al. 2020, §4.2), drawn as transformers draws them.

use crosstune_core::Sequence;
use tch::{Device, Kind, Tensor};

/// How features are masked.
#[derive(Debug)]
pub(super) struct FeatureMask {
    /// The fewest stretches of time, and the number of stretches of channels.
    pub(super) masks: usize,
    /// What stands in place of what is masked in time, `[D]`: the vector that the model was pretrained
    /// with, or zeros.
    pub(super) vector: Tensor,
}

impl FeatureMask {
    /// Positions in a stretch of time.
    const POSITIONS: i64 = 10;
    /// The share of the positions that stretches begin at, times their length.
    const TIME: f64 = 0.05;
    /// At most so much of the time is masked, so that short recordings are not masked whole.
    const MOST: i64 = 5;
    /// A stretch of channels is this part of them: 64 of 768.
    const CHANNELS: i64 = 12;

    /// Features `[B, T, D]` with stretches of time and of channels masked, drawn by libtorch's generator,
    /// as dropout is. Each row is masked within its own length.
    pub(super) fn apply(&self, sequence: Sequence) -> Sequence {
        let Sequence { x, attention_mask } = sequence;
        let size = x.size();
        let [rows, positions, width] = size[..] else { return Sequence { x, attention_mask } };
        let lengths: Vec<i64> = match &attention_mask {
            Some(mask) => {
                let lengths = mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64);
                Vec::try_from(lengths).unwrap_or_else(|_| vec![positions; rows as usize])
            }
            None => vec![positions; rows as usize],
        };
        let hidden = |side| Tensor::zeros([rows, side], (Kind::Bool, Device::Cpu));
        let (time, channels) = (hidden(positions), hidden(width));
        for (row, &length) in (0..rows).zip(&lengths) {
            let stretch = Self::POSITIONS.min(length / Self::MOST);
            let wanted = (length as f64 * Self::TIME / Self::POSITIONS as f64) as i64;
            let most = length / Self::MOST / stretch.max(1);
            for _ in 0..wanted.max(self.masks as i64).min(most) {
                cover(&time.get(row), stretch, length);
            }
            for _ in 0..self.masks {
                cover(&channels.get(row), width / Self::CHANNELS, width);
            }
        }
        let place = |mask: Tensor| mask.to_device(x.device());
        let vector = self.vector.to_device(x.device());
        let x = x.where_self(&place(time).unsqueeze(-1).logical_not(), &vector);
        let x = x.masked_fill(&place(channels).unsqueeze(1), 0.);
        Sequence { x, attention_mask }
    }
}

/// Sets a stretch anywhere within the first `length` places.
fn cover(row: &Tensor, stretch: i64, length: i64) {
    if stretch > 0 {
        let start = Tensor::randint(length - stretch + 1, [1], (Kind::Int64, Device::Cpu));
        let _ = row.narrow(0, start.int64_value(&[0]), stretch).fill_(1.);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_masked_within_each_row_and_nothing_else_changes() {
        let float = (Kind::Float, Device::Cpu);
        let mask = FeatureMask { masks: 2, vector: Tensor::full([24], 7., float) };
        let lengths = [200, 60, 3];
        let x = Tensor::randn([3, 200, 24], float);
        let positions = Tensor::arange(200, (Kind::Int64, Device::Cpu));
        let held = positions.lt_tensor(&Tensor::from_slice(&lengths).unsqueeze(1));
        let of = |x: Tensor| Sequence { x, attention_mask: Some(held.shallow_clone()) };
        let mut seen = [false; 2];
        for _ in 0..20 {
            let masked = mask.apply(of(x.copy())).x;
            let changed = masked.ne_tensor(&x);
            let time = masked.eq(7.).any_dim(2, false);
            for (row, length) in (0..3).zip(lengths) {
                let hidden = time.get(row).sum(Kind::Int64).int64_value(&[]);
                assert!(hidden <= length / 5, "{hidden} of {length}");
                seen[0] |= hidden >= 20;
                let behind = time.get(row).narrow(0, length, 200 - length);
                assert_eq!(behind.any().int64_value(&[]), 0);
            }
            let channels = changed.logical_and(&time.unsqueeze(-1).logical_not());
            assert!(masked.masked_select(&channels).eq(0.).all().int64_value(&[]) == 1);
            // Two stretches of two of 24.
            let hidden = channels.any_dim(1, false).sum(Kind::Int64).int64_value(&[]);
            assert!((2..=12).contains(&hidden), "{hidden}");
            seen[1] |= hidden > 6;
        }
        assert_eq!(seen, [true; 2]);
    }
}
