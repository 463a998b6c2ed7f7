//! A model's parameters in one file, under our names.

use std::path::Path;

use crate::error::Result;
use crate::files::whole;
use crate::modality::Modality;
use crate::model::Model;

/// Writes all parameters to one safetensors file under our own names, as a run folder holds them:
/// of values, the head's answers are in standard deviations from their mean
/// ([`Spec::scales`](crate::spec::Spec::scales)).
///
/// # Errors
/// If the file cannot be written.
pub fn safetensors<M: Modality>(model: &Model, modality: &M, file: &Path) -> Result<()> {
    let merged = model.merged(modality)?;
    whole(file, |partial| merged.as_ref().unwrap_or(model).save(partial))
}
