//! An adapter as PEFT saves it: low-rank products for layers of a publisher's model (LoRA, Hu et al.
//! 2021), and modules that were trained in full beside them, the head above all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tch::{Kind, Tensor};

use super::checkpoint::{Checkpoint, published, quote};
use super::key_map::{KeyMap, TensorSource};
use super::transform::TensorTransform;
use crate::error::{Error, Result};
use crate::files::{is_there, read_json};

/// The file that says what an adapter is.
pub(crate) const ADAPTER_CONFIG: &str = "adapter_config.json";

/// The files that its tensors may be in: the first one wins.
pub(crate) const ADAPTERS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// PEFT's task of labels for tokens.
pub(crate) const TOKENS: &str = "TOKEN_CLS";

/// What PEFT writes before the names of the model that it adapts.
const BEFORE: &str = "base_model.model.";

/// An adapter of a model, by the names that transformers gives that model's modules.
#[derive(Debug)]
pub struct Adapter {
    checkpoint: Checkpoint,
    config: Config,
    /// The names that the modules may have: as they are in memory, and as they are saved.
    key_maps: Vec<KeyMap>,
    /// The adapted layers by their names.
    layers: BTreeSet<String>,
}

/// `LoraConfig`.
#[derive(Debug, Deserialize)]
struct Config {
    peft_type: String,
    base_model_name_or_path: Option<String>,
    revision: Option<String>,
    #[serde(default)]
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    alpha_pattern: Option<BTreeMap<String, f64>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Fields that ask for another sum than `W + s · B A`.
const OTHER_SUMS: [&str; 12] = [
    "use_dora",
    "use_qalora",
    "lora_bias",
    "megatron_config",
    "trainable_token_indices",
    "layer_replication",
    "target_parameters",
    "alora_invocation_tokens",
    "use_bdlora",
    "arrow_config",
    "monteclora_config",
    "kasa_config",
];

/// Ways to initialise an adapter that leave the base as it is.
const PLAIN_STARTS: [&str; 3] = ["gaussian", "orthogonal", "eva"];

/// The folder of an adapter, if a path is one, or the file of its tensors: one without whole weights.
pub fn adapter_folder(path: &Path) -> Option<PathBuf> {
    let file = path.file_name().and_then(|name| name.to_str());
    let folder = match file.is_some_and(|name| ADAPTERS.contains(&name)) && path.is_file() {
        true => path.parent().filter(|folder| !folder.as_os_str().is_empty()),
        false => Some(path),
    };
    let folder = folder.unwrap_or(Path::new("."));
    (is_there(&folder.join(ADAPTER_CONFIG)) && !published(folder)).then(|| folder.to_path_buf())
}

/// Where the model is that an adapter says it belongs to: a folder, as the adapter names it or beside
/// it, or a reference to a hub.
///
/// # Errors
/// If the adapter is none that can be read, or names no base.
pub fn adapter_base(folder: &Path) -> Result<PathBuf> {
    let config = Config::read(folder)?;
    let name = config.base_model_name_or_path.unwrap_or_default();
    let path = folder.join(ADAPTER_CONFIG);
    if name.is_empty() {
        let problem = format!("{} names no base model; name it", path.display());
        return Err(Error::setting("--base", problem));
    }
    let beside = folder.join(&name);
    Ok(match config.revision.filter(|revision| !revision.is_empty()) {
        _ if Path::new(&name).exists() => name.into(),
        _ if beside.exists() => beside,
        // What is no name of a repository was a folder elsewhere.
        _ if name.starts_with(['/', '.', '~']) || name.contains('\\') => {
            let path = path.display();
            let problem =
                format!("{name:?}, the base model that {path} names, is not here; name it");
            return Err(Error::setting("--base", problem));
        }
        Some(revision) => format!("hf://{name}@{}", revision.replace('/', "%2F")).into(),
        None => format!("hf://{name}").into(),
    })
}

/// Whether an adapter says that it labels tokens, and not texts.
///
/// # Errors
/// If the adapter is none that can be read.
pub(crate) fn adapter_is_for_tokens(folder: &Path) -> Result<bool> {
    let task = Config::read(folder)?.others.remove("task_type");
    Ok(task.is_some_and(|task| task == TOKENS))
}

impl Config {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(ADAPTER_CONFIG);
        let config: Self = read_json(&path)?;
        config.check().map_err(|problem| Error::Malformed { path, problem })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        const THEN: &str = "merge it with PEFT (`merge_and_unload`) and save the model";
        let refused = |what: String| Err(format!("{what}, which is not read; {THEN}"));
        if self.peft_type != "LORA" {
            return refused(format!("its peft_type is {:?}", self.peft_type));
        }
        let is_set = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(all) => !all.is_empty(),
            Value::Object(all) => !all.is_empty(),
            _ => true,
        };
        let set = |field: &&str| self.others.get(*field).is_some_and(is_set);
        if let Some(field) = OTHER_SUMS.into_iter().find(|field| set(field)) {
            return refused(format!("it has {field}"));
        }
        match self.others.get("bias").and_then(Value::as_str) {
            None | Some("none") => {}
            Some(bias) => return refused(format!("its bias is {bias:?}")),
        }
        match self.others.get("init_lora_weights") {
            Some(Value::String(start)) if !PLAIN_STARTS.contains(&start.as_str()) => {
                // The base was changed by that much before training.
                return refused(format!("its init_lora_weights is {start:?}"));
            }
            _ => {}
        }
        for pattern in self.alpha_pattern.iter().flat_map(|patterns| patterns.keys()) {
            if plain(pattern)
                .contains(['*', '+', '?', '[', ']', '(', ')', '{', '}', '|', '\\', '$'])
            {
                return refused(format!(
                    "its alpha_pattern has the regular expression {pattern:?}"
                ));
            }
        }
        Ok(())
    }

    /// What the product of a layer's matrices of this rank is multiplied by: `α / r`, or `α / √r`
    /// (rsLoRA, Kalajdzievski 2023).
    fn scale(&self, layer: &str, rank: i64) -> f64 {
        let ends = |pattern: &str| {
            let before = layer.strip_suffix(plain(pattern).as_str());
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        let mut patterns = self.alpha_pattern.iter().flatten();
        let alpha =
            patterns.find(|(pattern, _)| ends(pattern)).map_or(self.lora_alpha, |(_, a)| *a);
        let rank = rank as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

/// A pattern that names a layer, without the signs of a regular expression that change nothing.
fn plain(pattern: &str) -> String {
    pattern.trim_start_matches('^').replace("\\.", ".")
}

impl Adapter {
    /// Opens the adapter in a folder, for a model whose modules have one of these names.
    ///
    /// # Errors
    /// If it is no LoRA as [`WeightSource`](super::WeightSource) can add it, or if it adapts a layer
    /// that has none of the names.
    pub fn open(folder: &Path, key_maps: Vec<KeyMap>) -> Result<Self> {
        let config = Config::read(folder)?;
        let file = ADAPTERS.iter().map(|name| folder.join(name)).find(|path| is_there(path));
        let file = file.ok_or_else(|| Error::Path {
            path: folder.to_path_buf(),
            problem: format!("an adapter without its {}; fetch it too", ADAPTERS[0]),
        })?;
        let checkpoint = Checkpoint::open(file)?;
        let mut layers = BTreeSet::new();
        for (name, _) in checkpoint.entries() {
            if name.contains(".lora_magnitude_vector") {
                let problem = "it is DoRA, which is not read; merge it with PEFT".into();
                return Err(Error::Malformed { path: checkpoint.path().into(), problem });
            }
            let layer = name.strip_prefix(BEFORE).and_then(layer);
            if let Some(layer) = layer
                && layers.insert(layer.to_string())
                && !key_maps.iter().any(|key_map| knows(key_map, layer))
            {
                let problem =
                    format!("it adapts {}, which the base model does not have", quote(layer));
                return Err(Error::Malformed { path: checkpoint.path().into(), problem });
            }
        }
        Ok(Self { checkpoint, config, key_maps, layers })
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        self.checkpoint.folder()
    }

    /// The tensors.
    pub(super) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What our parameter may be made from, by all names that the model's modules may have.
    fn sources(&self, ours: &str) -> impl Iterator<Item = TensorSource> {
        let prefixes = move |key_map: &KeyMap| {
            let key_map = *key_map;
            key_map.prefixes.iter().flat_map(move |prefix| key_map.sources(prefix, ours))
        };
        self.key_maps.iter().flat_map(prefixes)
    }

    /// Our parameter as it was trained in full, if it was: the names of its tensors.
    pub(super) fn whole(&self, ours: &str) -> Option<TensorSource> {
        let found = |mut source: TensorSource| {
            for part in &mut source.parts {
                let name = |between: &str| {
                    let (module, leaf) = part.rsplit_once('.')?;
                    Some(format!("{BEFORE}{module}.{between}{leaf}"))
                };
                let names = ["", "modules_to_save."].into_iter().filter_map(name);
                *part = names.into_iter().find(|name| self.checkpoint.entry(name).is_some())?;
            }
            (!source.parts.is_empty()).then_some(source)
        };
        self.sources(ours).find_map(found)
    }

    /// What is added to our weight of this shape, `s · B A`, and the names of its tensors. `read`
    /// reads one.
    ///
    /// # Errors
    /// If the matrices do not fit the weight.
    pub(super) fn product(
        &self,
        ours: &str,
        shape: &[i64],
        read: impl Fn(&str) -> Result<Tensor>,
    ) -> Result<Option<(Tensor, [String; 2])>> {
        let adapted = |source: TensorSource| {
            let [part] = &source.parts[..] else { return None };
            let layer = part.strip_suffix(".weight").unwrap_or(part);
            self.layers.contains(layer).then(|| (layer.to_string(), source.transform))
        };
        let Some((layer, transform)) = self.sources(ours).find_map(adapted) else {
            return Ok(None);
        };
        let names = |a: &str, b: &str| [a, b].map(|leaf| format!("{BEFORE}{layer}.{leaf}"));
        let linear = names("lora_A.weight", "lora_B.weight");
        let embedding = names("lora_embedding_A", "lora_embedding_B");
        let is_linear = self.checkpoint.entry(&linear[0]).is_some();
        let names = if is_linear { linear } else { embedding };
        let [a, b] = names.each_ref().map(|name| Ok::<_, Error>(read(name)?.to_kind(Kind::Float)));
        let (a, b) = (a?, b?);
        let misfit = || Error::Shape {
            ours: ours.into(),
            theirs: names[1].clone(),
            path: self.checkpoint.path().into(),
            want: shape.to_vec(),
            got: b.size(),
        };
        let rank = a.size().first().copied().filter(|rank| *rank > 0).ok_or_else(misfit)?;
        let scale = self.config.scale(&layer, rank);
        // Of a convolution, A has its kernels and B is of one pixel.
        let (a, b) = (a.f_flatten(1, -1)?, b.f_flatten(1, -1)?);
        // PEFT's product is as a linear layer's weight, whichever way the publisher stores that.
        let (i, of) = match transform {
            TensorTransform::Same | TensorTransform::Transposed | TensorTransform::Pointwise => {
                (0, 1)
            }
            TensorTransform::Slice(i, of) | TensorTransform::TransposedSlice(i, of) => (i, of),
            _ => return Err(misfit()),
        };
        // Before it is made: it may be larger than any memory.
        let [rows, columns] = [b.size()[0], a.size()[1]];
        let numel = shape.iter().product::<i64>().checked_mul(i64::from(of));
        if b.size()[1] != rank || rows.checked_mul(columns) != numel {
            return Err(misfit());
        }
        let product = b.f_matmul(&a)? * scale;
        let product = if is_linear { product } else { product.tr() };
        let product = TensorTransform::Slice(i, of).apply(&[product], shape)?;
        Ok(Some((product.f_reshape(shape)?, names)))
    }
}

/// The layer that a tensor of a product belongs to.
fn layer(name: &str) -> Option<&str> {
    [".lora_A.weight", ".lora_B.weight", ".lora_embedding_A", ".lora_embedding_B"]
        .iter()
        .find_map(|leaf| name.strip_suffix(leaf))
}

/// Whether a module of theirs, behind any prefix, is in a table.
fn knows(key_map: &KeyMap, theirs: &str) -> bool {
    let behind = |prefix: &&str| theirs.strip_prefix(*prefix);
    let mut names = key_map.prefixes.iter().filter_map(behind).chain([theirs]);
    let rules = || key_map.body.iter().chain(key_map.head);
    names.any(|name| rules().any(|rule| fits(rule.theirs, name)))
}

/// Whether a name of theirs fits a pattern, in which `{…}` is an index.
fn fits(pattern: &str, name: &str) -> bool {
    let (patterns, words) = (pattern.split('.'), name.split('.'));
    let word = |(pattern, word): (&str, &str)| match pattern.split_once('{') {
        Some((before, _)) => {
            word.strip_prefix(before).is_some_and(|index| index.parse::<usize>().is_ok())
        }
        None => pattern == word,
    };
    patterns.clone().count() == words.clone().count() && patterns.zip(words).all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Config, String> {
        let config: Config = serde_json::from_str(text).map_err(|e| e.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn products_are_scaled_as_peft_scales_them() {
        let config = config(
            r#"{"peft_type": "LORA", "lora_alpha": 12, "use_rslora": true, "use_dora": false,
                "alpha_pattern": {"layer.1.query": 6, "^vit\\.value": 3}, "bias": "none",
                "init_lora_weights": true, "layer_replication": null, "target_parameters": []}"#,
        )
        .unwrap();
        for (layer, scale) in [
            ("bert.layer.0.query", 6.),
            ("bert.layer.1.query", 3.),
            ("bert.xlayer.1.query", 6.),
            ("vit.value", 1.5),
        ] {
            assert_eq!(config.scale(layer, 4), scale, "{layer}");
        }
    }

    #[test]
    fn what_is_added_in_another_way_is_refused_by_name() {
        for (field, said) in [
            (r#""use_dora": true"#, "it has use_dora"),
            (r#""target_parameters": ["x"]"#, "it has target_parameters"),
            (r#""bias": "all""#, "its bias is \"all\""),
            (
                r#""init_lora_weights": "pissa_niter_4""#,
                "its init_lora_weights is \"pissa_niter_4\"",
            ),
            (r#""alpha_pattern": {"layer.[01].q": 1}"#, "the regular expression \"layer.[01].q\""),
        ] {
            let error = config(&format!(r#"{{"peft_type": "LORA", {field}}}"#)).unwrap_err();
            assert!(error.contains(said) && error.contains("merge_and_unload"), "{error}");
        }
        let error = config(r#"{"peft_type": "IA3"}"#).unwrap_err();
        assert!(error.contains("its peft_type is \"IA3\""), "{error}");
    }
}
