//! What is kept of frozen layers' outputs while a phase lasts.

use super::mixup::Mix;
use super::options::FitOptions;
use super::record::Progress;
use crate::error::Result;
use crate::loader::{Cache, Feed, Inputs, Views};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::Cut;

/// What is kept of the outputs of frozen parts.
pub(super) struct Kept<'s> {
    pub(super) cut: Cut,
    train: Option<Cache<'s>>,
    validation: Option<Cache<'s>>,
}

impl<'s> Kept<'s> {
    /// Computes what will be needed in so many epochs.
    pub(super) fn new<M: Modality>(
        model: &Model,
        [train, validation]: &[Inputs<'s, M>; 2],
        options: &FitOptions,
        epochs: usize,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<Self> {
        let cut = model.cut();
        let mut kept = Self { cut, train: None, validation: None };
        // In one epoch, everything is computed once anyway.
        let Some(mut room) = options.room.clone().filter(|_| cut > Cut::Inputs && epochs > 1)
        else {
            return Ok(kept);
        };
        let size = options.batch_size;
        let mut cache = |inputs, views| {
            let done = &mut |samples| observe(Progress::Kept { samples });
            Cache::new(model.classifier(), inputs, cut, views, size, &mut room, done).map(Some)
        };
        let count = match train.modality.varies() {
            // Mixed inputs are not what mixed outputs are outputs of.
            _ if options.mix != Mix::default() => 0,
            true => options.views.min(epochs),
            false => 1,
        };
        if count > 0 {
            kept.train = cache(train, Views::Train { seed: options.seed, count })?;
        }
        if !validation.samples.is_empty() {
            kept.validation = cache(validation, Views::Plain)?;
        }
        Ok(kept)
    }

    /// What to train on and what to evaluate on.
    pub(super) fn feeds<'f, M: Modality>(
        &'f self,
        [train, validation]: &'f [Inputs<'s, M>; 2],
    ) -> [&'f dyn Feed; 2] {
        fn or<'f, M: Modality>(
            cache: &'f Option<Cache<'_>>,
            inputs: &'f Inputs<'_, M>,
        ) -> &'f dyn Feed {
            match cache {
                Some(cache) => cache,
                None => inputs,
            }
        }
        [or(&self.train, train), or(&self.validation, validation)]
    }
}
