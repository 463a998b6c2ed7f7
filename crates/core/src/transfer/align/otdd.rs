//! The distance between two labelled data sets (OTDD, Alvarez-Melis and Fusi 2020, *Geometric
//! Dataset Distances via Optimal Transport*): the cost of transporting the samples of one to the
//! other, where the cost between two classes is the distance of the two as normal distributions
//! (§4.1).

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::Result;

/// How the distance is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Otdd {
    /// The covariance of each class.
    pub covariance: Covariance,
    /// The weight of the plan's entropy, as a fraction of the mean cost (Cuturi 2013): the larger
    /// it is, the sooner the plan converges, and the more it blurs.
    pub entropy: f64,
    /// The most Sinkhorn iterations.
    pub rounds: usize,
}

/// The covariance matrix that is estimated for each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// The full matrix: the distance is Bures'.
    Full,
    /// The diagonal: the variance of each feature.
    Diagonal,
}

impl Default for Otdd {
    fn default() -> Self {
        Self { covariance: Covariance::Full, entropy: 0.1, rounds: 500 }
    }
}

/// The iteration ends where the marginals are off by less than this in total.
const NEAR: f64 = 1e-7;

/// Iterations between two checks of that.
const LOOK: usize = 10;

/// The features of one class.
struct Class {
    label: i64,
    /// `[D]`.
    mean: Tensor,
    /// Centred and divided by the root of the number of samples, `[n, D]`: the covariance is `XᵀX`.
    root: Tensor,
}

impl Otdd {
    /// The cost of transporting features `a [N, D]` to `b [M, D]`, both f64 with a label each: a
    /// scalar, differentiable in both. The cost of a pair is its squared distance plus the squared
    /// Wasserstein distance of its classes. Covariances are divided by the number of samples.
    ///
    /// # Errors
    /// If libtorch refuses, as it does for features that are not finite.
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
        let index = |of: &[Class], labels: &[i64]| {
            let at = |label| of.iter().position(|class| class.label == label).unwrap_or(0) as i64;
            Tensor::from_slice(&labels.iter().map(|&l| at(l)).collect::<Vec<_>>())
                .to_device(a.device())
        };
        let classes = classes
            .f_index_select(0, &index(&from, a_labels))?
            .f_index_select(1, &index(&to, b_labels))?;
        let cost = squares(a, b)? + classes;
        // By the envelope theorem, the plan may be constant while the cost is differentiated.
        let plan = tch::no_grad(|| self.plan(&cost.detach()))?;
        Ok((plan * cost).sum(Kind::Double))
    }

    /// The squared Wasserstein distance of two normal distributions. With `Σ₁ = XᵀX` and
    /// `Σ₂ = YᵀY`, `tr (Σ₁^½ Σ₂ Σ₁^½)^½` is the nuclear norm of `XYᵀ`, which is differentiable
    /// where the root of a matrix of low rank is not.
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

    /// The plan between uniformly weighted rows and columns that minimises `cost` less its entropy,
    /// by Sinkhorn's iteration on logarithms (Peyré and Cuturi 2019, §4.4).
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
                // NaN does not converge.
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

/// The standard deviation of each feature, `[D]`; bounded away from zero, where the root has no
/// gradient.
fn std(root: &Tensor) -> Tensor {
    (root.square().sum_dim_intlist([0].as_slice(), false, Kind::Double) + 1e-12).sqrt()
}

/// The squared distances of all pairs, `[N, M]`.
fn squares(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let own = |x: &Tensor| x.square().sum_dim_intlist([1].as_slice(), false, Kind::Double);
    let crossed = a.f_matmul(&b.tr())?;
    Ok((own(a).unsqueeze(1) + own(b).unsqueeze(0) - crossed * 2.).clamp_min(0.))
}
