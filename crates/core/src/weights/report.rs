//! What became of a checkpoint's tensors and of a model's parameters.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::source::{Reshaped, Source};

/// Where a part's parameters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Taken from a checkpoint.
    Pretrained,
    /// Made at random.
    Fresh,
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
    /// Those of the taken ones that were brought to another shape.
    pub reshaped: Vec<Reshaped>,
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
            reshaped: source.map(|s| s.reshaped.borrow().clone()).unwrap_or_default(),
        }
    }

    /// Whether a parameter of ours was made fresh.
    pub fn is_fresh(&self, name: &str) -> bool {
        self.fresh.binary_search_by(|fresh| fresh.as_str().cmp(name)).is_ok()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, fresh, untaken, reshaped } = self;
        write!(f, "{} tensors taken", taken.len())?;
        if !reshaped.is_empty() {
            write!(f, " ({} reshaped)", reshaped.len())?;
        }
        write!(f, ", {} fresh, {} unused", fresh.len(), untaken.len())
    }
}

/// The names of the parameters that were made at random.
#[derive(Debug, Default)]
pub struct Fresh(RefCell<BTreeSet<String>>);

impl Fresh {
    /// Adds a name.
    pub(super) fn add(&self, name: String) {
        self.0.borrow_mut().insert(name);
    }
}
