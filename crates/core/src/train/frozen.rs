//! The proof that frozen tensors do not change.

use sha2::{Digest, Sha256};
use tch::{Device, Tensor};

use crate::error::{Error, Result};
use crate::files::hexadecimal;
use crate::model::Model;

/// A hash over named tensors, as they are kept: of what is kept in bf16, over its two bytes.
#[derive(Debug)]
pub(super) struct FrozenHash {
    names: Vec<String>,
    digest: String,
}

impl FrozenHash {
    /// The hash of everything in the model but `moving`.
    pub(super) fn new(model: &Model, moving: &[String]) -> Result<Self> {
        let mut names: Vec<String> = model.store().variables().into_keys().collect();
        names.retain(|name| !moving.contains(name));
        names.sort();
        let digest = digest(model, &names)?;
        Ok(Self { names, digest })
    }

    /// Compares with the present values, and returns the hash.
    ///
    /// # Errors
    /// If anything has changed.
    pub(super) fn check(self, model: &Model) -> Result<String> {
        match digest(model, &self.names)? == self.digest {
            true => Ok(self.digest),
            false => Err(Error::FrozenChanged),
        }
    }
}

fn digest(model: &Model, names: &[String]) -> Result<String> {
    let variables = model.store().variables();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        if let Some(tensor) = variables.get(name) {
            update(&mut hash, tensor)?;
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

fn update(hash: &mut Sha256, tensor: &Tensor) -> Result<()> {
    let tensor = tensor.detach().to_device(Device::Cpu).contiguous();
    let size = tensor.kind().elt_size_in_bytes();
    // In pieces: a copy of the largest table would cost memory.
    const PIECE: i64 = 1 << 16;
    let flat = tensor.view(-1);
    let mut bytes = vec![0; PIECE as usize * size];
    for piece in flat.split(PIECE, 0) {
        let bytes = &mut bytes[..piece.numel() * size];
        piece.f_copy_data_u8(bytes, piece.numel())?;
        hash.update(bytes);
    }
    Ok(())
}
