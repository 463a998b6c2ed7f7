//! How a checkpoint's names differ from a family's own, for the report of a load.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::source::{Names, WeightSource};

/// How a checkpoint's names differ from its family's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Naming {
    /// The key below which the file was read, if one was named.
    pub key: Option<String>,
    /// What stands before the names of body and head: `module.`, usually nothing.
    pub before: String,
    /// The words of wrappers that stand between the others: `_orig_mod`.
    pub between: Vec<String>,
    /// If there are several copies of the model, raw and averaged, what stands before the names of the
    /// one that was taken.
    pub taken: Option<String>,
    /// The same of the others.
    pub left: Vec<String>,
}

impl Naming {
    /// Whether the names are the family's own.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl WeightSource<'_> {
    /// How the names differ from the family's own.
    pub fn naming(&self) -> Naming {
        let prefix = match &self.names {
            Names::Theirs(_, prefix) => Some(prefix),
            Names::Same | Names::Ours { .. } => None,
        };
        let copies = prefix.and_then(|prefix| prefix.copies.as_ref());
        let copies = copies.or(self.checkpoint.copies());
        Naming {
            key: self.checkpoint.key().map(String::from),
            before: prefix.map(|prefix| prefix.wrapper.clone()).unwrap_or_default(),
            between: self.checkpoint.left_out().map(String::from).collect(),
            taken: copies.map(|copies| copies.taken.clone()),
            left: copies.map(|copies| copies.left.clone()).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &[String]| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let mut parts = vec![];
        if let Some(key) = &self.key {
            parts.push(format!("what is below `{key}` is read"));
        }
        if !self.before.is_empty() && self.taken.as_ref() != Some(&self.before) {
            parts.push(format!("the names begin with `{}`", self.before));
        }
        if !self.between.is_empty() {
            parts.push(format!("they are read without {}", quoted(&self.between)));
        }
        if let Some(taken) = &self.taken {
            let left = quoted(&self.left);
            parts.push(format!(
                "of several copies `{taken}` is taken, not {left}; --weights-key chooses"
            ));
        }
        f.write_str(&parts.join("; "))
    }
}
