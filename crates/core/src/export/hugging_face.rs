//! A tuned model as transformers would have saved it, in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::family::publish;
use crate::files::{whole, write_json};
use crate::modality::Modality;
use crate::model::Model;
use crate::spec::Spec;
use crate::weights::{CONFIG, WEIGHTS, write_tensors};

/// Writes a folder in Hugging Face layout that transformers opens with `from_pretrained`:
/// `config.json`, `model.safetensors`, and what the modality keeps beside them (a tokenizer, a
/// `preprocessor_config.json`). Adapters are merged, here and in all but
/// [`peft()`](crate::export::peft()).
///
/// # Errors
/// If no class of transformers has the model's parts, if what was trained has no place in that
/// class, or if a file cannot be written. Nothing half-written stays.
pub fn hugging_face<M: Modality>(model: &Model, modality: &M, folder: &Path) -> Result<()> {
    let merged = model.merged(modality)?;
    let model = merged.as_ref().unwrap_or(model);
    let embedder = modality.pretrained_embedder();
    let published = publish::to_hugging_face(model.spec(), embedder.as_ref())?;
    let mut ours: BTreeMap<String, Tensor> = model.store().variables().into_iter().collect();
    rescale(&mut ours, model.spec())?;
    let mut theirs = published.key_map.publish(&ours)?;
    count_batches(&mut theirs);
    whole(folder, |partial| {
        fs::create_dir_all(partial).map_err(Error::io(partial, "create"))?;
        let mut config = published.config;
        // What the model was built with wins: RoBERTa counts positions from its padding.
        for (field, value) in modality.save_pretrained(partial)? {
            config.entry(field).or_insert(value);
        }
        for (name, content) in &published.beside {
            write_json(&partial.join(name), content)?;
        }
        write_json(&partial.join(CONFIG), &Value::Object(config))?;
        write_tensors(theirs, &partial.join(WEIGHTS))
    })
}

/// Lets the head answer with values in their own units, as transformers expects it.
pub(super) fn rescale(ours: &mut BTreeMap<String, Tensor>, spec: &Spec) -> Result<()> {
    let Some(scales) = spec.task_config().scales_on(Device::Cpu) else { return Ok(()) };
    let [Some(weight), Some(bias)] = ["head.weight", "head.bias"]
        .map(|name| ours.get(name).map(|t| t.detach().to_device(Device::Cpu)))
    else {
        let problem = "its head has no bias, which values with a mean need; export as torchscript";
        return Err(Error::setting("--format hf", problem));
    };
    let bias = scales.undo(&bias);
    let weight = scales.stretch(&weight);
    ours.insert("head.weight".into(), weight.to_kind(Kind::Float));
    ours.insert("head.bias".into(), bias.to_kind(Kind::Float));
    Ok(())
}

/// PyTorch keeps a count of batches beside the statistics of a batch norm. With a fixed momentum,
/// as everywhere here, nothing reads it.
fn count_batches(theirs: &mut BTreeMap<String, Tensor>) {
    let norms: Vec<_> = theirs
        .keys()
        .filter_map(|name| name.strip_suffix("running_mean"))
        .map(|norm| format!("{norm}num_batches_tracked"))
        .collect();
    theirs.extend(norms.into_iter().map(|count| (count, Tensor::from(0i64))));
}
