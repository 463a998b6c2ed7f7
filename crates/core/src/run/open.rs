//! Opens a run folder.

use std::path::Path;

use same_file::Handle;
use tch::Device;

use crate::error::{Error, Result};
use crate::files::is_there;
use crate::libtorch::Precision;
use crate::modality::{Modality, PREPROCESSING};
use crate::model::{LoadParts, Model};
use crate::spec::{SPEC, Spec};
use crate::weights::{Checkpoint, SharedTensors, WEIGHTS, WeightSource};

/// Opens the fine-tuned model of a run folder with its modality's settings. A run that is replaced
/// meanwhile is opened again, so that the model is one of both, and never some of each.
///
/// # Errors
/// If it is not a run folder, of another modality, if a file is missing or broken, or if the weights
/// are not exactly those of the model that the specification describes.
pub fn open<M: Modality>(folder: &Path, device: Device) -> Result<(Model, M)> {
    open_in(folder, device, Precision::F32)
}

/// The same, to compute in another precision; see [`Model::for_inference`].
///
/// # Errors
/// As [`open`], and if the device does not compute in it.
pub fn open_in<M: Modality>(
    folder: &Path,
    device: Device,
    precision: Precision,
) -> Result<(Model, M)> {
    open_beside(folder, device, precision, None)
}

/// The same of a model that is to answer beside others, and keeps only those parameters by itself that
/// `shared` does not have of them; `shared` has its own, too, afterwards. Opened one after the other,
/// tunings of one base take the memory of the base once.
///
/// # Errors
/// As [`open_in`].
pub fn open_shared<M: Modality>(
    folder: &Path,
    device: Device,
    precision: Precision,
    shared: &SharedTensors,
) -> Result<(Model, M)> {
    open_beside(folder, device, precision, Some(shared))
}

fn open_beside<M: Modality>(
    folder: &Path,
    device: Device,
    precision: Precision,
    shared: Option<&SharedTensors>,
) -> Result<(Model, M)> {
    loop {
        // Held open, so that no other folder can have its number.
        let before = Handle::from_path(folder).ok();
        let opened = open_once(folder, device, precision, shared);
        if before == Handle::from_path(folder).ok() {
            return opened;
        }
    }
}

fn open_once<M: Modality>(
    folder: &Path,
    device: Device,
    precision: Precision,
    shared: Option<&SharedTensors>,
) -> Result<(Model, M)> {
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
    // Nobody gave these settings as options here: the file is to blame.
    let of_file = |error| match error {
        Error::Setting { .. } => {
            Error::Malformed { path: folder.join(PREPROCESSING), problem: error.to_string() }
        }
        other => other,
    };
    let modality = M::open(folder).map_err(of_file)?;
    if let Some(config) = modality.embedder_config(spec.trunk.accepts()) {
        config.validate().map_err(of_file)?;
    }
    let weights = folder.join(WEIGHTS);
    if !is_there(&weights) {
        let problem =
            format!("no {WEIGHTS} in this run folder; copy the folder whole, or train again");
        return Err(Error::Path { path: folder.to_path_buf(), problem });
    }
    let checkpoint = Checkpoint::open(weights)?;
    let source = WeightSource::ours(&checkpoint);
    let from = Some((&source, LoadParts::All));
    let at = (device, precision);
    let model = Model::for_inference_beside(spec, &modality, from, at, shared)?;
    let others = checkpoint.skipped().map(|(name, _)| name);
    if let Some(name) = model.report().unused.iter().map(String::as_str).chain(others).next() {
        return Err(Error::Malformed {
            path: checkpoint.path().to_path_buf(),
            problem: format!(
                "the tensor `{name}` has no place in the model of {SPEC}; one of the two files is of \
                 another run"
            ),
        });
    }
    Ok((model, modality))
}
