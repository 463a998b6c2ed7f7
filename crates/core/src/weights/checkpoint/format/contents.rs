//! What a reader returns: names, and views of a file's bytes.

use std::collections::BTreeMap;
use std::fmt;

use super::limits::{MOST_TENSORS, quote};
use super::stored::Stored;

/// How a checkpoint is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `.safetensors`.
    Safetensors,
    /// The zip archive that `torch.save` has written since PyTorch 1.6: `.pt`, `.pth`, `.bin`.
    TorchZip,
    /// The zip archive of `torch.jit.save`.
    TorchScript,
    /// The sequence of pickles that `torch.save` wrote before PyTorch 1.6.
    TorchLegacy,
    /// NumPy's `.npz`.
    Npz,
    /// NumPy's `.npy`: one array, under the name [`ONLY`].
    Npy,
}

/// The name of a tensor in a file without names.
pub const ONLY: &str = "tensor";

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::TorchZip => "PyTorch zip",
            Self::TorchScript => "TorchScript",
            Self::TorchLegacy => "PyTorch before 1.6",
            Self::Npz => "npz",
            Self::Npy => "npy",
        })
    }
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Contents {
    /// How it is stored.
    pub(crate) format: Format,
    /// The tensors by name.
    pub(crate) tensors: BTreeMap<String, Stored>,
    /// Other named contents, and what they are.
    pub(crate) skipped: BTreeMap<String, String>,
    /// The key of the weights that were taken, of several, and the others.
    pub(crate) chosen: Option<(String, Vec<String>)>,
}

/// Adds a tensor, whose name must be new.
pub(crate) fn insert(
    tensors: &mut BTreeMap<String, Stored>,
    name: String,
    stored: Stored,
) -> Result<(), String> {
    if tensors.len() >= MOST_TENSORS {
        return Err(format!("more than {MOST_TENSORS} tensors; that is no checkpoint"));
    }
    if tensors.contains_key(&name) {
        return Err(format!("two tensors are called {}", quote(&name)));
    }
    tensors.insert(name, stored);
    Ok(())
}
