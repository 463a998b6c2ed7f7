//! Which tensors were loaded, which parameters are new, and which tensors are unused.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::memory::Room;
use super::naming::Naming;
use super::source::{Reshaped, WeightSource};

/// The origin of a part's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Loaded from a checkpoint.
    Pretrained,
    /// Newly initialised.
    Fresh,
}

/// Which of a checkpoint's tensors were loaded, and which of a model's parameters are new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The publisher's names of the loaded tensors.
    pub loaded: Vec<String>,
    /// Our names of the new parameters.
    pub fresh: Vec<String>,
    /// The publisher's names of the unused tensors.
    pub unused: Vec<String>,
    /// What else the checkpoint holds (the state of an optimizer, averaged weights), with the kinds
    /// of these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<String, String>,
    /// The loaded tensors that were resized.
    pub reshaped: Vec<Reshaped>,
    /// How the checkpoint's names differ from its family's.
    #[serde(default, skip_serializing_if = "Naming::is_plain")]
    pub naming: Naming,
}

impl LoadReport {
    /// The report for a store whose parameters were loaded from `source` or newly initialised.
    pub fn new(source: Option<&WeightSource<'_>>, fresh: &Fresh) -> Self {
        let owned = |(name, what): (&str, &str)| (name.to_string(), what.to_string());
        let loaded = source.map(|s| s.loaded.borrow().clone()).unwrap_or_default();
        let adapter = source.and_then(|s| s.adapter).map(|adapter| adapter.checkpoint().entries());
        let unused = source
            .iter()
            .flat_map(|s| s.checkpoint.entries())
            .chain(adapter.into_iter().flatten())
            .map(|(name, _)| name.to_string())
            .filter(|name| !loaded.contains(name))
            .collect();
        Self {
            loaded: loaded.into_iter().collect(),
            fresh: fresh.names.borrow().iter().cloned().collect(),
            unused,
            skipped: source.iter().flat_map(|s| s.checkpoint.skipped()).map(owned).collect(),
            reshaped: source.map(|s| s.reshaped.borrow().clone()).unwrap_or_default(),
            naming: source.map(WeightSource::naming).unwrap_or_default(),
        }
    }

    /// Whether a parameter of ours is new.
    pub fn is_fresh(&self, name: &str) -> bool {
        self.fresh.binary_search_by(|fresh| fresh.as_str().cmp(name)).is_ok()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loaded, fresh, unused, reshaped, .. } = self;
        write!(f, "{} tensors loaded", loaded.len())?;
        if !reshaped.is_empty() {
            write!(f, " ({} resized)", reshaped.len())?;
        }
        write!(f, ", {} new, {} unused", fresh.len(), unused.len())
    }
}

/// The names of the newly initialised parameters, and the memory for more.
#[derive(Debug, Default)]
pub struct Fresh {
    names: RefCell<BTreeSet<String>>,
    pub(super) room: Room,
}

impl Fresh {
    /// Adds a name.
    pub(super) fn add(&self, name: String) {
        self.names.borrow_mut().insert(name);
    }
}
