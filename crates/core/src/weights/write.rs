//! Writes named tensors to a file.

use std::borrow::Cow;
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, View};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::files::{replace_by, whole};

/// Writes named tensors to a safetensors file, counts as i64 and all else as f32: first under
/// another name, then renamed.
pub(crate) fn write_tensors(
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    path: &Path,
) -> Result<()> {
    let tensors: Vec<_> = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, Stored::new(&tensor)?)))
        .collect::<Result<_>>()?;
    // transformers requires it.
    let metadata = Some([("format".to_string(), "pt".to_string())].into());
    replace_by(path, |partial| {
        safetensors::serialize_to_file(tensors, metadata, partial).map_err(|e| match e {
            SafeTensorError::IoError(e) => Error::io(path, "write")(e),
            e => Error::Malformed { path: path.to_path_buf(), problem: e.to_string() },
        })
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
