//! Building and loading in one pass: a parameter is loaded from a source or newly initialised.

use tch::nn::Init;
use tch::{Device, Tensor, nn};

use super::by_row::RowParam;
use super::halved::Halved;
use super::lora::Adapting;
use super::members::Members;
use super::report::Fresh;
use super::shared::SharedTensors;
use super::source::{Names, Reshape, WeightSource};
use crate::error::{Error, Result};

/// A path in the model's tree of names, and the source of the values below it.
#[derive(Debug, Clone)]
pub struct VarBuilder<'a> {
    path: nn::Path<'a>,
    source: Option<&'a WeightSource<'a>>,
    on_missing: OnMissing,
    fresh: &'a Fresh,
    adapting: Option<&'a Adapting<'a>>,
    halved: Option<&'a Halved<'a>>,
    shared: Option<&'a SharedTensors>,
    members: Option<&'a Members<'a>>,
    /// Whether what is built here is applied to the rows of batches.
    has_rows: bool,
}

/// What happens to a parameter that the source lacks or has in another shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnMissing {
    /// It is an error.
    Error,
    /// It is initialised.
    Init,
}

impl<'a> VarBuilder<'a> {
    /// The root of a store, with everything below it new. `fresh` records the names of new
    /// parameters.
    pub fn root(store: &'a nn::VarStore, fresh: &'a Fresh) -> Self {
        Self {
            path: store.root(),
            source: None,
            on_missing: OnMissing::Error,
            fresh,
            adapting: None,
            halved: None,
            shared: None,
            members: None,
            has_rows: true,
        }
    }

    /// The same path, its values loaded from a source.
    pub fn with_source(&self, source: Option<&'a WeightSource<'a>>) -> Self {
        Self { source, on_missing: OnMissing::Error, ..self.clone() }
    }

    /// The same path, its values loaded from a source as far as it has them in the wanted shapes: a
    /// head with another number of classes keeps the layers below its last.
    pub fn with_matching(&self, source: Option<&'a WeightSource<'a>>) -> Self {
        Self { source, on_missing: OnMissing::Init, ..self.clone() }
    }

    /// The same path, whose linear layers get adapters where `adapting` says so.
    pub(crate) fn adapted(&self, adapting: Option<&'a Adapting<'a>>) -> Self {
        Self { adapting, ..self.clone() }
    }

    /// The same path, below which parameters are kept in bf16 where `halved` says so.
    pub(crate) fn halved(&self, halved: Option<&'a Halved<'a>>) -> Self {
        Self { halved, ..self.clone() }
    }

    /// The same path, below which parameters that `shared` has already are kept there alone.
    pub(crate) fn shared(&self, shared: Option<&'a SharedTensors>) -> Self {
        Self { shared, ..self.clone() }
    }

    /// The same path, whose parameters are those of several models.
    pub(crate) fn of_members(&self, members: &'a Members<'a>) -> Self {
        Self { members: Some(members), ..self.clone() }
    }

    /// The same path for a module that is applied to something else than the rows of a batch, a table of
    /// positions say: no row can have parameters of its own.
    pub(crate) fn without_rows(&self) -> Self {
        Self { has_rows: false, ..self.clone() }
    }

    /// The models that the parameters are of, where each row can have its own.
    pub(crate) fn members_by_row(&self) -> Option<&'a Members<'a>> {
        self.members.filter(|_| self.has_rows)
    }

    /// The adapters that linear layers get.
    pub(crate) fn adapting(&self) -> Option<&'a Adapting<'a>> {
        self.adapting
    }

    /// The same path, its values loaded from a source that is a checkpoint of this very model, or
    /// else newly initialised.
    pub(crate) fn ours_or_fresh(&self) -> Self {
        let source = self.source.filter(|source| matches!(source.names, Names::Same));
        Self { source, ..self.clone() }
    }

    /// The name of this path: `trunk.blocks.3.attn.q`.
    pub(crate) fn name(&self) -> String {
        self.path.components().collect::<Vec<_>>().join(".")
    }

    /// The name of a parameter of this module.
    fn name_of(&self, leaf: &str) -> String {
        self.path.components().chain([leaf]).collect::<Vec<_>>().join(".")
    }

    /// The path `name` below this one.
    pub fn sub(&self, name: impl ToString) -> Self {
        Self { path: self.path.sub(name), ..self.clone() }
    }

    /// The device of the parameters.
    pub fn device(&self) -> Device {
        self.path.device()
    }

    /// The source of the values, if they are not new.
    pub fn source(&self) -> Option<&'a WeightSource<'a>> {
        self.source
    }

    /// The parameter `leaf` of this module, from the source or else from `init`; f32, but for what a
    /// model [keeps in bf16](crate::model::Model::with_halved).
    ///
    /// # Errors
    /// If the name is in use, or if the source lacks the tensor or has it in another shape.
    pub fn param(&self, leaf: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.param_or(leaf, shape, || nn::init(init, shape, self.device()))
    }

    /// The same of a layer that can have another one for each row of a batch, where it is built of
    /// several models.
    ///
    /// # Errors
    /// As [`param`](Self::param).
    pub fn param_by_row(&self, leaf: &str, shape: &[i64], init: Init) -> Result<RowParam> {
        let value = self.param(leaf, shape, init)?;
        Ok(match self.members_by_row() {
            Some(members) => members.param(&self.name_of(leaf), value),
            None => RowParam::Same(value),
        })
    }

    /// The parameter `leaf` of this module, from the source or else from `init`, a tensor of that
    /// shape; f32.
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

    /// The same, where `reshape` may bring a publisher's tensor to the wanted shape. What we saved
    /// ourselves has that shape.
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

    /// A tensor of the model that gets no gradient: running statistics.
    ///
    /// # Errors
    /// As [`param`](Self::param).
    pub fn buffer(&self, leaf: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.add(leaf, shape, None, false, || nn::init(init, shape, self.device()))
    }

    /// Checks that there is memory for what is to be built here: so many parameters at the least,
    /// with so many values in all. What a source has, it has been able to hold.
    ///
    /// # Errors
    /// If there is not.
    pub(crate) fn check_room(&self, tensors: u128, values: u128) -> Result<()> {
        match (self.source, self.device()) {
            // It is there.
            _ if self.members.is_some() => Ok(()),
            (None, Device::Cpu) => self.fresh.room.check(&self.name(), tensors, values),
            _ => Ok(()),
        }
    }

    fn take_room(&self, name: &str, shape: &[i64]) -> Result<()> {
        match self.device() {
            Device::Cpu => self.fresh.room.take(name, shape),
            _ => Ok(()),
        }
    }

    fn add(
        &self,
        leaf: &str,
        shape: &[i64],
        reshape: Option<Reshape<'_>>,
        trains: bool,
        value: impl FnOnce() -> Tensor,
    ) -> Result<Tensor> {
        let name = self.name_of(leaf);
        // `nn::Path::add` would quietly name the second one `leaf__1`.
        if self.path.get(leaf).is_some() {
            return Err(Error::Duplicate(name));
        }
        if let Some(members) = self.members {
            return Ok(self.path.add(leaf, members.value(&name, shape)?, false));
        }
        // A publisher's tensor that is resized is as large as what is new.
        if reshape.is_some() {
            self.take_room(&name, shape)?;
        }
        let loaded = match self.source.map(|source| source.fetch(&name, shape, reshape)) {
            None => None,
            Some(Err(Error::Missing { .. } | Error::Unmapped { .. } | Error::Shape { .. }))
                if self.on_missing == OnMissing::Init =>
            {
                None
            }
            Some(fetched) => Some(fetched?),
        };
        let is_loaded = loaded.is_some();
        let value = match loaded {
            Some(loaded) => loaded,
            None => {
                self.take_room(&name, shape)?;
                self.fresh.add(name.clone());
                value()
            }
        };
        let value = match self.halved {
            // What was resized cannot be read again by its name alone.
            Some(halved) if trains && reshape.is_none() => halved.keep(&name, value, is_loaded),
            _ => value,
        };
        let value = value.to_device(self.device());
        let value = match self.shared {
            Some(shared) => shared.shared(value)?,
            None => value,
        };
        Ok(self.path.add(leaf, value, trains))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::report::LoadReport;

    #[test]
    fn a_name_is_used_once() {
        let (store, fresh) = (nn::VarStore::new(Device::Cpu), Fresh::default());
        let vb = VarBuilder::root(&store, &fresh).sub("head");
        assert!(vb.param("weight", &[2], Init::Const(0.)).is_ok());
        let again = vb.param("weight", &[2], Init::Const(0.)).unwrap_err();
        assert_eq!(again.to_string(), "the parameter `head.weight` is declared twice");
        assert_eq!(LoadReport::new(None, &fresh).fresh, ["head.weight"]);
    }
}
