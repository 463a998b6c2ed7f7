//! Targets, and how those of a batch are stacked.

use tch::Tensor;

use super::numbers;

/// What a model is to predict for a sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Target {
    /// Not known: the sample is to be predicted.
    #[default]
    Unknown,
    /// The class, an index into the data set's labels.
    Class(usize),
    /// Of each of the data set's labels, whether it applies.
    Labels(Vec<bool>),
    /// A finite number for each of the data set's values, in the unit it was given in.
    Values(Vec<f64>),
}

impl Target {
    /// The targets of a batch: classes `[B]`, i64; labels `[B, labels]`, f32, 0 or 1; values
    /// `[B, values]`, f64. An unknown one counts as class 0.
    pub fn stack<'t>(targets: impl IntoIterator<Item = &'t Self>) -> Tensor {
        let targets: Vec<&Self> = targets.into_iter().collect();
        let rows = targets.len() as i64;
        match targets.first() {
            Some(Self::Labels(labels)) => {
                let all = targets.iter().flat_map(|target| match target {
                    Self::Labels(labels) => labels.as_slice(),
                    _ => &[],
                });
                let all: Vec<f32> = all.map(|&applies| f32::from(u8::from(applies))).collect();
                Tensor::from_slice(&all).view([rows, labels.len() as i64])
            }
            Some(Self::Values(values)) => {
                let all = targets.iter().flat_map(|target| match target {
                    Self::Values(values) => values.as_slice(),
                    _ => &[],
                });
                let all: Vec<f64> = all.copied().collect();
                Tensor::from_slice(&all).view([rows, values.len() as i64])
            }
            _ => {
                let classes = targets.iter().map(|target| target.class().unwrap_or(0) as i64);
                Tensor::from_slice(&classes.collect::<Vec<_>>())
            }
        }
    }

    /// The one class, where there is one.
    pub fn class(&self) -> Option<usize> {
        match self {
            Self::Class(class) => Some(*class),
            _ => None,
        }
    }

    /// Whether it is a positive example of the class or label, or has the value, of this index.
    pub fn has(&self, label: usize) -> bool {
        match self {
            Self::Unknown => false,
            Self::Class(class) => *class == label,
            Self::Labels(labels) => labels.get(label).copied().unwrap_or(false),
            Self::Values(values) => label < values.len(),
        }
    }

    /// The strata that splits are stratified by: the class; each label that applies, or that none
    /// does; of values nothing, so that all are alike.
    pub(crate) fn strata(&self) -> Vec<usize> {
        match self {
            Self::Class(class) => vec![*class],
            Self::Labels(labels) if labels.contains(&true) => {
                (0..labels.len()).filter(|&label| labels[label]).collect()
            }
            Self::Labels(labels) => vec![labels.len()],
            Self::Values(_) | Self::Unknown => vec![0],
        }
    }

    /// As people write it: `cat`, `cat|dog`, `0.5`.
    pub fn named(&self, labels: &[String]) -> String {
        let name = |label: usize| labels.get(label).map_or("?", String::as_str);
        match self {
            Self::Unknown => "?".into(),
            Self::Class(class) => name(*class).into(),
            Self::Labels(_) => {
                let applying = (0..labels.len()).filter(|&label| self.has(label)).map(name);
                applying.collect::<Vec<_>>().join("|")
            }
            Self::Values(values) => {
                values.iter().map(|x| numbers::written(*x)).collect::<Vec<_>>().join("|")
            }
        }
    }
}
