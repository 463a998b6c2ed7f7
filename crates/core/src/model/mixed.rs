//! Models in mixed precision: what they compute in, what they keep in bf16, and how that is saved.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::model::{Kept, LoadParts, Model};
use crate::error::{Error, Result};
use crate::libtorch::Precision;
use crate::modality::Modality;
use crate::spec::Spec;
use crate::weights::{Halved, SharedTensors, WeightSource, write_tensors_as};

impl Model {
    /// The same for computing in bf16, with the frozen matrices of the trunk, and of an embedder that is
    /// loaded, kept in bf16: half their memory, from the first on. `frozen` tells by name which
    /// parameters never train. [`save_from`](Self::save_from) writes the source's own values.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_halved<M: Modality>(
        spec: Spec,
        modality: &M,
        source: Option<(&WeightSource<'_>, LoadParts)>,
        device: Device,
        frozen: &dyn Fn(&str) -> bool,
    ) -> Result<Self> {
        let halved = Halved::new(frozen);
        let kept = Kept { halved: Some(&halved), shared: None };
        let model = Self::build(spec, modality, source, device, kept)?;
        model.set_precision(Precision::Bf16)?;
        model.rounded.replace(halved.rounded());
        Ok(model)
    }

    /// The same for a model that is not trained, which computes in this precision. In bf16, its matrices
    /// are kept in that.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if the device does not compute in it.
    pub fn for_inference<M: Modality>(
        spec: Spec,
        modality: &M,
        source: Option<(&WeightSource<'_>, LoadParts)>,
        device: Device,
        precision: Precision,
    ) -> Result<Self> {
        Self::for_inference_beside(spec, modality, source, (device, precision), None)
    }

    /// The same, which keeps only those parameters by itself that `shared` does not have.
    ///
    /// # Errors
    /// As [`for_inference`](Self::for_inference).
    pub(crate) fn for_inference_beside<M: Modality>(
        spec: Spec,
        modality: &M,
        source: Option<(&WeightSource<'_>, LoadParts)>,
        (device, precision): (Device, Precision),
        shared: Option<&SharedTensors>,
    ) -> Result<Self> {
        precision.check(device)?;
        let all = |_: &str| true;
        let halved = (precision == Precision::Bf16).then(|| Halved::new(&all));
        let kept = Kept { halved: halved.as_ref(), shared };
        let model = Self::build(spec, modality, source, device, kept)?;
        model.set_precision(precision)?;
        if let Some(halved) = halved {
            model.rounded.replace(halved.rounded());
        }
        Ok(model)
    }

    /// The precision in which it computes.
    pub fn precision(&self) -> Precision {
        self.classifier.precision()
    }

    /// Computes in another precision from now on, in training and without.
    ///
    /// # Errors
    /// If the device does not, or if parameters are kept in bf16 and it is another.
    pub fn set_precision(&self, precision: Precision) -> Result<()> {
        let is_half = |t: &Tensor| t.kind() == Kind::BFloat16;
        if precision != Precision::Bf16 && self.store.variables().values().any(is_half) {
            let problem = format!("{precision}: the model's frozen parts are kept in bf16");
            return Err(Error::setting("--precision", problem));
        }
        self.classifier.set_precision(precision)
    }

    /// The same of a model that [keeps parameters in bf16](Self::with_halved): the values of those are
    /// read from their source again, one tensor after the other, so that no digit is lost and no memory
    /// needed. What the source no longer has as it was loaded is written as it is kept, in bf16, and
    /// counted in what is returned: a training is not lost for it.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_from(&self, source: &WeightSource<'_>, path: &Path) -> Result<usize> {
        let (rounded, mut changed) = (self.rounded.borrow(), 0);
        write_tensors_as(self.store.variables(), path, &mut |name, kept| {
            if !rounded.contains(name) {
                return kept.shallow_clone();
            }
            let half = kept.to_device(Device::Cpu);
            let read = source.tensor(name, &kept.size()).ok();
            read.filter(|value| value.to_kind(Kind::BFloat16).equal(&half)).unwrap_or_else(|| {
                changed += 1;
                half
            })
        })?;
        Ok(changed)
    }
}
