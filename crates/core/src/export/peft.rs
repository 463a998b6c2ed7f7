//! A LoRA adapter as PEFT keeps it: what was learned, for the pretrained model as its publisher
//! has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use tch::Tensor;

use super::hugging_face::rescale;
use crate::error::{Error, Result};
use crate::family::{Pretrained, publish};
use crate::files::{whole, write_json};
use crate::modality::Modality;
use crate::model::Model;
use crate::task::Task;
use crate::weights::adapter::TOKENS;
use crate::weights::lora::{A, B, adapted, is_adapter};
use crate::weights::{CONFIG, KeyMap, Lora, TensorTransform, write_tensors};

/// What a PEFT folder holds, beside what the modality keeps.
const ADAPTER_CONFIG: &str = "adapter_config.json";

const ADAPTER: &str = "adapter_model.safetensors";

/// Names of heads that PEFT looks for by itself where sequences or tokens are classified.
const HEADS: [&str; 2] = ["classifier", "score"];

/// Writes a folder that `peft.PeftModel.from_pretrained(base_model, folder)` opens:
/// `adapter_config.json`, `adapter_model.safetensors` with the adapters and the head, a `config.json`
/// with the classes, and what the modality keeps beside a model. `base` is the model that was tuned;
/// `name` is where PEFT finds it: a folder, or `org/name`, perhaps with a revision.
///
/// # Errors
/// As [`hugging_face`](crate::export::hugging_face); if the model has no adapters, was not tuned from `base`,
/// or learned more than adapters and a head; or if transformers knows the base by other names.
pub fn peft<M: Modality>(
    model: &Model,
    modality: &M,
    base: &Pretrained,
    name: (&str, Option<&str>),
    folder: &Path,
) -> Result<()> {
    let spec = model.spec();
    let Some(lora) = &spec.lora else {
        return Err(refused("this model has no adapters: it was not trained with LoRA"));
    };
    let published = publish::to_hugging_face(spec, modality.pretrained_embedder().as_ref())
        .map_err(|error| refused(&error.to_string()))?;
    let key_map = published.key_map;
    if key_map.name != spec.family {
        return Err(refused(&format!(
            "the pretrained model has the names of {}, under which no class of transformers opens it",
            spec.family
        )));
    }
    let mut ours: BTreeMap<String, Tensor> = model.store().variables().into_iter().collect();
    check_base(&ours, &spec.family, base)?;
    rescale(&mut ours, spec).map_err(|error| refused(&error.to_string()))?;

    let mut layers = Layers::of(&ours, lora, &[published.in_memory, key_map])?;
    let head: BTreeMap<_, _> = ours
        .iter()
        .filter(|(name, _)| name.starts_with("head."))
        .map(|(name, value)| (name.clone(), value.shallow_clone()))
        .collect();
    let head = key_map.publish(&head)?;
    let modules: BTreeSet<&str> = head.keys().filter_map(|name| module(name)).collect();
    layers.tensors.extend(head.iter().map(|(name, value)| (name.clone(), value.shallow_clone())));

    let prefixed = |(name, value)| (format!("base_model.model.{name}"), value);
    let config = json!({
        "peft_type": "LORA",
        "task_type": M::PEFT_TASK.map(|usual| match spec.task {
            Task::Tagging => TOKENS,
            _ => usual,
        }),
        "base_model_name_or_path": name.0,
        "revision": name.1,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": layers.names,
        "rank_pattern": layers.ranks,
        "alpha_pattern": layers.alphas,
        "modules_to_save": modules,
        "bias": "none",
        "fan_in_fan_out": layers.transposed,
        "inference_mode": true,
    });
    whole(folder, |partial| {
        fs::create_dir_all(partial).map_err(Error::io(partial, "create"))?;
        let mut fields = published.config;
        for (field, value) in modality.save_pretrained(partial)? {
            fields.entry(field).or_insert(value);
        }
        write_json(&partial.join(CONFIG), &Value::Object(fields))?;
        write_json(&partial.join(ADAPTER_CONFIG), &config)?;
        write_tensors(layers.tensors.into_iter().map(prefixed), &partial.join(ADAPTER))
    })
}

fn refused(why: &str) -> Error {
    // What `publish` says of itself would be said twice.
    let why = why.trim_start_matches("--format hf: ");
    let why = why.split("; export as").next().unwrap_or(why);
    let problem =
        format!("{why}; --format hf, safetensors and torchscript have the adapters merged");
    Error::setting("--format peft", problem)
}

/// Checks that all but adapters and head is as the base has it: nothing else is in an adapter.
fn check_base(ours: &BTreeMap<String, Tensor>, family: &str, base: &Pretrained) -> Result<()> {
    let other = |problem: String| Error::Family { path: base.checkpoint().path().into(), problem };
    if base.config().name != family {
        return Err(other(format!(
            "a model of the family {}, but a {family} was tuned; name that one with --base",
            base.config().name
        )));
    }
    if base.adapter().is_some() {
        return Err(refused("it was tuned from an adapter, on which PEFT puts no other"));
    }
    let source = base.source()?;
    for (name, value) in ours {
        if is_adapter(name) || name.starts_with("head.") {
            continue;
        }
        let shape = value.size();
        match source.tensor(name, &shape) {
            Ok(before) if before == value.to_device(before.device()) => {}
            Ok(_) => {
                return Err(refused(&format!(
                    "{name} is not as {} has it: it was trained, too, or --base is another model",
                    base.checkpoint().path().display()
                )));
            }
            Err(Error::Shape { got, .. }) => {
                return Err(refused(&format!(
                    "{name} was brought from {got:?} to {shape:?}, which an adapter cannot say"
                )));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The module that a tensor of a head belongs to, as PEFT saves it; `None`: it stands by itself.
fn module(name: &str) -> Option<&str> {
    let first = name.split('.').next().unwrap_or(name);
    match HEADS.contains(&first) {
        true => Some(first),
        false => name.rsplit_once('.').map(|(module, _)| module),
    }
}

/// The adapted layers by the publisher's names.
#[derive(Default)]
struct Layers {
    /// `LAYER.lora_A.weight [r, d_in]` and `LAYER.lora_B.weight [d_out, r]`.
    tensors: BTreeMap<String, Tensor>,
    /// `LAYER`, each.
    names: Vec<String>,
    /// What differs from the usual rank and α.
    ranks: Map<String, Value>,
    alphas: Map<String, Value>,
    /// Whether the publisher's weights are transposed.
    transposed: bool,
}

/// Ours among those that make up one layer of theirs: which slice of how many, `A` and `B`.
type Part<'t> = (Option<(u8, u8)>, &'t Tensor, &'t Tensor);

impl Layers {
    /// The first of the key maps that knows a layer names it.
    fn of(ours: &BTreeMap<String, Tensor>, lora: &Lora, key_maps: &[KeyMap; 2]) -> Result<Self> {
        let mut layers = Self::default();
        let mut parts = BTreeMap::<String, Vec<Part<'_>>>::new();
        for (name, a) in ours.iter().filter(|(name, _)| name.ends_with(A)) {
            let Some(layer) = adapted(name) else { continue };
            let weight = format!("{layer}.weight");
            let unmapped = || Error::Unmapped { ours: weight.clone(), key_map: key_maps[1].name };
            let source = key_maps.iter().find_map(|key_map| {
                let prefix = key_map.prefixes.first().copied().unwrap_or_default();
                key_map.sources(prefix, &weight).into_iter().next()
            });
            let source = source.ok_or_else(unmapped)?;
            let their = source.parts.first().and_then(|part| part.strip_suffix(".weight"));
            let (their, b) = their.zip(ours.get(&format!("{layer}.{}", B))).ok_or_else(unmapped)?;
            let slice = match source.transform {
                TensorTransform::Same | TensorTransform::Transposed => None,
                TensorTransform::Slice(i, of) | TensorTransform::TransposedSlice(i, of) => {
                    Some((i, of))
                }
                _ => {
                    return Err(refused(&format!(
                        "{layer} is kept in another way by its publisher"
                    )));
                }
            };
            layers.transposed |= matches!(
                source.transform,
                TensorTransform::Transposed | TensorTransform::TransposedSlice(..)
            );
            parts.entry(their.into()).or_default().push((slice, a, b));
        }
        for (their, parts) in parts {
            let (a, b) = fused(&parts)?;
            let rank = a.size()[0];
            if rank != lora.rank {
                layers.ranks.insert(their.clone(), json!(rank));
                layers.alphas.insert(their.clone(), json!(lora.scale() * rank as f64));
            }
            layers.tensors.insert(format!("{their}.lora_A.weight"), a);
            layers.tensors.insert(format!("{their}.lora_B.weight"), b);
            layers.names.push(their);
        }
        Ok(layers)
    }
}

/// One adapter for a layer of which ours are slices: each has its own rows of `A`, and so its own
/// columns of `B`, which are zero outside of its slice.
fn fused(parts: &[Part<'_>]) -> Result<(Tensor, Tensor)> {
    if let [(None, a, b)] = parts {
        return Ok((a.detach(), b.detach()));
    }
    let a: Vec<_> = parts.iter().map(|(_, a, _)| a.detach()).collect();
    let columns = parts.iter().map(|(slice, _, b)| {
        let (at, of) = slice.unwrap_or((0, 1));
        let own = |i| if i == at { b.detach() } else { b.zeros_like() };
        Ok(Tensor::f_cat(&(0..of).map(own).collect::<Vec<_>>(), 0)?)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok((Tensor::f_cat(&a, 0)?, Tensor::f_cat(&columns, 1)?))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn slices_of_a_layer_are_one_adapter() {
        tch::manual_seed(1);
        let random = |size: [i64; 2]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        let [(q_a, q_b), (v_a, v_b)] = [(); 2].map(|()| (random([2, 5]), random([4, 2])));
        let (a, b) = fused(&[(Some((2, 3)), &v_a, &v_b), (Some((0, 3)), &q_a, &q_b)]).unwrap();
        assert_eq!((a.size(), b.size()), (vec![4, 5], vec![12, 4]));
        let (q, v) = (q_b.matmul(&q_a), v_b.matmul(&v_a));
        let want = Tensor::cat(&[&q, &q.zeros_like(), &v], 0);
        assert!((b.matmul(&a) - want).abs().max().double_value(&[]) < 1e-5);
        // One alone is not as wide as all.
        let (a, b) = fused(&[(Some((1, 3)), &q_a, &q_b)]).unwrap();
        let want = Tensor::cat(&[&q.zeros_like(), &q, &q.zeros_like()], 0);
        assert!((b.matmul(&a) - want).abs().max().double_value(&[]) < 1e-5);
    }
}
