//! Which classes were predicted for which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The number of samples of each true and predicted class; only numbers above 0 are kept. A file
/// has all rows of few classes, `[true][predicted]`, and of many `{"classes": N, "cells": [[true,
/// predicted, samples], …]}`; both are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Confusion {
    classes: usize,
    /// By true and predicted class.
    cells: BTreeMap<(usize, usize), u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Rows(Vec<Vec<u32>>),
    Cells { classes: usize, cells: Vec<(usize, usize, u32)> },
}

/// The most classes that a file has all rows of.
const MOST_ROWS: usize = 100;

impl Confusion {
    /// From the number of samples of each true and predicted class, both below `classes`.
    ///
    /// # Errors
    /// If a class is none of them.
    pub fn new(
        classes: usize,
        cells: impl IntoIterator<Item = (usize, usize, u32)>,
    ) -> Result<Self, String> {
        let mut confusion = Self { classes, cells: BTreeMap::new() };
        for (truth, predicted, samples) in cells {
            if truth >= classes || predicted >= classes {
                return Err(format!("confusion has [{truth}, {predicted}] of {classes} classes"));
            }
            if samples > 0 {
                confusion.cells.insert((truth, predicted), samples);
            }
        }
        Ok(confusion)
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The numbers above 0, each with its true and predicted class, in their order.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize, u32)> {
        self.cells.iter().map(|(&(truth, predicted), &samples)| (truth, predicted, samples))
    }
}

impl From<Confusion> for Stored {
    fn from(confusion: Confusion) -> Self {
        let classes = confusion.classes;
        if classes > MOST_ROWS {
            return Self::Cells { classes, cells: confusion.cells().collect() };
        }
        let mut rows = vec![vec![0; classes]; classes];
        confusion.cells().for_each(|(truth, predicted, n)| rows[truth][predicted] = n);
        Self::Rows(rows)
    }
}

impl TryFrom<Stored> for Confusion {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        match stored {
            Stored::Cells { classes, cells } => Self::new(classes, cells),
            Stored::Rows(rows) => rows.try_into(),
        }
    }
}

/// From all rows, `[true][predicted]`.
impl TryFrom<Vec<Vec<u32>>> for Confusion {
    type Error = String;

    fn try_from(rows: Vec<Vec<u32>>) -> Result<Self, String> {
        let classes = rows.len();
        if rows.iter().any(|row| row.len() != classes) {
            return Err(format!("confusion is not {classes} × {classes}, as it has rows"));
        }
        let cells = rows.into_iter().enumerate().flat_map(|(truth, row)| {
            row.into_iter().enumerate().map(move |(predicted, n)| (truth, predicted, n))
        });
        Self::new(classes, cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_the_shorter_is_written() {
        let few: Confusion = vec![vec![1, 1], vec![0, 2]].try_into().unwrap();
        assert_eq!(serde_json::to_string(&few).unwrap(), "[[1,1],[0,2]]");
        let many = Confusion::new(20_000, [(7, 19_999, 2), (7, 7, 0)]).unwrap();
        let written = r#"{"classes":20000,"cells":[[7,19999,2]]}"#;
        assert_eq!(serde_json::to_string(&many).unwrap(), written);
        for one in [few, many] {
            let written = serde_json::to_string(&one).unwrap();
            assert_eq!(serde_json::from_str::<Confusion>(&written).unwrap(), one);
        }
        for wrong in ["[[1,2]]", r#"{"classes":1,"cells":[[0,1,2]]}"#] {
            assert!(serde_json::from_str::<Confusion>(wrong).is_err(), "{wrong}");
        }
    }
}
