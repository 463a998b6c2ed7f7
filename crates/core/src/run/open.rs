//! Opens a run folder.

use std::path::Path;

use same_file::Handle;
use tch::Device;

use crate::error::{Error, Result};
use crate::modality::Modality;
use crate::model::{LoadParts, Model};
use crate::spec::Spec;
use crate::weights::{Checkpoint, WeightSource};

/// Opens the fine-tuned model of a run folder with its modality's settings. A run that is replaced
/// meanwhile is opened again, so that the model is one of both, and never some of each.
///
/// # Errors
/// If it is not a run folder, of another modality, or if a file is missing or broken.
pub fn open<M: Modality>(folder: &Path, device: Device) -> Result<(Model, M)> {
    loop {
        // Held open, so that no other folder can have its number.
        let before = Handle::from_path(folder).ok();
        let opened = open_once(folder, device);
        if before == Handle::from_path(folder).ok() {
            return opened;
        }
    }
}

fn open_once<M: Modality>(folder: &Path, device: Device) -> Result<(Model, M)> {
    let spec = Spec::read(folder)?;
    if spec.modality != M::NAME {
        return Err(Error::Path {
            path: folder.to_path_buf(),
            problem: format!(
                "this model takes {} inputs; use crosstune-{}",
                spec.modality, spec.modality
            ),
        });
    }
    let modality = M::open(folder)?;
    let checkpoint = Checkpoint::open(folder)?;
    let source = WeightSource::ours(&checkpoint);
    let model = Model::new(spec, &modality, Some((&source, LoadParts::All)), device)?;
    Ok((model, modality))
}
