//! The distance between two labelled data sets (OTDD, Alvarez-Melis and Fusi 2020, *Geometric Dataset
//! Distances via Optimal Transport*): samples are carried from one to the other, where going from one
//! class to another costs the distance between the two, taken as normal distributions (§4.1).

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::Result;

/// How the distance is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Otdd {
    /// What is known of how a class spreads.
    pub covariance: Covariance,
    /// The weight of the plan's entropy, as a share of the mean cost (Cuturi 2013): the larger, the
    /// sooner it is found, and the more it mixes.
    pub entropy: f64,
    /// The most rounds of Sinkhorn's iteration.
    pub rounds: usize,
}

/// What is known of how a class spreads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// All of it: the distance is Bures'.
    Full,
    /// The variance of each feature.
    Diagonal,
}

impl Default for Otdd {
    fn default() -> Self {
        Self { covariance: Covariance::Full, entropy: 0.1, rounds: 500 }
    }
}

/// The iteration ends where the marginals are off by less than this in all.
const NEAR: f64 = 1e-7;

/// Rounds between two looks at that.
const LOOK: usize = 10;

/// The features of one class.
struct Class {
    label: i64,
    /// `[D]`.
    mean: Tensor,
    /// Centred and divided by the root of their number, `[n, D]`: the covariance is `XᵀX`.
    root: Tensor,
}

impl Otdd {
    /// The cost of carrying features `a [N, D]` to `b [M, D]`, both f64 with a label each: a scalar,
    /// through which gradients reach both. A pair costs the square of its distance plus the square of
    /// the Wasserstein distance of its classes. Covariances are divided by the number of samples.
    ///
    /// # Errors
    /// If libtorch refuses, as it does of features that are not numbers.
    pub fn distance(
        &self,
        (a, a_labels): (&Tensor, &[i64]),
        (b, b_labels): (&Tensor, &[i64]),
    ) -> Result<Tensor> {
        let (from, to) = (classes(a, a_labels)?, classes(b, b_labels)?);
        let mut rows = vec![];
        for x in &from {
            let row = to.iter().map(|y| self.between(x, y)).collect::<Result<Vec<_>>>()?;
            rows.push(Tensor::f_stack(&row, 0)?);
        }
        let classes = Tensor::f_stack(&rows, 0)?;
        let place = |of: &[Class], labels: &[i64]| {
            let at = |label| of.iter().position(|class| class.label == label).unwrap_or(0) as i64;
            Tensor::from_slice(&labels.iter().map(|&l| at(l)).collect::<Vec<_>>())
                .to_device(a.device())
        };
        let classes = classes
            .f_index_select(0, &place(&from, a_labels))?
            .f_index_select(1, &place(&to, b_labels))?;
        let cost = squares(a, b)? + classes;
        // By the envelope theorem, the plan may stand still while the cost moves.
        let plan = tch::no_grad(|| self.plan(&cost.detach()))?;
        Ok((plan * cost).sum(Kind::Double))
    }

    /// The square of the Wasserstein distance of two normal distributions. Of `Σ = XᵀX` and `YᵀY`,
    /// `tr (Σ₁^½ Σ₂ Σ₁^½)^½` is the nuclear norm of `XYᵀ`, which has a gradient where the root of a
    /// matrix of low rank has none.
    fn between(&self, x: &Class, y: &Class) -> Result<Tensor> {
        let means = (&x.mean - &y.mean).square().sum(Kind::Double);
        Ok(means
            + match self.covariance {
                Covariance::Full => {
                    let common = x.root.f_matmul(&y.root.tr())?.f_linalg_norm_ord_str(
                        "nuc",
                        None::<i64>,
                        false,
                        Kind::Double,
                    )?;
                    let own = |root: &Tensor| root.square().sum(Kind::Double);
                    (own(&x.root) + own(&y.root) - common * 2.).clamp_min(0.)
                }
                Covariance::Diagonal => (std(&x.root) - std(&y.root)).square().sum(Kind::Double),
            })
    }

    /// The plan that carries evenly weighted rows to evenly weighted columns at the least `cost`, less
    /// its entropy, by Sinkhorn's iteration on logarithms (Peyré and Cuturi 2019, §4.4).
    fn plan(&self, cost: &Tensor) -> Result<Tensor> {
        let (n, m) = (cost.size()[0] as f64, cost.size()[1] as f64);
        let weight =
            (cost.mean(Kind::Double).double_value(&[]) * self.entropy).max(f64::MIN_POSITIVE);
        let scaled = cost / -weight;
        let (mut f, mut g) = (scaled.select(1, 0).zeros_like(), scaled.select(0, 0).zeros_like());
        let plan = |f: &Tensor, g: &Tensor| {
            (&scaled + f.unsqueeze(1) + g.unsqueeze(0) - (n * m).ln()).exp()
        };
        for round in 1..=self.rounds {
            g = -(&scaled + f.unsqueeze(1) - n.ln()).f_logsumexp([0].as_slice(), false)?;
            f = -(&scaled + g.unsqueeze(0) - m.ln()).f_logsumexp([1].as_slice(), false)?;
            if round % LOOK == 0 {
                let columns = plan(&f, &g).sum_dim_intlist([0].as_slice(), false, Kind::Double);
                let off = (columns - m.recip()).abs().sum(Kind::Double).double_value(&[]);
                // Not a number is no nearer later.
                if off.is_nan() || off < NEAR {
                    break;
                }
            }
        }
        Ok(plan(&f, &g))
    }
}

/// Features by their labels.
fn classes(features: &Tensor, labels: &[i64]) -> Result<Vec<Class>> {
    let mut names = labels.to_vec();
    names.sort_unstable();
    names.dedup();
    let class = |label: i64| {
        let at: Vec<i64> =
            labels.iter().zip(0..).filter(|(l, _)| **l == label).map(|(_, at)| at).collect();
        let own =
            features.f_index_select(0, &Tensor::from_slice(&at).to_device(features.device()))?;
        let mean = own.f_mean_dim([0].as_slice(), false, Kind::Double)?;
        let root = (own - &mean) / (at.len() as f64).sqrt();
        Ok(Class { label, mean, root })
    };
    names.into_iter().map(class).collect()
}

/// The deviation of each feature, `[D]`; away from zero, where the root has no gradient.
fn std(root: &Tensor) -> Tensor {
    (root.square().sum_dim_intlist([0].as_slice(), false, Kind::Double) + 1e-12).sqrt()
}

/// The squares of the distances of all pairs, `[N, M]`.
fn squares(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let own = |x: &Tensor| x.square().sum_dim_intlist([1].as_slice(), false, Kind::Double);
    let crossed = a.f_matmul(&b.tr())?;
    Ok((own(a).unsqueeze(1) + own(b).unsqueeze(0) - crossed * 2.).clamp_min(0.))
}
