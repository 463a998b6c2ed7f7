//! From the positions of a model to the parts of an input that people see.

use tch::{Device, Kind, Tensor};

use super::explanation::Attributions;
use crate::error::Result;
use crate::units::Surface;

/// Which share of each of `from` equal stretches, the first of which begins at `start` and each of which is
/// `step` long, lies in each of `to` stretches of the length 1, from 0 on: `[from, to]`, f64. Sums are kept
/// but for what lies outside.
fn overlap(from: i64, start: f64, step: f64, to: i64) -> Tensor {
    let on = (Kind::Double, Device::Cpu);
    let left = (Tensor::arange(from, on) * step + start).unsqueeze(1);
    let bins = Tensor::arange(to, on).unsqueeze(0);
    let end = (&left + step).minimum(&(&bins + 1.));
    (end - left.maximum(&bins)).clamp_min(0.) / step
}

/// Numbers on the grid of each row of a batch, `[B, rows, columns]` f64, in the parts of what is seen; and
/// the sum of those that are outside of it. `width` is the size of the batch's last dimension that is seen,
/// in frames, samples or tokens.
pub(super) fn to_surface(
    grid: &Tensor,
    surface: &Surface,
    width: i64,
) -> Result<(Attributions, f64)> {
    let all = grid.f_sum(Kind::Double)?.f_double_value(&[])?;
    let size = grid.size();
    let (rows, columns) = (size[1], size[2]);
    let attributions = match surface {
        Surface::Words { words, positions, .. } => {
            // Of symbols that become a picture, its rows have no meaning.
            let each = grid.sum_dim_intlist([1].as_slice(), false, Kind::Double);
            let each = match columns == width {
                true => each,
                false => each.matmul(&overlap(columns, 0., width as f64 / columns as f64, width)),
            };
            let mut sums = vec![0.; words.len()];
            for (row, of) in each.unbind(0).iter().zip(positions) {
                let values = Vec::<f64>::try_from(row)?;
                for (value, word) in values.into_iter().zip(of) {
                    if let Some(sum) = word.and_then(|word| sums.get_mut(word)) {
                        *sum += value;
                    }
                }
            }
            Attributions::Words(sums)
        }
        Surface::Picture(_) => {
            let sum = grid.sum_dim_intlist([0].as_slice(), false, Kind::Double);
            map(&sum, rows, columns)?
        }
        Surface::Recording { seconds, starts, lengths, step, .. } => {
            // A column of the model's, in seconds: as many as it has are those of the drawing.
            let span = width as f64 * step / columns as f64;
            let bins = ((seconds / span).ceil() as i64).max(1);
            let mut sum = Tensor::zeros([rows, bins], (Kind::Double, Device::Cpu));
            for ((row, start), length) in grid.unbind(0).iter().zip(starts).zip(lengths) {
                let [from, to] = [*start, start + *length as f64 * step].map(|at| at / span);
                let held = overlap(columns, from, 1., bins);
                // What begins behind the data is padding.
                let begin = Tensor::arange(columns, (Kind::Double, Device::Cpu)) + from;
                let inside = begin.lt(to - 1e-9).to_kind(Kind::Double).unsqueeze(1);
                sum += row.to_kind(Kind::Double).matmul(&(held * inside));
            }
            map(&sum, rows, bins)?
        }
    };
    let shown: f64 = attributions.values().iter().sum();
    Ok((attributions, all - shown))
}

/// `[rows, columns]` as numbers.
pub(super) fn map(values: &Tensor, rows: i64, columns: i64) -> Result<Attributions> {
    let values = Vec::<f64>::try_from(values.to_kind(Kind::Double).contiguous().view(-1))?;
    Ok(Attributions::Map { rows: rows as usize, columns: columns as usize, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Pixels;

    fn numbers(values: &[f64], shape: [i64; 3]) -> Tensor {
        Tensor::from_slice(values).view(shape)
    }

    #[test]
    fn tokens_come_to_words() {
        let surface = Surface::Words {
            text: "an owl".into(),
            words: vec![0..2, 3..6],
            positions: vec![vec![None, Some(0), Some(1), Some(1), None]],
        };
        let grid = numbers(&[9., 1., 2., 3., 4.], [1, 1, 5]);
        let (words, rest) = to_surface(&grid, &surface, 5).unwrap();
        assert_eq!((words.values(), rest), (&[1., 5.][..], 13.));
        // Half as many positions: each is two tokens.
        let surface = Surface::Words {
            text: "a b".into(),
            words: vec![0..1, 2..3],
            positions: vec![vec![Some(0), Some(0), Some(0), Some(1)]],
        };
        let (words, rest) = to_surface(&numbers(&[2., 4.], [1, 1, 2]), &surface, 4).unwrap();
        assert_eq!((words.values(), rest), (&[4., 2.][..], 0.));
    }

    #[test]
    fn windows_of_a_recording_lie_where_they_begin() {
        let spectrogram = Pixels { width: 1, height: 1, rgb: vec![0; 3] };
        let surface = |seconds, starts: &[f64], lengths: &[i64]| Surface::Recording {
            spectrogram: spectrogram.clone(),
            seconds,
            starts: starts.to_vec(),
            lengths: lengths.to_vec(),
            step: 0.5,
        };
        // Eight frames of half a second are four positions; the recording ends in the third.
        let grid = numbers(&[1., 2., 4., 8., 10., 20., 40., 80.], [1, 2, 4]);
        let (sum, rest) = to_surface(&grid, &surface(2.5, &[0.], &[5]), 8).unwrap();
        let want =
            Attributions::Map { rows: 2, columns: 3, values: vec![1., 2., 4., 10., 20., 40.] };
        assert_eq!((sum, rest), (want, 88.));
        // The second of two begins in the middle of a position.
        let grid = numbers(&[1., 2., 3., 5.], [2, 1, 2]);
        let (sum, rest) = to_surface(&grid, &surface(3.5, &[0., 1.5], &[4, 4]), 4).unwrap();
        let want = Attributions::Map { rows: 1, columns: 4, values: vec![1., 3.5, 4., 2.5] };
        assert_eq!((sum, rest), (want, 0.));
    }
}
