//! A checkpoint read through a key map.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::adapter::Adapter;
use super::checkpoint::Checkpoint;
use super::finite::fault;
use super::key_map::{KeyMap, TensorSource};
use super::lora::{A, B, Lora};
use super::names::nearest;
use super::prefix::Prefix;
use super::quantised::{USE_FLOATS, is_tiny_float, no_weights};
use super::transform::TensorTransform;
use crate::error::{Error, Result};

/// A checkpoint read through a key map. It records which tensors were loaded.
#[derive(Debug)]
pub struct WeightSource<'c> {
    pub(super) checkpoint: &'c Checkpoint,
    pub(super) adapter: Option<&'c Adapter>,
    pub(super) names: Names,
    pub(super) loaded: RefCell<BTreeSet<String>>,
    pub(super) reshaped: RefCell<Vec<Reshaped>>,
}

/// Whose names the checkpoint's tensors have.
#[derive(Debug)]
pub(super) enum Names {
    /// Ours, of the very model that is built: each tensor is loaded as it is.
    Same,
    /// Ours, of a model that another one is made from: tensors may be resized, and LoRA products,
    /// scaled by this, are added to the weights of their layers.
    Ours { adapters: Option<f64> },
    /// A publisher's, below a prefix.
    Theirs(KeyMap, Prefix),
}

/// Brings a publisher's tensor to the wanted shape; `None`: it stays as it is.
pub type Reshape<'r> = &'r dyn Fn(&Tensor) -> Result<Option<Tensor>>;

impl<'c> WeightSource<'c> {
    /// A publisher's checkpoint.
    ///
    /// # Errors
    /// If no tensor has a name of this key map, or if those of several models do.
    pub fn new(checkpoint: &'c Checkpoint, key_map: KeyMap) -> Result<Self> {
        let problem = match key_map.prefix(checkpoint.entries().map(|(name, _)| name)) {
            Ok(Some(prefix)) => {
                return Ok(Self::named(checkpoint, Names::Theirs(key_map, prefix)));
            }
            Ok(None) => format!("no tensor has a name of the key map {}", key_map.name),
            Err([first, second]) => format!(
                "several models of {} are in it, as `{first}…` and `{second}…`; name one with \
                 --weights-key {}",
                key_map.name,
                first.trim_end_matches('.')
            ),
        };
        Err(Error::Family { path: checkpoint.path().to_path_buf(), problem })
    }

    /// A checkpoint of ours, as in a run folder, of the very model that is built.
    pub fn ours(checkpoint: &'c Checkpoint) -> Self {
        Self::named(checkpoint, Names::Same)
    }

    /// A checkpoint of ours that another model is made from: it is read as a publisher's is, and
    /// LoRA products are merged into the weights.
    pub fn to_transfer(checkpoint: &'c Checkpoint, lora: Option<&Lora>) -> Self {
        Self::named(checkpoint, Names::Ours { adapters: lora.map(Lora::scale) })
    }

    fn named(checkpoint: &'c Checkpoint, names: Names) -> Self {
        let adapter = None;
        Self {
            checkpoint,
            adapter,
            names,
            loaded: RefCell::default(),
            reshaped: RefCell::default(),
        }
    }

    /// The same with an adapter: its products are added to the weights of their layers, and what it
    /// has in full takes the place of the checkpoint's.
    pub fn with_adapter(self, adapter: Option<&'c Adapter>) -> Self {
        Self { adapter, ..self }
    }

    /// The shape of the publisher's tensor for our parameter, before anything is built.
    pub fn shape(&self, ours: &str) -> Option<&[i64]> {
        if let Some((adapter, source)) = self.whole(ours) {
            return Some(&adapter.checkpoint().entry(source.parts.first()?)?.shape);
        }
        let source = self.source(ours).ok()?;
        Some(&self.checkpoint.entry(source.parts.first()?)?.shape)
    }

    /// What an adapter has in full.
    fn whole(&self, ours: &str) -> Option<(&'c Adapter, TensorSource)> {
        self.adapter.and_then(|adapter| Some((adapter, adapter.whole(ours)?)))
    }

    /// The first of the alternatives that the checkpoint has.
    fn source(&self, ours: &str) -> Result<TensorSource> {
        let (sources, key_map) = match &self.names {
            Names::Same | Names::Ours { .. } => (
                vec![TensorSource { parts: vec![ours.into()], transform: TensorTransform::Same }],
                "crosstune",
            ),
            Names::Theirs(key_map, Prefix { wrapper, body, .. }) => {
                let mut sources = key_map.sources(body, ours);
                let parts = sources.iter_mut().flat_map(|source| &mut source.parts);
                parts.for_each(|part| *part = self.stored(format!("{wrapper}{part}")));
                (sources, key_map.name)
            }
        };
        let Some(first) = sources.first() else {
            return Err(Error::Unmapped { ours: ours.into(), key_map });
        };
        let lacks = |source: &TensorSource| {
            source.parts.iter().find(|part| self.checkpoint.entry(part).is_none()).cloned()
        };
        let missing = lacks(first);
        match (sources.into_iter().find(|source| lacks(source).is_none()), missing) {
            (Some(source), _) => Ok(source),
            (None, theirs) => {
                let theirs = theirs.unwrap_or_default();
                if let Some((_, what)) = self.checkpoint.skipped().find(|(name, _)| *name == theirs)
                {
                    let found = (what.into(), USE_FLOATS);
                    return Err(not_weights(self.checkpoint, theirs, found));
                }
                if let Some(found) = no_weights(self.checkpoint, &theirs) {
                    return Err(not_weights(self.checkpoint, theirs, found));
                }
                let path = self.checkpoint.path().into();
                let near = nearest(&theirs, self.checkpoint.entries().map(|(n, _)| n));
                let near = near.map(|(_, near)| near.to_string());
                Err(Error::Missing { ours: ours.into(), theirs, key_map, path, near })
            }
        }
    }

    /// The name that a tensor has in the checkpoint: what was converted from TensorFlow before
    /// 2020, BERT above all, calls a norm's weight `gamma` and its bias `beta`.
    fn stored(&self, name: String) -> String {
        if self.checkpoint.entry(&name).is_some() {
            return name;
        }
        let old = |new, old| Some(format!("{}{old}", name.strip_suffix(new)?));
        let old = old(".weight", ".gamma").or_else(|| old(".bias", ".beta"));
        old.filter(|old| self.checkpoint.entry(old).is_some()).unwrap_or(name)
    }

    /// Our parameter of a shape, f32, on the CPU.
    ///
    /// # Errors
    /// If the source lacks it or has it in another shape.
    pub fn tensor(&self, ours: &str, shape: &[i64]) -> Result<Tensor> {
        self.fetch(ours, shape, None)
    }

    pub(super) fn fetch(
        &self,
        ours: &str,
        shape: &[i64],
        reshape: Option<Reshape<'_>>,
    ) -> Result<Tensor> {
        let (from, source) = match self.whole(ours) {
            Some((adapter, source)) => (adapter.checkpoint(), source),
            None => (self.checkpoint, self.source(ours)?),
        };
        let parts: Vec<Tensor> =
            source.parts.iter().map(|part| weights(from, part)).collect::<Result<_>>()?;
        let value = source.transform.apply(&parts, shape)?.to_kind(Kind::Float);
        let value = match self.product(ours, &value.size())? {
            Some(product) => value + product,
            None => value,
        };
        let (theirs, got) = (source.parts.join(" and "), value.size());
        // What we saved has the wanted shape. A publisher's may need resizing even if the shape is
        // equal: a grid of 4 × 4 has as many positions as one of 8 × 2.
        let reshape = reshape.filter(|_| !matches!(self.names, Names::Same));
        let reshaped = reshape.map(|reshape| reshape(&value)).transpose()?.flatten();
        let value = match reshaped {
            Some(reshaped) => {
                let (name, to) = (theirs.clone(), shape.to_vec());
                self.reshaped.borrow_mut().push(Reshaped { name, from: got.clone(), to });
                reshaped
            }
            None => value,
        };
        if value.size() != shape {
            let (want, path) = (shape.to_vec(), from.path().into());
            return Err(Error::Shape { ours: ours.into(), theirs, path, want, got });
        }
        // Of what it became: a number of f64 may be too large for f32.
        if let Some(found) = fault(&value)? {
            return Err(not_weights(from, theirs, (found, USE_FLOATS)));
        }
        self.loaded.borrow_mut().extend(source.parts);
        Ok(value)
    }

    /// The product that an adapter adds to our weight of this name and shape, if there is one: `(α/r) ·
    /// B A`.
    fn product(&self, ours: &str, shape: &[i64]) -> Result<Option<Tensor>> {
        if let Some(adapter) = self.adapter {
            let found = adapter.product(ours, shape, |name| weights(adapter.checkpoint(), name))?;
            return Ok(found.map(|(product, names)| {
                self.loaded.borrow_mut().extend(names);
                product
            }));
        }
        let Names::Ours { adapters: Some(scale) } = self.names else { return Ok(None) };
        let Some(layer) = ours.strip_suffix(".weight") else { return Ok(None) };
        let names = [B, A].map(|leaf| format!("{layer}.{leaf}"));
        if names.iter().any(|name| self.checkpoint.entry(name).is_none()) {
            return Ok(None);
        }
        let (b, a) = (weights(self.checkpoint, &names[0])?, weights(self.checkpoint, &names[1])?);
        self.loaded.borrow_mut().extend(names);
        Ok(Some(b.matmul(&a) * scale))
    }
}

/// A stored tensor that can be weights by its type: integers count, bools choose, and complex numbers
/// would lose a half.
fn weights(checkpoint: &Checkpoint, name: &str) -> Result<Tensor> {
    if let Some(found) = no_weights(checkpoint, name) {
        return Err(not_weights(checkpoint, name.into(), found));
    }
    let value = checkpoint.read_tensor(name)?;
    Ok(if is_tiny_float(value.kind()) { value.to_kind(Kind::Float) } else { value })
}

fn not_weights(checkpoint: &Checkpoint, name: String, found: (String, &'static str)) -> Error {
    let (path, (found, then)) = (checkpoint.path().into(), found);
    Error::NotWeights { path, name, found, then }
}

/// A tensor that was resized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshaped {
    /// The publisher's name.
    pub name: String,
    /// The shape in the checkpoint.
    pub from: Vec<i64>,
    /// The shape in the model.
    pub to: Vec<i64>,
}
