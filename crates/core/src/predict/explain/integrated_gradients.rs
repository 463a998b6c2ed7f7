//! Integrated gradients (Sundararajan et al. 2017) along the straight path between two outputs of an
//! embedder.

use tch::{Device, Kind, Tensor};

use super::quadrature::gauss_legendre;
use super::scorer::Scorer;
use crate::error::{Error, Result};
use crate::nn::{Batch, Classifier, CutPoint};

/// The path, and the score along it.
#[derive(Debug)]
pub(super) struct Path<'a> {
    pub(super) model: &'a Classifier,
    pub(super) scorer: &'a Scorer<'a>,
    /// What the embedder makes of the baseline: `[rows, T, D]` or `[rows, C, H, W]`, f32.
    pub(super) from: Tensor,
    /// What it makes of the input.
    pub(super) to: Tensor,
    /// Of both, `[rows, …]`.
    pub(super) mask: Option<Tensor>,
    /// How many rows are computed at a time.
    pub(super) at_once: i64,
}

/// What each number of the embedder's output adds to the score.
#[derive(Debug)]
pub(super) struct Integrated {
    /// `[rows, T, D]` or `[rows, C, H, W]`, f64 on the CPU.
    pub(super) x: Tensor,
    /// The score of the input, and that of the baseline.
    pub(super) ends: [f64; 2],
    /// Points at which gradients were taken.
    pub(super) steps: usize,
    /// Whether the sum is near enough to the difference of the ends.
    pub(super) converged: bool,
}

/// A piece of the path.
struct Piece {
    from: f64,
    to: f64,
    /// The score at either end.
    ends: [f64; 2],
    x: Tensor,
    /// By how much the sum differs from the difference of the ends.
    residual: f64,
}

impl Path<'_> {
    /// The most pieces of a path.
    const PIECES: usize = 64;
    /// Scores are f32: as a share of them, less than this is rounding.
    const ROUNDING: f64 = 1e-5;

    /// Integrates. The axiom of completeness (§3, Proposition 1) holds for each piece of the path: the sum
    /// of its attributions is what the score changes by along it. So a rule of `steps` points shows how far
    /// it is off, and where; the piece that is worst is halved, until the sum of what all pieces are off by is
    /// within `tolerance`, as a share of what the whole path changes.
    ///
    /// # Errors
    /// If the score or a gradient is no number, or if there is no way back from the score to the embedder.
    pub(super) fn integrate(&self, steps: usize, tolerance: f64) -> Result<Integrated> {
        let rule = gauss_legendre(steps.max(1));
        let ends = self.scores(&[0., 1.])?;
        let [first, last] = [ends[0], ends[1]];
        let least = Self::ROUNDING * (first.abs() + last.abs());
        let bound = (tolerance * (last - first).abs()).max(least);
        let mut pieces = vec![self.piece([0., 1.], [first, last], &rule)?];
        let mut taken = rule.len();
        let off = |pieces: &[Piece]| pieces.iter().map(|piece| piece.residual).sum::<f64>().abs();
        while off(&pieces) > bound && pieces.len() < Self::PIECES {
            let worst = (0..pieces.len())
                .max_by(|&a, &b| pieces[a].residual.abs().total_cmp(&pieces[b].residual.abs()));
            let Piece { from, to, ends: [a, b], .. } = pieces.swap_remove(worst.unwrap_or(0));
            let middle = (from + to) / 2.;
            let score = self.scores(&[middle])?[0];
            pieces.push(self.piece([from, middle], [a, score], &rule)?);
            pieces.push(self.piece([middle, to], [score, b], &rule)?);
            taken += 2 * rule.len();
        }
        let converged = off(&pieces) <= bound;
        // In the path's order, so that the sum is the same whichever piece was halved first.
        pieces.sort_by(|a, b| a.from.total_cmp(&b.from));
        let all: Vec<Tensor> = pieces.into_iter().map(|piece| piece.x).collect();
        let x = Tensor::f_stack(&all, 0)?.f_sum_dim_intlist([0].as_slice(), false, Kind::Double)?;
        Ok(Integrated { x, ends: [last, first], steps: taken, converged })
    }

    fn piece(&self, [from, to]: [f64; 2], ends: [f64; 2], rule: &[(f64, f64)]) -> Result<Piece> {
        let length = to - from;
        let rule: Vec<_> =
            rule.iter().map(|(at, weight)| (from + at * length, weight * length)).collect();
        let gradient = self.gradient(&rule)?;
        let way = (&self.to - &self.from).f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
        let x = gradient * way;
        let residual = x.f_sum(Kind::Double)?.f_double_value(&[])? - (ends[1] - ends[0]);
        if !residual.is_finite() {
            return Err(no_number());
        }
        Ok(Piece { from, to, ends, x, residual })
    }

    /// The rows of some points of the path: `[points · rows, …]`.
    fn rows(&self, points: &[f64]) -> Result<Batch> {
        let count = points.len() as i64;
        let mut shape = vec![1; self.to.dim() + 1];
        shape[0] = count;
        let points: Vec<f32> = points.iter().map(|&point| point as f32).collect();
        let at =
            Tensor::f_from_slice(&points)?.f_to_device(self.to.device())?.f_view(&shape[..])?;
        // Exactly the ends at either end.
        let (to, from) = (self.to.f_unsqueeze(0)?, self.from.f_unsqueeze(0)?);
        let x: Tensor = to.f_mul(&at)?.f_add(&from.f_mul(&(1. - &at))?)?;
        let attention_mask = self.mask.as_ref().map(|mask| {
            let times: Vec<i64> =
                (0..mask.dim()).map(|dim| if dim == 0 { count } else { 1 }).collect();
            mask.repeat(&times[..])
        });
        Ok(Batch { x: x.f_flatten(0, 1)?, attention_mask })
    }

    fn logits(&self, batch: &Batch) -> Tensor {
        self.model.forward_from(batch, CutPoint::Trunk(0), false).x
    }

    /// The scores at some points.
    fn scores(&self, points: &[f64]) -> Result<Vec<f64>> {
        let mut scores = vec![];
        for points in points.chunks(self.points_at_once()) {
            let batch = self.rows(points)?;
            let all = tch::no_grad(|| self.all_logits(&batch));
            let found = self.scorer.score(&all).f_to_device(Device::Cpu)?;
            scores.extend(Vec::<f64>::try_from(found.f_to_kind(Kind::Double)?)?);
        }
        match scores.iter().all(|score| score.is_finite()) {
            true => Ok(scores),
            false => Err(no_number()),
        }
    }

    /// The logits of all rows, as many at a time as there may be.
    fn all_logits(&self, batch: &Batch) -> Tensor {
        let parts = self.parts(batch);
        Tensor::cat(&parts.iter().map(|part| self.logits(part)).collect::<Vec<_>>(), 0)
    }

    fn parts(&self, batch: &Batch) -> Vec<Batch> {
        let rows = batch.x.size()[0];
        let part = |from: i64| {
            let narrow = |x: &Tensor| x.narrow(0, from, self.at_once.min(rows - from));
            Batch { x: narrow(&batch.x), attention_mask: batch.attention_mask.as_ref().map(narrow) }
        };
        (0..rows).step_by(self.at_once.max(1) as usize).map(part).collect()
    }

    /// How many points are computed at a time.
    fn points_at_once(&self) -> usize {
        (self.at_once / self.to.size()[0].max(1)).max(1) as usize
    }

    /// The weighted sum of the score's gradients at points, `[rows, …]`, f64 on the CPU. Parameters have
    /// none afterwards, wherever this is called from.
    fn gradient(&self, rule: &[(f64, f64)]) -> Result<Tensor> {
        let mut sum = Tensor::zeros(self.to.size(), (Kind::Double, Device::Cpu));
        for rule in rule.chunks(self.points_at_once()) {
            let points: Vec<f64> = rule.iter().map(|(at, _)| *at).collect();
            let batch = self.rows(&points)?;
            let each = self.gradients(&batch)?;
            let each = each.f_to_device(Device::Cpu)?.f_unflatten(0, [rule.len() as i64, -1])?;
            for (gradient, (_, weight)) in each.f_unbind(0)?.iter().zip(rule) {
                sum += gradient.f_to_kind(Kind::Double)? * *weight;
            }
        }
        Ok(sum)
    }

    /// The gradients of the sum of scores at all rows. Where those of one point are too many for one pass,
    /// what their logits are worth is known first.
    fn gradients(&self, batch: &Batch) -> Result<Tensor> {
        if batch.x.size()[0] <= self.at_once {
            return tch::with_grad(|| {
                let leaf = leaf(batch);
                backward(&self.scorer.score(&self.logits(&leaf)).sum(Kind::Double), &leaf.x)
            });
        }
        let logits = tch::no_grad(|| self.all_logits(batch)).detach().set_requires_grad(true);
        let worth =
            tch::with_grad(|| backward(&self.scorer.score(&logits).sum(Kind::Double), &logits))?;
        let (mut from, mut all) = (0, vec![]);
        for part in self.parts(batch) {
            let rows = part.x.size()[0];
            let worth = worth.narrow(0, from, rows);
            all.push(tch::with_grad(|| {
                let leaf = leaf(&part);
                backward(&(self.logits(&leaf) * worth).sum(Kind::Double), &leaf.x)
            })?);
            from += rows;
        }
        Ok(Tensor::f_cat(&all, 0)?)
    }
}

/// The same, to take gradients with respect to.
fn leaf(batch: &Batch) -> Batch {
    let attention_mask = batch.attention_mask.as_ref().map(Tensor::shallow_clone);
    Batch { x: batch.x.detach().set_requires_grad(true), attention_mask }
}

/// The gradient of `score` with respect to `x` alone: no parameter is given any.
fn backward(score: &Tensor, x: &Tensor) -> Result<Tensor> {
    let gradients = Tensor::f_run_backward(&[score], &[x], false, false)?;
    gradients.into_iter().next().ok_or_else(no_number)
}

fn no_number() -> Error {
    Error::Modality {
        context: "the answer cannot be explained".into(),
        source: "the model's score of it, or its gradient, is no finite number".into(),
    }
}
