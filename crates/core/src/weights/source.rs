//! A checkpoint read through a key map.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::checkpoint::Checkpoint;
use super::finite::fault;
use super::key_map::{KeyMap, TensorSource, TensorTransform};
use super::lora::{A, B, Lora};
use super::names::nearest;
use super::prefix::Prefix;
use crate::error::{Error, Result};

/// A checkpoint read through a key map. It records which tensors were loaded.
#[derive(Debug)]
pub struct WeightSource<'c> {
    pub(super) checkpoint: &'c Checkpoint,
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
                "several models of {} are in it, as `{first}…` and `{second}…`; save the one that is \
                 meant alone",
                key_map.name
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
        Self { checkpoint, names, loaded: RefCell::default(), reshaped: RefCell::default() }
    }

    /// The shape of the publisher's tensor for our parameter, before anything is built.
    pub fn shape(&self, ours: &str) -> Option<&[i64]> {
        let source = self.source(ours).ok()?;
        Some(&self.checkpoint.entry(source.parts.first()?)?.shape)
    }

    /// The first of the alternatives that the checkpoint has.
    fn source(&self, ours: &str) -> Result<TensorSource> {
        let (sources, key_map) = match &self.names {
            Names::Same | Names::Ours { .. } => (
                vec![TensorSource { parts: vec![ours.into()], transform: TensorTransform::Same }],
                "crosstune",
            ),
            Names::Theirs(key_map, Prefix { wrapper, body }) => {
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
                    return Err(self.not_weights(theirs, what.into()));
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
        let source = self.source(ours)?;
        let parts: Vec<Tensor> =
            source.parts.iter().map(|part| self.weights(part)).collect::<Result<_>>()?;
        let value = source.transform.apply(&parts, shape)?.to_kind(Kind::Float);
        let value = match self.adapter(ours)? {
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
                let (name, from, to) = (theirs.clone(), got.clone(), shape.to_vec());
                self.reshaped.borrow_mut().push(Reshaped { name, from, to });
                reshaped
            }
            None => value,
        };
        if value.size() != shape {
            let (want, path) = (shape.to_vec(), self.checkpoint.path().into());
            return Err(Error::Shape { ours: ours.into(), theirs, path, want, got });
        }
        // Of what it became: a number of f64 may be too large for f32.
        if let Some(found) = fault(&value)? {
            return Err(self.not_weights(theirs, found));
        }
        self.loaded.borrow_mut().extend(source.parts);
        Ok(value)
    }

    /// A stored tensor that can be weights by its type: integers count, bools choose, and complex
    /// numbers would lose a half.
    fn weights(&self, name: &str) -> Result<Tensor> {
        let kind = self.checkpoint.entry(name).map(|entry| entry.kind);
        let found = match kind {
            Some(Kind::Bool) => "bools",
            Some(Kind::ComplexFloat) => "complex numbers",
            Some(Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64) => "integers",
            _ => return self.checkpoint.read_tensor(name),
        };
        Err(self.not_weights(name.into(), found.into()))
    }

    fn not_weights(&self, name: String, found: String) -> Error {
        let path = self.checkpoint.path().into();
        let then = "use weights that are finite floating-point numbers";
        Error::NotWeights { path, name, found, then }
    }

    /// The product that an adapter adds to our weight of this name, if there is one: `(α/r) · B A`.
    fn adapter(&self, ours: &str) -> Result<Option<Tensor>> {
        let Names::Ours { adapters: Some(scale) } = self.names else { return Ok(None) };
        let Some(layer) = ours.strip_suffix(".weight") else { return Ok(None) };
        let names = [B, A].map(|leaf| format!("{layer}.{leaf}"));
        if names.iter().any(|name| self.checkpoint.entry(name).is_none()) {
            return Ok(None);
        }
        let (b, a) = (self.weights(&names[0])?, self.weights(&names[1])?);
        self.loaded.borrow_mut().extend(names);
        Ok(Some(b.matmul(&a) * scale))
    }
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
