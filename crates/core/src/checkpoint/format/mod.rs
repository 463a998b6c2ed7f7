//! The formats of checkpoints, each read from bytes alone.
//!
//! Nothing here knows libtorch or a file system, executes what a file says, or allocates what a
//! file merely claims: a reader turns bytes into names and [`Stored`] views, all of them checked
//! against the bytes that are there. An error is one line; the caller adds the file's name.

mod block;
mod header;
pub(crate) mod index;
mod legacy;
mod names;
mod npy;
mod npz;
mod pickle;
mod safetensors;
mod stored;
mod torch;
mod zip;

use std::{collections::BTreeMap, fmt};

pub(crate) use block::{Block, Packing, inflate};
pub(crate) use stored::{Order, Stored};

/// The most tensors that one file may name. The largest published checkpoints have some 10⁵.
pub(crate) const MOST_TENSORS: usize = 1 << 18;
/// The most dimensions that a tensor may have, libtorch's own bound.
pub(crate) const MOST_DIMENSIONS: usize = 64;

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
    /// The row of pickles that `torch.save` wrote before PyTorch 1.6.
    TorchLegacy,
    /// NumPy's `.npz`.
    Npz,
    /// NumPy's `.npy`: one array, under the name [`ONLY`].
    Npy,
}

/// The name of a tensor that its file gives no name.
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
    /// What else has a name, and what it is.
    pub(crate) skipped: BTreeMap<String, String>,
}

/// Reads the names and places of a file's tensors.
pub(crate) fn read(data: &[u8]) -> Result<Contents, String> {
    match data {
        // A header of JSON behind its length, whose first byte may be any: 0x80, too, with which a
        // pickle begins.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => safetensors::read(data),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            let archive = zip::Archive::read(data)?;
            if torch::folder(&archive)?.is_some() {
                torch::read(&archive)
            } else {
                npz::read(&archive)
            }
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::read(data),
        [0x80, ..] => legacy::read(data),
        // The same with a length that cannot be, which the reader says.
        [.., _] if data.get(8) == Some(&b'{') && !is_text(data) => safetensors::read(data),
        _ => Err(stranger(data)),
    }
}

/// Whether a file is text, as an index of shards is.
pub(crate) fn is_text(data: &[u8]) -> bool {
    let start = &data[..data.len().min(16)];
    !start.is_empty() && start.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
}

/// What is wrong with a file of no known format.
fn stranger(data: &[u8]) -> String {
    let sees = |magic: &[u8]| data.starts_with(magic);
    let is = if data.is_empty() {
        "it is empty; fetch it again"
    } else if sees(b"version https://git-lfs") {
        "it is a Git LFS pointer, not the weights; fetch the file itself (`git lfs pull`)"
    } else if sees(b"<") {
        "it is a web page, not the weights; fetch the file itself"
    } else if sees(b"\x89HDF") {
        "it is HDF5, as Keras writes it; convert it to safetensors"
    } else if sees(b"GGUF") {
        "it is GGUF; name the safetensors or PyTorch file of the same model"
    } else if data.get(257..262) == Some(b"ustar") {
        "it is in PyTorch's tar format of before 2017; load it there and save it again"
    } else {
        "it is none of safetensors, PyTorch, TorchScript, npz or npy; fetch it again, or convert it"
    };
    format!("not a checkpoint: {is}")
}

/// A name from a file, fit for a line of text.
pub(crate) fn quote(name: &str) -> String {
    const SHOWN: usize = 100;
    let cut: String = name.chars().take(SHOWN).collect();
    let dots = if cut.len() < name.len() { "…" } else { "" };
    format!("`{}{dots}`", cut.escape_debug())
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
