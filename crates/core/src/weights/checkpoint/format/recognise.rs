//! Recognises a checkpoint's format.

use super::contents::Contents;
use super::names::Keys;
use super::zip::Archive;
use super::{legacy, npy, npz, safetensors, torch};

/// Reads the names and positions of a file's tensors; `keys` says what becomes of a pickle's.
pub(crate) fn read(data: &[u8], keys: Keys) -> Result<Contents, String> {
    match data {
        // A header of JSON behind its length, whose first byte may be any: 0x80, too, with which a
        // pickle begins.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => safetensors::read(data),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            let archive = Archive::read(data)?;
            if torch::folder(&archive)?.is_some() {
                torch::read(&archive, keys)
            } else {
                npz::read(&archive)
            }
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::read(data),
        [0x80, ..] => legacy::read(data, keys),
        // The same with an impossible length, which the reader reports.
        [.., _] if data.get(8) == Some(&b'{') && !is_text(data) => safetensors::read(data),
        _ => Err(stranger(data)),
    }
}

/// Whether a file is text, as an index of shards is.
pub(crate) fn is_text(data: &[u8]) -> bool {
    let start = &data[..data.len().min(16)];
    !start.is_empty() && start.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
}

/// What a file of an unknown format is.
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
