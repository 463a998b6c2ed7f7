//! Occlusion (Zeiler and Fergus 2014, §4.2): what the score loses where a part of the input is covered.

use tch::{Device, Kind, Tensor};

use super::explanation::{Attributions, Occluder};
use super::map::map;
use super::scorer::Scorer;
use crate::error::{Error, Result};
use crate::nn::{Batch, Classifier, CutPoint};
use crate::units::Surface;

/// An input, what covers it, and what is seen of it.
#[derive(Debug)]
pub(super) struct Covered<'a> {
    pub(super) model: &'a Classifier,
    pub(super) scorer: &'a Scorer<'a>,
    /// The rows of the input, on the CPU.
    pub(super) batch: &'a Batch,
    /// The rows of what covers it.
    pub(super) cover: &'a Batch,
    pub(super) surface: &'a Surface,
    /// How many rows are computed at a time.
    pub(super) at_once: usize,
}

/// A part of a row that is covered at a time: ranges of the last two dimensions, or of the last.
struct Part {
    row: usize,
    /// Where it is not covered, 0; broadcasts to the row.
    mask: Tensor,
}

impl Covered<'_> {
    /// The score, what each part of the input adds to it, and how many parts were covered. Where windows
    /// overlap, a place has the mean of those that cover it, as in Captum.
    ///
    /// # Errors
    /// If a score is no number, or if a window is larger than the input.
    pub(super) fn measure(&self, by: Occluder) -> Result<(f64, Attributions, usize)> {
        let logits = self.logits(&Batch::shallow_clone(self.batch))?;
        let score = self.scores(&logits)?[0];
        Ok(match self.surface {
            Surface::Words { words, positions, .. } => {
                let (mut parts, mut of) = (vec![], vec![]);
                for (row, positions) in positions.iter().enumerate() {
                    for word in 0..words.len() {
                        let covers: Vec<bool> =
                            positions.iter().map(|at| *at == Some(word)).collect();
                        if covers.iter().any(|covers| *covers) {
                            parts.push(Part { row, mask: Tensor::f_from_slice(&covers)? });
                            of.push(word);
                        }
                    }
                }
                let mut sums = vec![0.; words.len()];
                for (word, without) in of.iter().zip(self.without(&logits, &parts)?) {
                    sums[*word] += score - without;
                }
                (score, Attributions::Words(sums), parts.len())
            }
            Surface::Picture(_) => {
                let size = self.batch.x.size();
                let (high, wide) = (size[size.len() - 2], size[size.len() - 1]);
                let (sum, parts) = self.windows(&logits, score, 0, [high, wide], by)?;
                (score, map(&sum, high, wide)?, parts)
            }
            Surface::Recording { lengths, starts, step, seconds, .. } => {
                let size = self.batch.x.size();
                // `[B, T, F]`, or `[B, N]`.
                let bands = if size.len() == 3 { size[2] } else { 1 };
                let columns = ((seconds / step).round() as i64).max(1);
                let sum = Tensor::zeros([bands, columns], (Kind::Double, Device::Cpu));
                let (seen, mut parts) = (sum.zeros_like(), 0);
                for (row, (&length, start)) in lengths.iter().zip(starts).enumerate() {
                    let (found, covered) =
                        self.windows(&logits, score, row, [length, bands], by)?;
                    let from = ((start / step).round() as i64).min(columns - 1);
                    let length = length.min(columns - from);
                    let found = found.view([-1, bands]).narrow(0, 0, length).transpose(0, 1);
                    let mut place = sum.narrow(1, from, length);
                    place += found;
                    let mut count = seen.narrow(1, from, length);
                    count += 1.;
                    parts += covered;
                }
                (score, drawn(&(sum / seen.clamp_min(1.)), bands, columns)?, parts)
            }
        })
    }

    /// What windows over a row add, the mean at every place of `[high, wide]`, and how many there are.
    fn windows(
        &self,
        logits: &Tensor,
        score: f64,
        row: usize,
        [high, wide]: [i64; 2],
        by: Occluder,
    ) -> Result<(Tensor, usize)> {
        let ([rows, columns], [down, right]) = match by {
            Occluder::Share(share) => {
                // Of samples or frames, one dimension alone is covered in part.
                let side = |length: i64| ((length as f64 * share).round() as i64).clamp(1, length);
                let size = [side(high), side(wide)];
                (size, size.map(|side| (side / 2).max(1)))
            }
            Occluder::Exact { size, stride } => (size, stride),
        };
        if rows < 1 || columns < 1 || down < 1 || right < 1 || rows > high || columns > wide {
            let problem = format!("{rows} × {columns}: the input has {high} × {wide}");
            return Err(Error::setting("--window", problem));
        }
        let starts = |length: i64, size: i64, step: i64| {
            // The last reaches the end, and may go beyond it.
            (0..=(length - size + step - 1) / step).map(move |at| at * step)
        };
        let mut places = vec![];
        for top in starts(high, rows, down) {
            for left in starts(wide, columns, right) {
                let size = [rows.min(high - top), columns.min(wide - left)];
                places.push([top, left, size[0], size[1]]);
            }
        }
        let shape = &self.batch.x.size()[1..];
        let parts = places.iter().map(|&[top, left, rows, columns]| {
            // The last two dimensions of a row, or its only one.
            let shape = &shape[shape.len().saturating_sub(2)..];
            let mask = Tensor::f_zeros(shape, (Kind::Bool, Device::Cpu))?;
            let mut part = mask.f_narrow(0, top, rows)?;
            if shape.len() == 2 {
                part = part.f_narrow(1, left, columns)?;
            }
            let _ = part.f_fill_(1)?;
            Ok(Part { row, mask })
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        let mut sum = Tensor::zeros([high, wide], (Kind::Double, Device::Cpu));
        let count = sum.zeros_like();
        let each = self.without(logits, &parts)?;
        for ([top, left, rows, columns], without) in places.into_iter().zip(each) {
            for (of, value) in [(&sum, score - without), (&count, 1.)] {
                let mut place = of.narrow(0, top, rows).narrow(1, left, columns);
                place += value;
            }
        }
        sum /= count.clamp_min(1.);
        Ok((sum, parts.len()))
    }

    /// The scores without each part, of rows whose logits are known.
    fn without(&self, logits: &Tensor, parts: &[Part]) -> Result<Vec<f64>> {
        let mut scores = vec![];
        for parts in parts.chunks(self.at_once.max(1)) {
            let row = |part: &Part| -> Result<Tensor> {
                let [x, cover] = [self.batch, self.cover].map(|of| of.x.get(part.row as i64));
                Ok(cover.f_where_self(&part.mask, &x)?)
            };
            let rows = parts.iter().map(row).collect::<Result<Vec<_>>>()?;
            let mask = |mask: &Tensor| {
                let rows: Vec<Tensor> =
                    parts.iter().map(|part| mask.get(part.row as i64)).collect();
                Tensor::stack(&rows, 0)
            };
            let attention_mask = self.batch.attention_mask.as_ref().map(mask);
            let covered = self.logits(&Batch { x: Tensor::f_stack(&rows, 0)?, attention_mask })?;
            let all: Vec<Tensor> = match logits.size()[0] {
                1 => vec![covered],
                // What other rows answer stays as it is.
                _ => {
                    let one = |(covered, part): (&Tensor, &Part)| {
                        let all = logits.copy();
                        all.get(part.row as i64).copy_(covered);
                        all
                    };
                    covered.unbind(0).iter().zip(parts).map(one).collect()
                }
            };
            scores.extend(self.scores(&Tensor::f_cat(&all, 0)?)?);
        }
        Ok(scores)
    }

    fn logits(&self, batch: &Batch) -> Result<Tensor> {
        let device = self.model.device();
        let rows = batch.x.size()[0];
        let part = |from: i64| {
            let narrow = |x: &Tensor| x.narrow(0, from, (self.at_once as i64).min(rows - from));
            let attention_mask = batch.attention_mask.as_ref().map(narrow);
            let batch = Batch { x: narrow(&batch.x), attention_mask }.to_device(device);
            tch::no_grad(|| self.model.forward_from(&batch, CutPoint::Inputs, false).x)
        };
        let parts: Vec<Tensor> = (0..rows).step_by(self.at_once.max(1)).map(part).collect();
        Ok(Tensor::f_cat(&parts, 0)?)
    }

    fn scores(&self, logits: &Tensor) -> Result<Vec<f64>> {
        let scores = self.scorer.score(logits).f_to_device(Device::Cpu)?;
        let scores = Vec::<f64>::try_from(scores.f_to_kind(Kind::Double)?)?;
        match scores.iter().all(|score| score.is_finite()) {
            true => Ok(scores),
            false => Err(Error::Modality {
                context: "the answer cannot be explained".into(),
                source: "the model's score of it is no finite number".into(),
            }),
        }
    }
}

/// The most columns that are drawn: samples of a waveform are not told one by one.
const COLUMNS: i64 = 512;

/// `[bands, columns]`, of many columns the means of neighbours.
fn drawn(values: &Tensor, bands: i64, columns: i64) -> Result<Attributions> {
    if columns <= COLUMNS {
        return map(values, bands, columns);
    }
    let means = values.unsqueeze(0).adaptive_avg_pool1d(COLUMNS).squeeze_dim(0);
    map(&means, bands, COLUMNS)
}
