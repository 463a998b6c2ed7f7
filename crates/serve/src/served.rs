//! The models that a server has, each of which may be replaced.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crosstune_core::predict::AnsweringModel;
use crosstune_core::task::ctc::Decoder;
use crosstune_core::{InputKind, Modality, Model, Result, SharedTensors, Spec, Task};
use serde_json::{Value, json};

use crate::stamp::Stamp;

/// A model by the name that requests have for it.
#[derive(Debug, Clone)]
pub struct Named {
    /// The name: a part of a path, `/v1/models/NAME`.
    pub name: String,
    /// What is opened: a run folder, or a pretrained model with a head.
    pub path: PathBuf,
}

impl Named {
    /// Whether a name can be a part of a path as it is, so that nobody has to know how to escape it.
    pub(crate) fn is_plain(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
    }
}

/// An opened model.
#[derive(Debug)]
pub struct Opened<M> {
    /// The model.
    pub model: Model,
    /// How it reads inputs.
    pub modality: M,
    /// How its texts are made of its scores.
    pub decoder: Decoder,
    /// Whether its first value is told as a probability, too.
    pub sigmoid: bool,
}

/// Opens what a [`Named`] names, which has in memory what others have not.
pub(crate) type Open<M> = dyn Fn(&Path, &SharedTensors) -> Result<Opened<M>> + Send + Sync;

/// A model as it was opened once.
#[derive(Debug)]
pub(crate) struct Version<M> {
    pub(crate) name: Arc<str>,
    pub(crate) model: AnsweringModel,
    pub(crate) modality: M,
    pub(crate) decoder: Decoder,
    pub(crate) sigmoid: bool,
    /// How often it had been opened then.
    pub(crate) number: u64,
}

impl<M: Modality> Version<M> {
    /// With `others`, it shares what else is the same.
    fn new(name: Arc<str>, opened: Opened<M>, number: u64, others: &[Served<M>]) -> Self {
        let Opened { model, mut modality, decoder, sigmoid } = opened;
        others.iter().for_each(|other| modality.share(&other.current().modality));
        Self { name, model: AnsweringModel::new(model), modality, decoder, sigmoid, number }
    }

    fn spec(&self) -> &Spec {
        self.model.spec()
    }

    /// Whether it labels every word of a text.
    pub(crate) fn takes_words(&self) -> bool {
        M::INPUTS == InputKind::Texts && self.spec().task == Task::Tagging
    }

    /// What a person is told of it.
    pub(crate) fn description(&self) -> Value {
        let spec = self.spec();
        let pairs = self.modality.takes_pairs();
        let inputs = match M::INPUTS {
            InputKind::Files => format!("{}: {}", M::SAMPLES, M::EXTENSIONS.join(", ")),
            InputKind::Texts if pairs => format!("pairs of {}", M::SAMPLES),
            InputKind::Texts if self.takes_words() => format!("{}, or lists of words", M::SAMPLES),
            InputKind::Texts => M::SAMPLES.to_string(),
        };
        json!({
            "name": *self.name,
            "modality": M::NAME,
            "task": spec.task,
            "labels": spec.labels,
            "inputs": inputs,
            "pairs": pairs,
            "extensions": M::EXTENSIONS,
            "source": spec.family,
            "version": self.number,
        })
    }
}

/// A model that may be replaced.
pub(crate) struct Served<M> {
    pub(crate) path: PathBuf,
    /// Its files, before they were first read.
    pub(crate) stamp: Stamp,
    current: RwLock<Arc<Version<M>>>,
}

impl<M: Modality> Served<M> {
    /// Opens all for the first time, one after the other: what several have in common is in memory once.
    ///
    /// # Errors
    /// Those of `open`.
    pub(crate) fn open(models: Vec<Named>, open: &Open<M>) -> Result<Vec<Self>> {
        let (shared, mut opened) = (SharedTensors::default(), vec![]);
        for Named { name, path } in models {
            let stamp = Stamp::of(&path);
            let version = Version::new(name.into(), open(&path, &shared)?, 1, &opened);
            opened.push(Self { path, stamp, current: RwLock::new(Arc::new(version)) });
        }
        Ok(opened)
    }

    /// The model that answers now.
    pub(crate) fn current(&self) -> Arc<Version<M>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens it anew, beside the one that answers meanwhile, and replaces that. Requests that were read
    /// for the old one are answered by it. What it has in common with those of `all` stays in memory once.
    ///
    /// # Errors
    /// Those of `open`: the old one goes on.
    pub(crate) fn reopen(&self, all: &[Self], open: &Open<M>) -> Result<u64> {
        let shared = SharedTensors::default();
        all.iter().try_for_each(|one| one.current().model.lend(&shared))?;
        let opened = open(&self.path, &shared)?;
        let old = self.current();
        let number = old.number + 1;
        let version = Arc::new(Version::new(old.name.clone(), opened, number, all));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = version;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_no_escapes() {
        assert!(["read", "v1.2", "7_a-b~"].iter().all(|name| Named::is_plain(name)));
        assert!(
            ["", ".", "..", "a/b", "a b", "é", "-x", "%41"].iter().all(|n| !Named::is_plain(n))
        );
    }
}
