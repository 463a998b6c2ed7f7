//! A tuned model as transformers' own classes know it: the class, its `config.json` and its names.

use serde_json::{Map, Value, json};

use super::family::{Built, Family, HeadKind};
use super::symbols;
use crate::error::{Error, Result};
use crate::nn::EmbedderConfig;
use crate::spec::Spec;
use crate::weights::KeyMap;

/// How transformers would have saved a model.
#[derive(Debug)]
pub struct Published {
    /// The contents of `config.json`.
    pub config: Map<String, Value>,
    /// Further files, each with its name: what the symbols of a transcriber are.
    pub beside: Vec<(&'static str, Value)>,
    /// The names of the tensors.
    pub key_map: KeyMap,
    /// The names that transformers 5 gives modules once it has loaded them, where it renames them.
    pub in_memory: KeyMap,
}

/// A tuned model, on the embedder that its trunk came with, as transformers would have saved it.
///
/// # Errors
/// If no class of transformers has these parts.
pub fn to_hugging_face(spec: &Spec, embedder: Option<&EmbedderConfig>) -> Result<Published> {
    let refused = |why: String| {
        Error::setting(
            "--format hf",
            format!("{why}; export as torchscript, which takes every model"),
        )
    };
    let family = Family::named(&spec.family).and_then(|family| family.hugging_face);
    let family = family.ok_or_else(|| {
        refused(format!("transformers has no class for the family {}", spec.family))
    })?;
    let embedder = embedder.ok_or_else(|| {
        refused(format!(
            "transformers has no class that takes {} inputs to a trunk of the family {}",
            spec.modality, spec.family
        ))
    })?;
    if spec.task.is_sequence() && family.classes.iter().all(|class| class.pool != spec.pool) {
        return Err(refused(format!(
            "transformers has no class of the family {} for {}",
            spec.family, spec.task
        )));
    }
    let pooled = family.classes.iter().find(|class| class.pool == spec.pool);
    let class = pooled.unwrap_or(&family.classes[0]);
    if spec.pool != class.pool || HeadKind::of(&spec.head) != Some(class.head) {
        return Err(refused(format!(
            "{} has another head than this model (a head over {}): train with --head pretrained",
            class.name, spec.pool
        )));
    }
    let head = class.head_names.unwrap_or(family.key_map.head);
    let key_map = KeyMap { head, ..family.key_map };
    let built = Built { trunk: &spec.trunk, embedder, pool: spec.pool, head: &spec.head };
    let fields = (family.to_config)(built).ok_or_else(|| {
        refused(format!("{} has no setting for how this model is built", class.name))
    })?;
    let Value::Object(mut config) = fields else { return Err(refused("no fields".into())) };
    let numbered = || spec.labels.iter().enumerate();
    config.insert("architectures".into(), json!([class.name]));
    config.insert("dtype".into(), json!("float32"));
    let mut beside = vec![];
    if let Some(vocabulary) = &spec.vocabulary {
        config.insert("vocab_size".into(), json!(spec.labels.len()));
        config.insert("pad_token_id".into(), json!(vocabulary.blank));
        // As the loss here.
        config.insert("ctc_loss_reduction".into(), json!("mean"));
        config.insert("ctc_zero_infinity".into(), json!(true));
        beside.extend(symbols::files(&spec.labels, vocabulary));
    } else {
        // Of sequences it tells nothing, and transformers refuses what it does not know.
        if !spec.task.is_sequence() {
            config.insert("problem_type".into(), json!(spec.task));
        }
        let names = numbered().map(|(i, label)| (i.to_string(), json!(label)));
        config.insert("id2label".into(), names.collect::<Map<_, _>>().into());
        let numbers = numbered().map(|(i, label)| (label.clone(), json!(i)));
        config.insert("label2id".into(), numbers.collect::<Map<_, _>>().into());
    }
    let in_memory = KeyMap { body: family.in_memory, head: &[], ..key_map };
    Ok(Published { config, beside, key_map, in_memory })
}
