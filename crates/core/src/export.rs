//! Export: a tuned model in the forms that other programs open.

mod peft;

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use tch::{CModule, Device, Kind, Tensor};

pub use peft::peft;

use crate::{
    Batch, Error, Modality, Model, Result, Spec,
    checkpoint::{CONFIG, WEIGHTS},
    family::publish,
    model::write_tensors,
    run::{beside, write_json},
    task::Scales,
};

/// Writes a folder in Hugging Face layout that transformers opens with `from_pretrained`:
/// `config.json`, `model.safetensors`, and what the modality keeps beside them (a tokenizer, a
/// `preprocessor_config.json`). Adapters are merged, here and in all but [`peft()`].
///
/// # Errors
/// If no class of transformers has the model's parts, if what was trained has no place in that class,
/// or if a file cannot be written. Nothing half-written stays.
pub fn hugging_face<M: Modality>(model: &Model, modality: &M, folder: &Path) -> Result<()> {
    let merged = model.merged(modality)?;
    let model = merged.as_ref().unwrap_or(model);
    let embedder = modality.pretrained_embedder();
    let published = publish::publish(model.spec(), embedder.as_ref())?;
    let mut ours: BTreeMap<String, Tensor> = model.store().variables().into_iter().collect();
    rescale(&mut ours, model.spec())?;
    let mut theirs = published.dialect.publish(&ours)?;
    count_batches(&mut theirs);
    whole(folder, |partial| {
        fs::create_dir_all(partial).map_err(Error::io(partial, "create"))?;
        let mut config = published.config;
        // What the model was built with wins: RoBERTa counts positions from its padding.
        for (field, value) in modality.publish(partial)? {
            config.entry(field).or_insert(value);
        }
        write_json(&partial.join(CONFIG), &Value::Object(config))?;
        write_tensors(theirs, &partial.join(WEIGHTS))
    })
}

/// Lets the head answer with values in their own units, as transformers expects it.
fn rescale(ours: &mut BTreeMap<String, Tensor>, spec: &Spec) -> Result<()> {
    let Some(scales) = Scales::of(spec.task_config(), Device::Cpu) else { return Ok(()) };
    let [Some(weight), Some(bias)] = ["head.weight", "head.bias"]
        .map(|name| ours.get(name).map(|t| t.detach().to_device(Device::Cpu)))
    else {
        let problem = "its head has no bias, which values with a mean need; export as torchscript";
        return Err(Error::Setting { setting: "--format hf", problem: problem.into() });
    };
    let bias = scales.undo(&bias);
    let weight = scales.stretch(&weight);
    ours.insert("head.weight".into(), weight.to_kind(Kind::Float));
    ours.insert("head.bias".into(), bias.to_kind(Kind::Float));
    Ok(())
}

/// PyTorch keeps a count of batches beside the statistics of a batch norm. With a fixed momentum, as
/// everywhere here, nothing reads it.
fn count_batches(theirs: &mut BTreeMap<String, Tensor>) {
    let norms: Vec<_> = theirs
        .keys()
        .filter_map(|name| name.strip_suffix("running_mean"))
        .map(|norm| format!("{norm}num_batches_tracked"))
        .collect();
    theirs.extend(norms.into_iter().map(|count| (count, Tensor::from(0i64))));
}

/// Writes all parameters to one safetensors file under our own names, as a run folder holds them: of
/// values, the head's answers are in deviations ([`Spec::scales`]).
///
/// # Errors
/// If the file cannot be written.
pub fn safetensors<M: Modality>(model: &Model, modality: &M, file: &Path) -> Result<()> {
    let merged = model.merged(modality)?;
    whole(file, |partial| merged.as_ref().unwrap_or(model).save(partial))
}

/// Writes a TorchScript archive that `torch.jit.load` opens: from a batch as `example`, already
/// prepared as the modality does it, to logits, or to values in their own units. It takes batches of any size, but of the example's
/// length: its inputs are `x` and, where the example has a mask, `keep`.
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
    let written = whole(file, |partial| Ok(trace(model, example)?.save(partial)?));
    trained.iter().for_each(|tensor| drop(tensor.set_requires_grad(true)));
    written
}

fn trace(model: &Model, example: &Batch) -> Result<CModule> {
    let scales = Scales::of(model.spec().task_config(), model.classifier().device());
    let mut inputs = vec![example.x.shallow_clone()];
    inputs.extend(example.keep.as_ref().map(Tensor::shallow_clone));
    let mut forward = |inputs: &[Tensor]| {
        let mut inputs = inputs.iter().map(Tensor::shallow_clone);
        let x = inputs.next().unwrap_or_default();
        let logits = model.classifier().forward(&Batch { x, keep: inputs.next() }, false);
        vec![match &scales {
            Some(scales) => scales.undo(&logits).to_kind(Kind::Float),
            None => logits,
        }]
    };
    Ok(CModule::create_by_tracing("Classifier", "forward", &inputs, &mut forward)?)
}

/// Makes something beside its place, in a folder that may be new, and moves it there once it is
/// whole.
fn whole(place: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if place.exists() {
        return Err(Error::Path {
            path: place.to_path_buf(),
            problem: "is there already; name another place, or remove it".into(),
        });
    }
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
    let partial = beside(place);
    let made = make(&partial)
        .and_then(|()| fs::rename(&partial, place).map_err(Error::io(place, "write")));
    if made.is_err() {
        remove(&partial);
    }
    made
}

/// Clears away what was begun.
fn remove(partial: &Path) {
    // It may not be there, and a failure to remove it is not what went wrong.
    let _ = fs::remove_dir_all(partial);
    let _ = fs::remove_file(partial);
}
