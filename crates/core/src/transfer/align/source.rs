//! The source model's own input embeddings of its own modality: what a new embedder is aligned
//! with.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::otdd::Otdd;
use crate::error::{Error, Result};
use crate::nn::{Features, Pool};
use crate::transfer::embedding_stats::{EmbeddingStats, feature_stats};
use crate::weights::{Checkpoint, fault, write_new_tensors};

/// The source model's own input embeddings.
#[derive(Debug)]
pub enum SourceFeatures {
    /// Of labelled samples: each the mean over the positions that the embedder emits.
    Labelled {
        /// `[N, D]`, f64.
        features: Tensor,
        /// The class of each.
        targets: Vec<i64>,
    },
    /// Statistics estimated from the source's weights: over all positions, without classes.
    Gaussian {
        /// `[D]`, f64.
        mean: Tensor,
        /// `[D]`, f64.
        std: Tensor,
    },
}

impl From<&EmbeddingStats> for SourceFeatures {
    fn from(stats: &EmbeddingStats) -> Self {
        let (mean, std) = stats.trunk_input();
        let double = |x: Tensor| x.to_kind(Kind::Double);
        Self::Gaussian { mean: double(mean), std: double(std) }
    }
}

impl SourceFeatures {
    /// Features `[N, D]` with the class of each.
    pub fn labelled(features: &Tensor, targets: &[i64]) -> Self {
        Self::Labelled { features: features.to_kind(Kind::Double), targets: targets.to_vec() }
    }

    /// Reads what [`save`](Self::save) wrote: `features [N, D]` and `targets [N]` in a file of
    /// safetensors.
    ///
    /// # Errors
    /// If it cannot be read or holds something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        let refused = |problem: String| {
            let path = checkpoint.path().to_path_buf();
            Error::Malformed { path, problem }
        };
        let shape = |name: &str| checkpoint.entry(name).map(|entry| entry.shape.clone());
        match (shape("features").as_deref(), shape("targets").as_deref()) {
            (Some(&[n, width]), Some(&[targets])) if n == targets && n > 0 && width > 0 => {}
            (features, targets) => {
                return Err(refused(format!(
                    "expected the tensors features [N, D] and targets [N] that `embed` writes, \
                     found {features:?} and {targets:?}"
                )));
            }
        }
        let features = checkpoint.tensor("features")?;
        let found = match features.is_floating_point() {
            true => fault(&features)?,
            false => Some(format!("{:?}", features.kind())),
        };
        if let Some(found) = found {
            let (path, name) = (checkpoint.path().to_path_buf(), "features".into());
            let then = "make the file again with `embed`";
            return Err(Error::NotWeights { path, name, found, then });
        }
        let features = features.to_kind(Kind::Double);
        let targets = Vec::<i64>::try_from(checkpoint.tensor("targets")?.to_kind(Kind::Int64))?;
        Ok(Self::Labelled { features, targets })
    }

    /// Writes labelled features to a new file.
    ///
    /// # Errors
    /// If they have no labels, or the file is there already or cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let Self::Labelled { features, targets } = self else {
            let problem = "statistics alone are not written; they are estimated from the weights";
            return Err(Error::setting("--out", problem));
        };
        let tensors = [
            ("features".to_string(), features.shallow_clone()),
            ("targets".to_string(), Tensor::from_slice(targets)),
        ];
        write_new_tensors(tensors, path)
    }

    /// The length of a feature.
    pub fn width(&self) -> i64 {
        match self {
            Self::Labelled { features, .. } => features.size()[1],
            Self::Gaussian { mean, .. } => mean.size()[0],
        }
    }

    /// At most `limit` of the samples, those that `order` names first.
    pub(super) fn in_memory_subset(&self, order: &[usize], limit: usize) -> Self {
        match self {
            Self::Gaussian { mean, std } => {
                Self::Gaussian { mean: mean.shallow_clone(), std: std.shallow_clone() }
            }
            Self::Labelled { features, targets } => {
                let at = &order[..limit.min(order.len())];
                let index: Vec<i64> = at.iter().map(|&at| at as i64).collect();
                Self::Labelled {
                    features: features.index_select(0, &Tensor::from_slice(&index)),
                    targets: at.iter().map(|&at| targets[at]).collect(),
                }
            }
        }
    }

    /// The number of samples.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Labelled { targets, .. } => targets.len(),
            Self::Gaussian { .. } => 0,
        }
    }

    /// The distance of embedded inputs, with their classes, from these: the distance of data sets
    /// or, without classes here, the squared Wasserstein distance of two normal distributions with
    /// independent features.
    pub(super) fn distance(
        &self,
        embedded: &Features,
        targets: &[i64],
        by: &Otdd,
    ) -> Result<Tensor> {
        let double = |x: Tensor| x.to_device(Device::Cpu).to_kind(Kind::Double);
        match self {
            Self::Labelled { features, targets: own } => {
                let embedded = double(Pool::Mean.forward(embedded));
                by.distance((&embedded, targets), (features, own))
            }
            Self::Gaussian { mean, std } => {
                let (now, spread) = feature_stats(embedded);
                let off = (double(now) - mean).square() + (double(spread) - std).square();
                Ok(off.sum(Kind::Double))
            }
        }
    }
}
