//! What a model is to predict for a sample.

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
    /// A text.
    Text {
        /// As it was given.
        text: String,
        /// Its symbols, indices into the data set's labels; those that it does not have are left out.
        symbols: Vec<i64>,
    },
    /// The label of each word, an index into the data set's labels.
    Tags(Vec<usize>),
}

impl Target {
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
            Self::Text { symbols, .. } => symbols.contains(&(label as i64)),
            Self::Tags(tags) => tags.contains(&label),
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
            Self::Values(_) | Self::Text { .. } | Self::Tags(_) | Self::Unknown => vec![0],
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
            Self::Text { text, .. } => text.clone(),
            Self::Tags(tags) => tags.iter().map(|&tag| name(tag)).collect::<Vec<_>>().join(" "),
        }
    }
}
