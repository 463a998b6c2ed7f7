//! A whole model to evaluate or to predict with: tuned, or as published.

use anyhow::Result;
use crosstune_core::{Device, Error, Modality, Model, Precision, SharedTensors, Spec, Task, run};

use super::weights;
use crate::args::{ComputeArgs, SourceArgs, setting};

/// Opens a run folder or else pretrained weights with a head for inputs of this modality. `labels`
/// gives the names of their classes, whose number it is told, if those are not published.
pub(crate) fn open<M: Modality>(
    source: &SourceArgs,
    labels: impl FnOnce(Task, usize) -> crosstune_core::Result<Vec<String>>,
    compute: &ComputeArgs,
) -> Result<(Model, M)> {
    open_at(source, labels, compute.place()?, None)
}

/// The same on a device that was chosen, to compute in a precision that it has. A run keeps only those
/// parameters by itself that `shared` does not have.
pub(crate) fn open_at<M: Modality>(
    source: &SourceArgs,
    labels: impl FnOnce(Task, usize) -> crosstune_core::Result<Vec<String>>,
    (device, precision): (Device, Precision),
    shared: Option<&SharedTensors>,
) -> Result<(Model, M)> {
    let SourceArgs { path, read } = source;
    if Spec::is_at(path) {
        let given =
            [("--weights-key", read.weights_key.is_some()), ("--base", read.base.is_some())];
        if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(setting(
                option,
                "a run folder has one model, and needs no base; leave it out",
            ));
        }
        return Ok(match shared {
            Some(shared) => run::open_shared(path, device, precision, shared)?,
            None => run::open_in(path, device, precision)?,
        });
    }
    let local = weights::local(path)?;
    if !local.exists() {
        let problem = "no such run folder or weights; name the --out of a training, or pretrained \
                       weights with a head for such inputs";
        return Err(Error::Path { path: local, problem: problem.into() }.into());
    }
    let source = weights::open(&local, read)?;
    let mut modality = M::default();
    let model = Model::pretrained_in(&source, &mut modality, labels, device, precision)?;
    Ok((model, modality))
}
