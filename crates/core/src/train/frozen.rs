//! The proof that frozen tensors do not change.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files::hexadecimal;
use crate::libtorch::bytes::each_piece;
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

    /// The hash as it was at first.
    pub(super) fn digest(&self) -> &str {
        &self.digest
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

/// The SHA-256 over the values of tensors, in hexadecimal digits.
pub(super) fn digest(model: &Model, names: &[String]) -> Result<String> {
    let variables = model.store().variables();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        if let Some(tensor) = variables.get(name) {
            each_piece(tensor, |bytes| {
                hash.update(bytes);
                Ok(())
            })?;
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}
