//! A data set with its labels and splits.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{Found, Item, Layout, Split, folder, manifest, split};
use crate::{Error, Result};

/// Items in splits, and the labels that their numbers stand for.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The folder or table it was read from.
    pub path: PathBuf,
    /// The classes that the training split has, in order (numbers by size, else alphabetical).
    pub labels: Vec<String>,
    /// What to learn from.
    pub train: Vec<Item>,
    /// What to choose by: the best epoch, the moment to stop.
    pub validation: Vec<Item>,
    /// What to report, never to choose by.
    pub test: Vec<Item>,
    /// Files that are no samples, by their ending.
    pub ignored: Vec<(String, usize)>,
}

impl Dataset {
    /// Reads one of these:
    ///
    /// - a table (CSV, TSV) with a column of inputs, one of labels, perhaps one named `split`;
    /// - a folder with `train.tsv` and perhaps `validation.tsv` and `test.tsv` (or `.csv`);
    /// - a folder per class, below `train/`, `validation/`, `test/` or at the top;
    /// - a folder of files whose names hold the label ([`Layout::label_pattern`]).
    ///
    /// # Errors
    /// If there is nothing there, a class is empty, a table names files that are not there, a
    /// label occurs only outside of the training split, or there are fewer than two classes.
    pub fn open(path: impl AsRef<Path>, layout: &Layout) -> Result<Self> {
        let path = path.as_ref();
        let (mut train, mut validation, mut test) = (vec![], vec![], vec![]);
        for found in gather(path, layout, "--data")? {
            match found.split {
                None | Some(Split::Train) => train.push(found),
                Some(Split::Validation) => validation.push(found),
                Some(Split::Test) => test.push(found),
            }
        }
        let names: BTreeSet<&str> = train.iter().map(|f| f.label.as_str()).collect();
        let mut labels: Vec<String> = names.into_iter().map(str::to_string).collect();
        if labels.iter().all(|l| l.parse::<i64>().is_ok()) {
            labels.sort_by_key(|l| l.parse::<i64>().ok());
        }
        if labels.len() < 2 {
            return Err(Error::Data {
                path: path.to_path_buf(),
                problem: match labels.first() {
                    None => "the training split is empty".into(),
                    Some(one) => {
                        format!("all samples have the label {one:?}; two classes are the least")
                    }
                },
            });
        }
        let ignored =
            if path.is_dir() { folder::ignored(path, layout) } else { Default::default() };
        Ok(Self {
            path: path.to_path_buf(),
            train: number(train, &labels)?,
            validation: number(validation, &labels)?,
            test: number(test, &labels)?,
            labels,
            ignored: ignored.into_iter().collect(),
        })
    }

    /// Takes the test split from elsewhere, as [`evaluation`] reads it.
    pub fn with_test(mut self, path: impl AsRef<Path>, layout: &Layout) -> Result<Self> {
        self.test = evaluation(path, layout, &self.labels, "--eval-data")?;
        Ok(self)
    }

    /// Keeps at most `limit` training items of every class, chosen by the seed.
    pub fn limit_per_class(&mut self, limit: usize, seed: u64) {
        split::limit_per_class(&mut self.train, limit, seed);
    }

    /// Moves a share of every class from training to validation, chosen by the seed. A data set
    /// that has a validation split of its own keeps it.
    pub fn hold_out(&mut self, share: f64, seed: u64) {
        if self.validation.is_empty() && share > 0. {
            self.validation = split::hold_out(&mut self.train, share, seed);
        }
    }
}

/// Reads items to evaluate a model with these labels on: the test split of a data set that has
/// one, else all of it. `option` is what a person calls the path.
///
/// # Errors
/// As [`Dataset::open`], and if a label is not among `labels`.
pub fn evaluation(
    path: impl AsRef<Path>,
    layout: &Layout,
    labels: &[String],
    option: &'static str,
) -> Result<Vec<Item>> {
    let mut found = gather(path.as_ref(), layout, option)?;
    if found.iter().any(|f| f.split == Some(Split::Test)) {
        found.retain(|f| f.split == Some(Split::Test));
    }
    number(found, labels)
}

fn gather(path: &Path, layout: &Layout, option: &'static str) -> Result<Vec<Found>> {
    if !path.exists() {
        return Err(Error::Setting {
            setting: option,
            problem: format!("{}: no such file or folder", path.display()),
        });
    }
    if path.is_dir() { folder::gather(path, layout) } else { manifest::gather(path, layout) }
}

/// Turns labels into numbers.
fn number(found: Vec<Found>, labels: &[String]) -> Result<Vec<Item>> {
    found
        .into_iter()
        .map(|f| {
            let label = labels.iter().position(|l| *l == f.label).ok_or_else(|| Error::Data {
                path: f.place.to_string().into(),
                problem: format!(
                    "the label {:?} is not among those of the training split ({}); give it \
                     training samples or leave it out",
                    f.label,
                    labels.join(", ")
                ),
            })?;
            Ok(Item { input: f.input, place: f.place, label })
        })
        .collect()
}
