//! Which classes were predicted for which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The number of samples of each true and predicted class. Only numbers above 0 are kept, so that
/// its size grows with the samples, and not with the square of the classes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Confusion {
    classes: usize,
    /// By true and predicted class.
    cells: BTreeMap<(usize, usize), u32>,
}

/// As a file holds it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    /// `[true][predicted]`, of few classes.
    Rows(Vec<Vec<u32>>),
    /// The numbers above 0, `[true, predicted, samples]` each.
    Cells { classes: usize, cells: Vec<(usize, usize, u32)> },
}

impl Confusion {
    /// The most classes that a file has all rows of.
    pub const MOST_ROWS: usize = 100;

    /// Of so many classes, without samples yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, cells: BTreeMap::new() }
    }

    /// Counts a sample.
    pub(crate) fn add(&mut self, truth: usize, predicted: usize) {
        *self.cells.entry((truth, predicted)).or_default() += 1;
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of samples of the class `truth` that `predicted` was predicted for.
    pub fn get(&self, truth: usize, predicted: usize) -> u32 {
        self.cells.get(&(truth, predicted)).copied().unwrap_or(0)
    }

    /// The numbers above 0, each with its true and predicted class, in their order.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize, u32)> {
        self.cells.iter().map(|(&(truth, predicted), &samples)| (truth, predicted, samples))
    }

    /// Those of one true class, each with its predicted class.
    pub fn row(&self, truth: usize) -> impl Iterator<Item = (usize, u32)> {
        let row = self.cells.range((truth, 0)..=(truth, usize::MAX));
        row.map(|(&(_, predicted), &samples)| (predicted, samples))
    }
}

/// From all rows, `[true][predicted]`.
impl From<Vec<Vec<u32>>> for Confusion {
    fn from(rows: Vec<Vec<u32>>) -> Self {
        let mut confusion = Self::new(rows.len());
        for (truth, row) in rows.into_iter().enumerate() {
            let cells = row.into_iter().enumerate().filter(|(_, samples)| *samples > 0);
            confusion.cells.extend(cells.map(|(at, samples)| ((truth, at), samples)));
        }
        confusion
    }
}

impl From<Confusion> for Stored {
    fn from(confusion: Confusion) -> Self {
        let classes = confusion.classes;
        if classes > Confusion::MOST_ROWS {
            return Self::Cells { classes, cells: confusion.cells().collect() };
        }
        let row = |truth| (0..classes).map(|at| confusion.get(truth, at)).collect();
        Self::Rows((0..classes).map(row).collect())
    }
}

impl TryFrom<Stored> for Confusion {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        match stored {
            Stored::Rows(rows) if rows.iter().all(|row| row.len() == rows.len()) => Ok(rows.into()),
            Stored::Rows(rows) => Err(format!("a confusion of {} rows is not square", rows.len())),
            Stored::Cells { classes, cells } => {
                let mut confusion = Self::new(classes);
                for (truth, at, samples) in cells {
                    if truth >= classes || at >= classes {
                        return Err(format!("[{truth}, {at}] in a confusion of {classes} classes"));
                    }
                    confusion.cells.insert((truth, at), samples);
                }
                Ok(confusion)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_classes_are_written_as_rows_and_many_as_cells() {
        let mut few = Confusion::new(2);
        [(0, 0), (0, 1), (1, 1), (1, 1)].iter().for_each(|&(t, p)| few.add(t, p));
        assert_eq!(serde_json::to_string(&few).unwrap(), "[[1,1],[0,2]]");
        let mut many = Confusion::new(20_000);
        many.add(19_999, 3);
        many.add(19_999, 3);
        let written = serde_json::to_string(&many).unwrap();
        assert_eq!(written, r#"{"classes":20000,"cells":[[19999,3,2]]}"#);
        assert_eq!(many.row(19_999).collect::<Vec<_>>(), [(3, 2)]);
        for one in [few, many, Confusion::default()] {
            let written = serde_json::to_string(&one).unwrap();
            assert_eq!(serde_json::from_str::<Confusion>(&written).unwrap(), one);
        }
        for wrong in ["[[1,2]]", r#"{"classes":1,"cells":[[0,1,2]]}"#] {
            assert!(serde_json::from_str::<Confusion>(wrong).is_err(), "{wrong}");
        }
    }
}
