//! Building and loading in one pass: a parameter is either taken from a source or made fresh.

use std::{cell::RefCell, collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use tch::{
    Device, Kind, Tensor,
    nn::{self, Init},
};

use crate::{Checkpoint, Dialect, Error, Result};

/// Where a part's parameters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Taken from a checkpoint.
    Pretrained,
    /// Made at random.
    Fresh,
}

/// A checkpoint read through a dialect. It remembers what was taken.
#[derive(Debug)]
pub struct Source<'c> {
    checkpoint: &'c Checkpoint,
    /// `None`: the checkpoint uses our own names.
    dialect: Option<(Dialect, &'static str)>,
    taken: RefCell<BTreeSet<String>>,
}

impl<'c> Source<'c> {
    /// A publisher's checkpoint.
    ///
    /// # Errors
    /// If no tensor has a name of this dialect.
    pub fn new(checkpoint: &'c Checkpoint, dialect: Dialect) -> Result<Self> {
        let prefix =
            dialect.prefix(checkpoint.entries().map(|(name, _)| name)).ok_or_else(|| {
                Error::Family {
                    path: checkpoint.path().to_path_buf(),
                    problem: format!("no tensor has a name of the dialect {}", dialect.name),
                }
            })?;
        Ok(Self { checkpoint, dialect: Some((dialect, prefix)), taken: RefCell::default() })
    }

    /// A checkpoint of ours, as a run folder keeps it.
    pub fn ours(checkpoint: &'c Checkpoint) -> Self {
        Self { checkpoint, dialect: None, taken: RefCell::default() }
    }

    /// Gives parameters that were built fresh the values that the source has for them, where both
    /// have them in one shape.
    pub(crate) fn adopt(&self, store: &nn::VarStore, ours: &[&str]) {
        let mut parameters = store.variables();
        for name in ours {
            if let Some(parameter) = parameters.get_mut(*name)
                && let Ok(value) = self.fetch(name, &parameter.size())
            {
                tch::no_grad(|| parameter.copy_(&value));
            }
        }
    }

    fn fetch(&self, ours: &str, shape: &[i64]) -> Result<Tensor> {
        let (theirs, dialect) = match &self.dialect {
            None => (ours.to_string(), "crosstune"),
            Some((dialect, prefix)) => {
                let unmapped = || Error::Unmapped { ours: ours.into(), dialect: dialect.name };
                let name = dialect.translate(ours).ok_or_else(unmapped)?;
                (format!("{prefix}{name}"), dialect.name)
            }
        };
        let path = || self.checkpoint.path().to_path_buf();
        let Some(entry) = self.checkpoint.entry(&theirs) else {
            let near = nearest(&theirs, self.checkpoint.entries().map(|(n, _)| n));
            return Err(Error::Missing { ours: ours.into(), theirs, dialect, path: path(), near });
        };
        if entry.shape != shape {
            let (want, got) = (shape.to_vec(), entry.shape.clone());
            return Err(Error::Shape { ours: ours.into(), theirs, path: path(), want, got });
        }
        let value = self.checkpoint.tensor(&theirs)?;
        self.taken.borrow_mut().insert(theirs);
        Ok(value.to_kind(Kind::Float))
    }
}

/// What became of a checkpoint's tensors and of a model's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The publisher's names of the tensors that became parameters.
    pub taken: Vec<String>,
    /// Our names of the parameters that were made fresh.
    pub fresh: Vec<String>,
    /// The publisher's names of the tensors that nobody asked for.
    pub untaken: Vec<String>,
}

impl LoadReport {
    /// The account for a store whose parameters came from `source` or were made fresh.
    pub fn new(source: Option<&Source<'_>>, fresh: &Fresh) -> Self {
        let taken = source.map(|s| s.taken.borrow().clone()).unwrap_or_default();
        let untaken = source
            .iter()
            .flat_map(|s| s.checkpoint.entries())
            .map(|(name, _)| name.to_string())
            .filter(|name| !taken.contains(name))
            .collect();
        Self {
            taken: taken.into_iter().collect(),
            fresh: fresh.0.borrow().iter().cloned().collect(),
            untaken,
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, fresh, untaken } = self;
        write!(f, "{} tensors taken, {} fresh, {} unused", taken.len(), fresh.len(), untaken.len())
    }
}

/// The names of the parameters that were made at random.
#[derive(Debug, Default)]
pub struct Fresh(RefCell<BTreeSet<String>>);

/// A place in the model's tree of names, and where the values below it come from.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    path: nn::Path<'a>,
    source: Option<&'a Source<'a>>,
    fresh: &'a Fresh,
}

impl<'a> Scope<'a> {
    /// The root of a store, everything below it fresh. `fresh` keeps the account.
    pub fn root(store: &'a nn::VarStore, fresh: &'a Fresh) -> Self {
        Self { path: store.root(), source: None, fresh }
    }

    /// The same place, its values taken from a source.
    pub fn from(&self, source: Option<&'a Source<'a>>) -> Self {
        Self { source, ..self.clone() }
    }

    /// The place `name` below this one.
    pub fn sub(&self, name: impl ToString) -> Self {
        Self { path: self.path.sub(name), ..self.clone() }
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> Device {
        self.path.device()
    }

    /// The parameter `leaf` of this module, from the source or else from `init`; f32.
    ///
    /// # Errors
    /// If the name is in use, or if the source lacks the tensor or has it in another shape.
    pub fn param(&self, leaf: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        let name = self.path.components().chain([leaf]).collect::<Vec<_>>().join(".");
        // `nn::Path::add` would quietly name the second one `leaf__1`.
        if self.path.get(leaf).is_some() {
            return Err(Error::Duplicate(name));
        }
        let value = match self.source {
            Some(source) => source.fetch(&name, shape)?.to_device(self.path.device()),
            None => {
                self.fresh.0.borrow_mut().insert(name);
                nn::init(init, shape, self.path.device())
            }
        };
        Ok(self.path.add(leaf, value, true))
    }
}

/// The most similar of some names, if any is similar at all.
pub(crate) fn nearest<'n>(name: &str, others: impl Iterator<Item = &'n str>) -> Option<String> {
    others
        .map(|other| (distance(name, other), other))
        .min()
        .filter(|(d, _)| *d <= name.len() / 3)
        .map(|(_, other)| other.to_string())
}

/// Levenshtein's edit distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_used_once() {
        let (store, fresh) = (nn::VarStore::new(Device::Cpu), Fresh::default());
        let at = Scope::root(&store, &fresh).sub("head");
        assert!(at.param("weight", &[2], Init::Const(0.)).is_ok());
        let again = at.param("weight", &[2], Init::Const(0.)).unwrap_err();
        assert_eq!(again.to_string(), "the parameter `head.weight` is declared twice");
        assert_eq!(LoadReport::new(None, &fresh).fresh, ["head.weight"]);
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["encoder.layer.0.output.dense.weight", "pooler.dense.weight"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("encoder.layers.0.output.dense.weight").as_deref(), Some(names[0]));
        assert_eq!(near("h.0.ln_1.weight"), None);
    }
}
