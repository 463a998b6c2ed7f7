//! What the models that answer now have in common.

use std::ptr;
use std::sync::Arc;

use crosstune_core::predict::{AnsweringTunings, Asked, Question, Said};
use crosstune_core::{Modality, Result};

use crate::event::Event;
use crate::served::{Served, Version};

/// The models that answer now. Those that are tunings of one base share batches.
#[derive(Debug)]
pub(crate) struct Together<M> {
    versions: Vec<Arc<Version<M>>>,
    tunings: AnsweringTunings,
}

impl<M: Modality> Together<M> {
    /// Finds out what models have in common.
    ///
    /// # Errors
    /// If what they pass together cannot be built.
    pub(crate) fn of(models: &[Served<M>]) -> Result<Self> {
        let versions: Vec<_> = models.iter().map(Served::current).collect();
        let each: Vec<_> = versions.iter().map(|one| (&one.model, &one.modality)).collect();
        Ok(Self { tunings: AnsweringTunings::new(&each)?, versions })
    }

    /// Which of the models a version is. `None`: it was replaced.
    fn place(&self, version: &Version<M>) -> Option<usize> {
        self.versions.iter().position(|one| ptr::eq(&**one, version))
    }

    /// Whether two models have something in common that inputs of both can pass together.
    pub(crate) fn joins(&self, a: &Version<M>, b: &Version<M>) -> bool {
        let places = self.place(a).zip(self.place(b));
        places.is_some_and(|(a, b)| self.tunings.go_together(a, b))
    }

    /// An input for one of the models. `None`: it was replaced.
    pub(crate) fn question<'a>(
        &self,
        version: &'a Version<M>,
        asked: &'a Asked,
    ) -> Option<Question<'a, M>> {
        let (modality, decoder) = (&version.modality, &version.decoder);
        Some(Question { model: self.place(version)?, modality, decoder, asked })
    }

    /// The answers to inputs for models that are [joined](Self::joins).
    ///
    /// # Errors
    /// If there is none to one of them.
    pub(crate) fn answer(&self, questions: &[Question<'_, M>]) -> Result<Vec<Said>> {
        self.tunings.answer(questions, questions.len())
    }

    /// Tells which models share what.
    pub(crate) fn tell(&self, tell: &dyn Fn(&Event<'_>)) {
        let tunings = self.tunings.tunings();
        for (models, parts) in tunings.shared() {
            let name = |&model: &usize| &*self.versions[model].name;
            let (bytes, alone) = tunings.bytes(models);
            let models: Vec<&str> = models.iter().map(name).collect();
            tell(&Event::Sharing { models: &models, parts, bytes, alone });
        }
    }
}
