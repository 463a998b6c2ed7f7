//! Several comparisons, and their file.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    comparison::Comparison,
    error::{Error, Result},
    summary::Summary,
};

/// Comparisons that are shown together: one, or all directions between modalities. Each of them is
/// [valid](Comparison::validate).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Matrix {
    comparisons: Vec<Comparison>,
}

/// A matrix as it is stored. Only the measurements count: what follows from them is there for other
/// programs, and is made anew.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    comparisons: Vec<Comparison>,
    #[serde(default, rename = "summaries")]
    _summaries: Option<IgnoredAny>,
}

impl TryFrom<Stored> for Matrix {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        Self::new(stored.comparisons)
    }
}

impl Matrix {
    /// The comparisons, in the order given.
    ///
    /// # Errors
    /// If there is none, or one is not [valid](Comparison::validate).
    pub fn new(comparisons: Vec<Comparison>) -> Result<Self> {
        if comparisons.is_empty() {
            let (place, problem) = ("comparisons".into(), "there is none".into());
            return Err(Error::Invalid { place, problem });
        }
        comparisons.iter().try_for_each(Comparison::validate)?;
        Ok(Self { comparisons })
    }

    /// The comparisons.
    pub fn comparisons(&self) -> &[Comparison] {
        &self.comparisons
    }

    /// All comparisons of the files, in their order. A file holds one [`Comparison`], or a matrix.
    ///
    /// # Errors
    /// If a file cannot be read, holds neither, or is not valid: with the file and the place in it.
    pub fn read(files: &[impl AsRef<Path>]) -> Result<Self> {
        let mut comparisons = Vec::new();
        for file in files {
            let path = file.as_ref();
            let text = fs::read_to_string(path).map_err(Error::io(path, "read"))?;
            let found =
                parse(&text).map_err(|problem| Error::Malformed { path: path.into(), problem })?;
            comparisons.extend(found.comparisons);
        }
        Self::new(comparisons)
    }

    /// The matrix as JSON: `comparisons` holds the measurements, `summaries` what follows from each.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'a> {
            comparisons: &'a [Comparison],
            summaries: Vec<Summary>,
        }

        let summaries = self.comparisons.iter().map(Summary::of).collect();
        let whole = Whole { comparisons: &self.comparisons, summaries };
        // Numbers, text and lists alone: nothing in them that JSON lacks.
        let mut text = serde_json::to_string(&whole).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// A matrix, or the one comparison that the text is.
fn parse(text: &str) -> Result<Matrix, String> {
    /// Tells the two apart.
    #[derive(Deserialize)]
    struct Probe {
        comparisons: Option<IgnoredAny>,
    }

    let say = |error: serde_json::Error| format!("not a comparison or report: {error}");
    let probe: Probe = serde_json::from_str(text).map_err(say)?;
    if probe.comparisons.is_some() {
        return serde_json::from_str(text).map_err(say);
    }
    let comparison = serde_json::from_str(text).map_err(say)?;
    Matrix::new(vec![comparison]).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "matrix/tests.rs"]
mod tests;
