//! The cached outputs of frozen layers while a phase lasts.

use std::path::Path;

use super::mixup::Mix;
use super::options::FitOptions;
use super::record::Progress;
use crate::distributed::several;
use crate::error::{Error, Result};
use crate::loader::{AugmentedViews, BatchSource, FeatureCache, RawInputs};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::CutPoint;

/// The cached outputs of frozen parts.
pub(super) struct CachedFeatures<'s> {
    pub(super) cut: CutPoint,
    train: Option<FeatureCache<'s>>,
    validation: Option<FeatureCache<'s>>,
}

impl<'s> CachedFeatures<'s> {
    /// Computes what will be needed in so many epochs: the outputs below a cut.
    pub(super) fn new<M: Modality>(
        model: &Model,
        cut: CutPoint,
        [train, validation]: &[RawInputs<'s, M>; 2],
        options: &FitOptions,
        epochs: usize,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut kept = Self { cut, train: None, validation: None };
        // In one epoch, everything is computed once anyway.
        let Some(mut budget) =
            options.cache_budget.clone().filter(|_| cut > CutPoint::Inputs && epochs > 1)
        else {
            return Ok(kept);
        };
        let size = options.batch_size;
        let mut cache = |inputs, views| {
            let done = &mut |samples| observe(Progress::Cached { samples });
            match FeatureCache::new(model.classifier(), inputs, cut, views, size, &mut budget, done)
            {
                // The disk that it goes to may be full. Without it a training is slower, not worse.
                Err(error) if is_of(&error, &budget.folder) && several().is_none() => {
                    observe(Progress::Uncached { error: &error })?;
                    Ok(None)
                }
                made => made.map(Some),
            }
        };
        let count = match train.modality.augments() {
            // Mixed inputs are not what mixed outputs are outputs of.
            _ if options.mix != Mix::default() => 0,
            true => options.views.min(epochs),
            false => 1,
        };
        if count > 0 {
            kept.train = cache(train, AugmentedViews::Train { seed: options.seed, count })?;
        }
        if !validation.samples.is_empty() {
            kept.validation = cache(validation, AugmentedViews::Plain)?;
        }
        Ok(kept)
    }

    /// What to train on and what to evaluate on.
    pub(super) fn feeds<'f, M: Modality>(
        &'f self,
        [train, validation]: &'f [RawInputs<'s, M>; 2],
    ) -> [&'f dyn BatchSource; 2] {
        fn or<'f, M: Modality>(
            cache: &'f Option<FeatureCache<'_>>,
            inputs: &'f RawInputs<'_, M>,
        ) -> &'f dyn BatchSource {
            match cache {
                Some(cache) => cache,
                None => inputs,
            }
        }
        [or(&self.train, train), or(&self.validation, validation)]
    }
}

/// Whether an error says that a folder could not be used.
fn is_of(error: &Error, folder: &Path) -> bool {
    matches!(error, Error::Io { path, .. } if path == folder)
}
