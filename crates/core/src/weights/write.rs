//! Writes named tensors to a file.

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, View};
use tch::{Device, Kind, Tensor};

use super::finite::fault;
use crate::error::{Error, Result};
use crate::files::{replace_by, whole};

/// Writes named tensors to a safetensors file, counts as i64 and all else as f32: first under
/// another name, then renamed.
///
/// # Errors
/// If a tensor holds something else than finite numbers, or if the file cannot be written.
pub(crate) fn write_tensors(
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    path: &Path,
) -> Result<()> {
    let tensors: Vec<_> = tensors
        .into_iter()
        .map(|(name, tensor)| match fault(&tensor)? {
            None => Ok((name, Stored::new(&tensor)?)),
            Some(found) => {
                let path = path.to_path_buf();
                let then = "it was not written: the training diverged, so lower --lr";
                Err(Error::NotWeights { path, name, found, then })
            }
        })
        .collect::<Result<_>>()?;
    // transformers requires it.
    let metadata = Some([("format".to_string(), "pt".to_string())].into());
    replace_by(path, |partial| {
        // The library replaces it by a file that its owner alone can read.
        let rights = File::create(partial).and_then(|file| file.metadata());
        let rights = rights.map_err(Error::io(path, "write"))?.permissions();
        safetensors::serialize_to_file(tensors, metadata, partial).map_err(|e| match e {
            SafeTensorError::IoError(e) => Error::io(path, "write")(e),
            e => Error::Malformed { path: path.to_path_buf(), problem: e.to_string() },
        })?;
        fs::set_permissions(partial, rights).map_err(Error::io(path, "write"))
    })
}

/// The same to a file that is not there yet.
pub(crate) fn write_new_tensors(
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    path: &Path,
) -> Result<()> {
    whole(path, |partial| write_tensors(tensors, partial))
}

/// A tensor's bytes as safetensors takes them.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn new(tensor: &Tensor) -> Result<Self> {
        let (dtype, kind) = match tensor.kind() {
            Kind::Int64 => (Dtype::I64, Kind::Int64),
            _ => (Dtype::F32, Kind::Float),
        };
        let tensor = tensor.detach().to_device(Device::Cpu).to_kind(kind).contiguous();
        let mut bytes = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        Ok(Self { dtype, shape: tensor.size().iter().map(|&n| n as usize).collect(), bytes })
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        (&self.bytes).into()
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
