//! Writes named tensors to a file.

use std::borrow::Cow;
use std::cell::RefCell;
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
    write_tensors_as(tensors, path, &mut |_, tensor| tensor.shallow_clone())
}

/// The same, where the values of a tensor are those of what `written` makes of it, alike in shape.
/// That is asked for one tensor after the other, so that there is never more than one such copy.
pub(crate) fn write_tensors_as(
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    path: &Path,
    written: &mut dyn FnMut(&str, &Tensor) -> Tensor,
) -> Result<()> {
    let (failed, written) = (RefCell::new(None), RefCell::new(written));
    let (failed, written) = (&failed, &written);
    let tensors: Vec<_> = tensors
        .into_iter()
        .map(|(name, tensor)| match fault(&tensor)? {
            None => {
                let shape = tensor.size().iter().map(|&n| n as usize).collect();
                Ok((name.clone(), Stored { name, shape, tensor, written, failed }))
            }
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
        let made = safetensors::serialize_to_file(tensors, metadata, partial);
        if let Some(failed) = failed.take() {
            return Err(failed);
        }
        made.map_err(|e| match e {
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

/// What is written of a tensor, by its name.
type Written<'f> = RefCell<&'f mut dyn FnMut(&str, &Tensor) -> Tensor>;

/// A tensor as safetensors takes it, whose bytes are made when they are written.
struct Stored<'w, 'f> {
    name: String,
    shape: Vec<usize>,
    tensor: Tensor,
    written: &'w Written<'f>,
    /// The first failure: the library asks for bytes, and takes no error.
    failed: &'w RefCell<Option<Error>>,
}

impl Stored<'_, '_> {
    fn kind(&self) -> Kind {
        if self.tensor.kind() == Kind::Int64 { Kind::Int64 } else { Kind::Float }
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let tensor = (self.written.borrow_mut())(&self.name, &self.tensor.detach());
        let tensor = tensor.to_device(Device::Cpu).to_kind(self.kind()).contiguous();
        let mut bytes = vec![0; self.data_len()];
        tensor.f_copy_data_u8(&mut bytes, self.tensor.numel())?;
        Ok(bytes)
    }
}

impl View for Stored<'_, '_> {
    fn dtype(&self) -> Dtype {
        if self.kind() == Kind::Int64 { Dtype::I64 } else { Dtype::F32 }
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        if self.failed.borrow().is_some() {
            return Cow::Borrowed(&[]);
        }
        self.bytes().map_or_else(
            |error| {
                self.failed.replace(Some(error));
                Cow::Borrowed(&[][..])
            },
            Cow::Owned,
        )
    }
    fn data_len(&self) -> usize {
        self.tensor.numel() * self.kind().elt_size_in_bytes()
    }
}
