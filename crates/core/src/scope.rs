//! Building and loading in one pass: a parameter is either taken from a source or made fresh.

use std::{cell::RefCell, collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use tch::{
    Device, Kind, Tensor,
    nn::{self, Init},
};

use crate::{
    Checkpoint, Dialect, Error, Lora, Result,
    dialect::{Fit, Recipe},
    lora::{self, Adapting},
    names::nearest,
};

/// Where a part's parameters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Taken from a checkpoint.
    Pretrained,
    /// Made at random.
    Fresh,
}

/// A checkpoint read through a dialect. It remembers what was taken.
#[derive(Debug)]
pub struct Source<'c> {
    checkpoint: &'c Checkpoint,
    names: Names,
    taken: RefCell<BTreeSet<String>>,
    reshaped: RefCell<Vec<Reshaped>>,
}

/// Whose names a checkpoint's tensors have.
#[derive(Debug)]
enum Names {
    /// Ours, of the very model that is built: each tensor is taken as it is.
    Same,
    /// Ours, of a model that another one is made from: shapes are fitted, and adapters of LoRA, whose
    /// product counts so much, are added to the weights that they stand beside.
    Ours { adapters: Option<f64> },
    /// A publisher's, below a prefix.
    Theirs(Dialect, &'static str),
}

/// Brings a publisher's tensor to the shape that is wanted; `None`: it stays as it is.
pub type Reshape<'r> = &'r dyn Fn(&Tensor) -> Result<Option<Tensor>>;

impl<'c> Source<'c> {
    /// A publisher's checkpoint.
    ///
    /// # Errors
    /// If no tensor has a name of this dialect.
    pub fn new(checkpoint: &'c Checkpoint, dialect: Dialect) -> Result<Self> {
        let prefix =
            dialect.prefix(checkpoint.entries().map(|(name, _)| name)).ok_or_else(|| {
                Error::Family {
                    path: checkpoint.path().to_path_buf(),
                    problem: format!("no tensor has a name of the dialect {}", dialect.name),
                }
            })?;
        Ok(Self::named(checkpoint, Names::Theirs(dialect, prefix)))
    }

    /// A checkpoint of ours, as a run folder keeps it, of the very model that is built.
    pub fn ours(checkpoint: &'c Checkpoint) -> Self {
        Self::named(checkpoint, Names::Same)
    }

    /// A checkpoint of ours that another model is made from: it is read as a publisher's is, and what
    /// the adapters of a LoRA learned is added to the weights.
    pub fn to_transfer(checkpoint: &'c Checkpoint, lora: Option<&Lora>) -> Self {
        Self::named(checkpoint, Names::Ours { adapters: lora.map(Lora::scale) })
    }

    fn named(checkpoint: &'c Checkpoint, names: Names) -> Self {
        Self { checkpoint, names, taken: RefCell::default(), reshaped: RefCell::default() }
    }

    /// The shape of the tensor that ours is made of as it is, before anything is built.
    pub fn shape(&self, ours: &str) -> Option<&[i64]> {
        let recipe = self.recipe(ours).ok()?;
        Some(&self.checkpoint.entry(recipe.parts.first()?)?.shape)
    }

    /// The first of the spellings that the checkpoint has.
    fn recipe(&self, ours: &str) -> Result<Recipe> {
        let (recipes, dialect) = match &self.names {
            Names::Same | Names::Ours { .. } => {
                (vec![Recipe { parts: vec![ours.into()], fit: Fit::Same }], "crosstune")
            }
            Names::Theirs(dialect, prefix) => (dialect.recipes(prefix, ours), dialect.name),
        };
        let Some(first) = recipes.first() else {
            return Err(Error::Unmapped { ours: ours.into(), dialect });
        };
        let lacks = |recipe: &Recipe| {
            recipe.parts.iter().find(|part| self.checkpoint.entry(part).is_none()).cloned()
        };
        let missing = lacks(first);
        match (recipes.into_iter().find(|recipe| lacks(recipe).is_none()), missing) {
            (Some(recipe), _) => Ok(recipe),
            (None, theirs) => {
                let (theirs, path) = (theirs.unwrap_or_default(), self.checkpoint.path().into());
                let near = nearest(&theirs, self.checkpoint.entries().map(|(n, _)| n));
                Err(Error::Missing { ours: ours.into(), theirs, dialect, path, near })
            }
        }
    }

    /// Our parameter of a shape, f32, on the CPU.
    ///
    /// # Errors
    /// If the source lacks it or has it in another shape.
    pub fn tensor(&self, ours: &str, shape: &[i64]) -> Result<Tensor> {
        self.fetch(ours, shape, None)
    }

    fn fetch(&self, ours: &str, shape: &[i64], reshape: Option<Reshape<'_>>) -> Result<Tensor> {
        let recipe = self.recipe(ours)?;
        let parts: Vec<Tensor> =
            recipe.parts.iter().map(|part| self.checkpoint.tensor(part)).collect::<Result<_>>()?;
        let value = recipe.fit.apply(&parts, shape)?.to_kind(Kind::Float);
        let value = match self.adapter(ours)? {
            Some(product) => value + product,
            None => value,
        };
        let (theirs, got) = (recipe.parts.join(" and "), value.size());
        // What we saved has the wanted shape. A publisher's may have to be reshaped even so: a grid of
        // 4 × 4 has as many positions as one of 8 × 2.
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
        self.taken.borrow_mut().extend(recipe.parts);
        Ok(value)
    }

    /// What an adapter adds to our weight of this name, if there is one: `(α/r) · B A`.
    fn adapter(&self, ours: &str) -> Result<Option<Tensor>> {
        let Names::Ours { adapters: Some(scale) } = self.names else { return Ok(None) };
        let Some(layer) = ours.strip_suffix(".weight") else { return Ok(None) };
        let names = [lora::B, lora::A].map(|leaf| format!("{layer}.{leaf}"));
        if names.iter().any(|name| self.checkpoint.entry(name).is_none()) {
            return Ok(None);
        }
        let (b, a) = (self.checkpoint.tensor(&names[0])?, self.checkpoint.tensor(&names[1])?);
        self.taken.borrow_mut().extend(names);
        Ok(Some(b.matmul(&a) * scale))
    }
}

/// What became of a checkpoint's tensors and of a model's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The publisher's names of the tensors that became parameters.
    pub taken: Vec<String>,
    /// Our names of the parameters that were made fresh.
    pub fresh: Vec<String>,
    /// The publisher's names of the tensors that nobody asked for.
    pub untaken: Vec<String>,
    /// Those of the taken ones that were brought to another shape.
    pub reshaped: Vec<Reshaped>,
}

/// A tensor that was brought to another shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshaped {
    /// The publisher's name.
    pub name: String,
    /// The shape in the checkpoint.
    pub from: Vec<i64>,
    /// The shape in the model.
    pub to: Vec<i64>,
}

impl LoadReport {
    /// The account for a store whose parameters came from `source` or were made fresh.
    pub fn new(source: Option<&Source<'_>>, fresh: &Fresh) -> Self {
        let taken = source.map(|s| s.taken.borrow().clone()).unwrap_or_default();
        let untaken = source
            .iter()
            .flat_map(|s| s.checkpoint.entries())
            .map(|(name, _)| name.to_string())
            .filter(|name| !taken.contains(name))
            .collect();
        Self {
            taken: taken.into_iter().collect(),
            fresh: fresh.0.borrow().iter().cloned().collect(),
            untaken,
            reshaped: source.map(|s| s.reshaped.borrow().clone()).unwrap_or_default(),
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, fresh, untaken, reshaped } = self;
        write!(f, "{} tensors taken", taken.len())?;
        if !reshaped.is_empty() {
            write!(f, " ({} reshaped)", reshaped.len())?;
        }
        write!(f, ", {} fresh, {} unused", fresh.len(), untaken.len())
    }
}

/// The names of the parameters that were made at random.
#[derive(Debug, Default)]
pub struct Fresh(RefCell<BTreeSet<String>>);

/// A place in the model's tree of names, and where the values below it come from.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    path: nn::Path<'a>,
    source: Option<&'a Source<'a>>,
    lack: Lack,
    fresh: &'a Fresh,
    adapting: Option<&'a Adapting<'a>>,
}

/// What becomes of a parameter that the source lacks or has in another shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// It is an error.
    Refused,
    /// It is made fresh.
    Fresh,
}

impl<'a> Scope<'a> {
    /// The root of a store, everything below it fresh. `fresh` keeps the account.
    pub fn root(store: &'a nn::VarStore, fresh: &'a Fresh) -> Self {
        Self { path: store.root(), source: None, lack: Lack::Refused, fresh, adapting: None }
    }

    /// The same place, its values taken from a source.
    pub fn from(&self, source: Option<&'a Source<'a>>) -> Self {
        Self { source, lack: Lack::Refused, ..self.clone() }
    }

    /// The same place, its values taken from a source as far as it has them in the shapes that are
    /// wanted: the head of another number of classes keeps what lies below its last layer.
    pub fn from_what_fits(&self, source: Option<&'a Source<'a>>) -> Self {
        Self { source, lack: Lack::Fresh, ..self.clone() }
    }

    /// The same place, whose linear layers get the adapters of LoRA where it says so.
    pub(crate) fn adapted(&self, adapting: Option<&'a Adapting<'a>>) -> Self {
        Self { adapting, ..self.clone() }
    }

    /// The adapters that linear layers get.
    pub(crate) fn adapting(&self) -> Option<&'a Adapting<'a>> {
        self.adapting
    }

    /// The same place, its values taken from a source that is the very model that is built, or else
    /// made fresh.
    pub(crate) fn ours_or_fresh(&self) -> Self {
        let source = self.source.filter(|source| matches!(source.names, Names::Same));
        Self { source, ..self.clone() }
    }

    /// The name of this place: `trunk.blocks.3.attn.q`.
    pub(crate) fn name(&self) -> String {
        self.path.components().collect::<Vec<_>>().join(".")
    }

    /// The place `name` below this one.
    pub fn sub(&self, name: impl ToString) -> Self {
        Self { path: self.path.sub(name), ..self.clone() }
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> Device {
        self.path.device()
    }

    /// Where the values come from, if not fresh.
    pub fn source(&self) -> Option<&'a Source<'a>> {
        self.source
    }

    /// The parameter `leaf` of this module, from the source or else from `init`; f32.
    ///
    /// # Errors
    /// If the name is in use, or if the source lacks the tensor or has it in another shape.
    pub fn param(&self, leaf: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.param_or(leaf, shape, || nn::init(init, shape, self.device()))
    }

    /// The parameter `leaf` of this module, from the source or else a value of that shape; f32.
    ///
    /// # Errors
    /// As [`param`](Self::param).
    pub fn param_or(
        &self,
        leaf: &str,
        shape: &[i64],
        value: impl FnOnce() -> Tensor,
    ) -> Result<Tensor> {
        self.add(leaf, shape, None, true, value)
    }

    /// The same, where `reshape` may bring what a publisher has to the shape that is wanted. What we
    /// saved ourselves has that shape.
    ///
    /// # Errors
    /// As [`param`](Self::param), and if the source's shape cannot be brought to the wanted one.
    pub fn param_reshaped(
        &self,
        leaf: &str,
        shape: &[i64],
        reshape: Reshape<'_>,
        value: impl FnOnce() -> Tensor,
    ) -> Result<Tensor> {
        self.add(leaf, shape, Some(reshape), true, value)
    }

    /// A tensor that belongs to the model but that no gradient moves: statistics.
    ///
    /// # Errors
    /// As [`param`](Self::param).
    pub fn buffer(&self, leaf: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.add(leaf, shape, None, false, || nn::init(init, shape, self.device()))
    }

    fn add(
        &self,
        leaf: &str,
        shape: &[i64],
        reshape: Option<Reshape<'_>>,
        trains: bool,
        value: impl FnOnce() -> Tensor,
    ) -> Result<Tensor> {
        let name = self.path.components().chain([leaf]).collect::<Vec<_>>().join(".");
        // `nn::Path::add` would quietly name the second one `leaf__1`.
        if self.path.get(leaf).is_some() {
            return Err(Error::Duplicate(name));
        }
        let taken = match self.source.map(|source| source.fetch(&name, shape, reshape)) {
            None => None,
            Some(Err(Error::Missing { .. } | Error::Unmapped { .. } | Error::Shape { .. }))
                if self.lack == Lack::Fresh =>
            {
                None
            }
            Some(fetched) => Some(fetched?),
        };
        let value = taken.unwrap_or_else(|| {
            self.fresh.0.borrow_mut().insert(name);
            value()
        });
        Ok(self.path.add(leaf, value.to_device(self.device()), trains))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_used_once() {
        let (store, fresh) = (nn::VarStore::new(Device::Cpu), Fresh::default());
        let at = Scope::root(&store, &fresh).sub("head");
        assert!(at.param("weight", &[2], Init::Const(0.)).is_ok());
        let again = at.param("weight", &[2], Init::Const(0.)).unwrap_err();
        assert_eq!(again.to_string(), "the parameter `head.weight` is declared twice");
        assert_eq!(LoadReport::new(None, &fresh).fresh, ["head.weight"]);
    }
}
