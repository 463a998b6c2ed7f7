//! A model as TorchScript.

use std::path::Path;

use tch::{CModule, Kind, Tensor};

#[cfg(unix)]
use crate::error::Error;
use crate::error::Result;
use crate::files::whole;
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::Batch;

/// Writes a TorchScript archive that `torch.jit.load` opens: from a batch as `example`, already
/// prepared as the modality does it, to logits, or to values in their own units. It takes batches
/// of any size, but of the example's length: its inputs are `x` and, where the example has a mask,
/// `mask`.
///
/// # Errors
/// If libtorch cannot trace the model or write the file.
pub fn torchscript<M: Modality>(
    model: &Model,
    modality: &M,
    example: &Batch,
    file: &Path,
) -> Result<()> {
    let _grad = tch::no_grad_guard();
    let merged = model.merged(modality)?;
    let model = merged.as_ref().unwrap_or(model);
    // What is traced becomes constants, which must not ask for gradients, in the file either.
    let trained: Vec<Tensor> =
        model.store().variables().into_values().filter(Tensor::requires_grad).collect();
    trained.iter().for_each(|tensor| drop(tensor.set_requires_grad(false)));
    let written = whole(file, |partial| save(&trace(model, example)?, partial));
    trained.iter().for_each(|tensor| drop(tensor.set_requires_grad(true)));
    written
}

fn trace(model: &Model, example: &Batch) -> Result<CModule> {
    let scales = model.spec().task_config().scales_on(model.classifier().device());
    let mut inputs = vec![example.x.shallow_clone()];
    inputs.extend(example.attention_mask.as_ref().map(Tensor::shallow_clone));
    let mut forward = |inputs: &[Tensor]| {
        let mut inputs = inputs.iter().map(Tensor::shallow_clone);
        let x = inputs.next().unwrap_or_default();
        let logits = model.classifier().forward(&Batch { x, attention_mask: inputs.next() }, false);
        vec![match &scales {
            Some(scales) => scales.undo(&logits).to_kind(Kind::Float),
            None => logits,
        }]
    };
    Ok(CModule::create_by_tracing("Classifier", "forward", &inputs, &mut forward)?)
}

/// Writes an archive by way of a pipe. libtorch takes a path, and where it cannot write to its file,
/// as on a full disk, it ends the process; a pipe takes all.
#[cfg(unix)]
fn save(module: &CModule, file: &Path) -> Result<()> {
    use std::io::{self, Write};
    use std::os::fd::AsRawFd;
    use std::{fs, thread};

    let cannot = || Error::io(file, "write");
    let mut to = fs::File::create(file).map_err(cannot())?;
    let (mut out, into) = io::pipe().map_err(cannot())?;
    let path = format!("/dev/fd/{}", into.as_raw_fd());
    let (saved, written) = thread::scope(|scope| {
        let copying = scope.spawn(move || {
            let written = io::copy(&mut out, &mut to).and_then(|_| to.flush());
            // What the file does not take is read all the same.
            if written.is_err() {
                io::copy(&mut out, &mut io::sink())?;
            }
            written
        });
        let saved = module.save(&path);
        // Else it is never read to its end.
        drop(into);
        (saved, copying.join())
    });
    saved?;
    written.unwrap_or_else(|_| Err(io::Error::other("copying failed"))).map_err(cannot())
}

#[cfg(not(unix))]
fn save(module: &CModule, file: &Path) -> Result<()> {
    Ok(module.save(file)?)
}
