//! What is found while a data set is read: samples, what cannot be used, and what a person should
//! know of it.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::{Path, PathBuf};

use super::found::{Found, RawTarget};
use super::item::Split;
use super::labels;
use super::layout::Layout;
use super::mapping;
use super::shard_names;
use super::split;
use super::unusable::Unusable;
use crate::error::{Error, Location, Result};

/// What samples are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To learn from them, or to compare answers with their targets.
    Labelled,
    /// To ask a model about them.
    Unlabelled,
}

/// Receives samples as they are found.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    pub(super) layout: &'a Layout,
    pub(super) purpose: Purpose,
    /// The split of the part that is being read, if parts are splits.
    pub(super) part: Option<Split>,
    pub(super) found: Vec<Found>,
    pub(super) bad: Vec<Unusable>,
    /// What should be said of how it was read, a line each.
    pub(super) notes: Vec<String>,
    /// The tables that were read.
    pub(super) tables: BTreeSet<PathBuf>,
    /// The pairs of [`Layout::label_map`] that a label has met, by their places.
    mapped: BTreeSet<usize>,
    keep: Keep,
}

/// Which samples are kept.
#[derive(Debug)]
enum Keep {
    All,
    /// None: training samples are only counted, by their labels.
    Counts(BTreeMap<String, usize>),
    /// Of the training samples, those chosen.
    Chosen(BTreeMap<String, Chosen>),
}

/// The samples of one class that are kept.
#[derive(Debug)]
struct Chosen {
    /// How many have been seen.
    seen: u32,
    /// The places among them of those that are kept.
    places: BTreeSet<u32>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(layout: &'a Layout, purpose: Purpose) -> Self {
        Self {
            layout,
            purpose,
            part: None,
            found: vec![],
            bad: vec![],
            notes: vec![],
            tables: BTreeSet::new(),
            mapped: BTreeSet::new(),
            keep: Keep::All,
        }
    }

    /// Reads a data set; twice if a class is limited, so that what is not chosen takes no memory.
    pub(super) fn all(
        layout: &'a Layout,
        mut read: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<Self> {
        let mut all = Self::new(layout, Purpose::Labelled);
        let Some(limit) = layout.limit_per_class else {
            read(&mut all)?;
            return Ok(all);
        };
        all.keep = Keep::Counts(BTreeMap::new());
        read(&mut all)?;
        let Keep::Counts(sizes) = all.keep else { return Ok(all) };
        let names = labels::in_order(sizes.keys());
        let counts: Vec<_> = names.iter().map(|name| sizes[name]).collect();
        let chosen = split::chosen(&counts, limit.samples, limit.seed);
        let chosen = chosen.into_iter().map(|places| Chosen { seen: 0, places });
        let keep = Keep::Chosen(names.into_iter().zip(chosen).collect());
        let mut all = Self { keep, ..Self::new(layout, Purpose::Labelled) };
        read(&mut all)?;
        Ok(all)
    }

    /// Takes a sample.
    pub(super) fn add(&mut self, mut found: Found) {
        found.split = self.part.or(found.split);
        mapping::rename(&mut found.label, &self.layout.label_map, &mut self.mapped);
        let label = match &found.label {
            RawTarget::Labels(names) => names.first(),
            _ => None,
        };
        let label = label.filter(|_| found.is_for_training());
        let keeps = match (&mut self.keep, label) {
            (Keep::All, _) | (Keep::Chosen(_), None) => true,
            (Keep::Counts(_), None) => false,
            (Keep::Counts(sizes), Some(label)) => {
                match sizes.get_mut(label) {
                    Some(size) => *size += 1,
                    None => drop(sizes.insert(label.clone(), 1)),
                }
                false
            }
            (Keep::Chosen(of), Some(label)) => of.get_mut(label).is_some_and(|chosen| {
                chosen.seen += 1;
                chosen.places.contains(&(chosen.seen - 1))
            }),
        };
        if keeps {
            self.found.push(found);
        }
    }

    /// Notes which names of [`Layout::label_map`] no label has.
    pub(super) fn note_unmet(&mut self) {
        self.notes.extend(mapping::unmet(&self.layout.label_map, &self.mapped));
    }

    /// Takes what cannot be used.
    pub(super) fn refuse(&mut self, place: Location, problem: impl Into<String>) {
        self.bad.push(Unusable { place, problem: problem.into() });
    }

    /// Refuses the shards that the names of those that were read tell of, and that are not there.
    pub(super) fn refuse_missing_shards(&mut self) {
        for path in shard_names::missing(self.tables.iter()) {
            let place = Location { path: path.into(), line: None };
            self.refuse(
                place,
                "the shard is missing: the names of the others tell of it; fetch it",
            );
        }
    }

    /// What cannot be used, in order, if that is to be left out.
    ///
    /// # Errors
    /// If there is any and it is not, with all of it.
    pub(super) fn bad(&mut self, path: &Path) -> Result<Vec<Unusable>> {
        let mut bad = mem::take(&mut self.bad);
        bad.sort_by(|a, b| a.place.cmp(&b.place));
        match &bad[..] {
            [] => Ok(bad),
            _ if self.layout.skip_bad => Ok(bad),
            [one] => Err(Error::Data {
                path: one.place.to_string().into(),
                problem: format!("{}; --skip-bad leaves it out", one.problem),
            }),
            all => Err(Error::DataList {
                path: path.to_path_buf(),
                problem: format!(
                    "{} {} cannot be used (--skip-bad leaves them out)",
                    all.len(),
                    self.layout.samples
                ),
                items: all.iter().map(ToString::to_string).collect(),
            }),
        }
    }
}
