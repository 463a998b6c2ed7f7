//! PyTorch's zip archives: a pickle that describes the tensors, and a record for each storage.
//!
//! `torch.save` and `torch.jit.save` write the same layout below one folder: `data.pkl`,
//! `data/KEY`, `byteorder`; the second adds `constants.pkl` and its code.

use std::collections::BTreeMap;

use super::block::ByteRange;
use super::contents::{Contents, Format};
use super::limits::quote;
use super::names::{Keys, Named};
use super::pickle::{Heap, StorageRef, machine};
use super::stored::{ByteOrder, Storage, Stored, size};
use super::zip::Archive;
use super::{names, stored};

const PICKLE: &str = "/data.pkl";

/// The longest deflated pickle. A stored one is part of the file's map.
const LONGEST_PICKLE: usize = 64 << 20;

/// The folder of a PyTorch archive, if an archive is one.
pub(super) fn folder<'a>(archive: &Archive<'a>) -> Result<Option<&'a str>, String> {
    let is_top = |name: &&str| !name.contains('/');
    let mut folders =
        archive.records().filter_map(|(name, _)| name.strip_suffix(PICKLE)).filter(is_top);
    match (folders.next(), folders.next()) {
        (Some(a), Some(b)) => Err(format!("two checkpoints in one: {} and {}", quote(a), quote(b))),
        (folder, _) => Ok(folder),
    }
}

/// Reads an archive that has such a folder.
pub(super) fn read(archive: &Archive<'_>, keys: Keys) -> Result<Contents, String> {
    let folder = folder(archive)?.unwrap_or_default();
    let record = |name: &str| archive.get(&format!("{folder}/{name}"));
    let block = record("data.pkl").ok_or("no data.pkl in the archive")?;
    if block.len() > LONGEST_PICKLE && block.range.len() < block.len() {
        return Err(format!(
            "its data.pkl is deflated from {} bytes; that is no checkpoint",
            block.len()
        ));
    }
    let order = match record("byteorder").map(|block| archive.head(block, 6)).transpose()? {
        None => ByteOrder::Little,
        Some(order) if *order == *b"little" => ByteOrder::Little,
        Some(order) if *order == *b"big" => ByteOrder::Big,
        Some(_) => return Err("its byteorder is neither little nor big".into()),
    };
    let data = archive.head(block, block.len())?;
    let (root, heap, _) = machine::load(&data)?;
    let blocks = |storage: &StorageRef<'_>| {
        let block = record(&format!("data/{}", storage.key)).cloned();
        block.ok_or_else(|| format!("no record data/{}", quote(storage.key)))
    };
    let format =
        if record("constants.pkl").is_some() { Format::TorchScript } else { Format::TorchZip };
    contents(format, &heap, names::name(&heap, root, keys)?, order, blocks)
}

/// Assigns each tensor of a pickle the block of its storage.
pub(super) fn contents<'a>(
    format: Format,
    heap: &Heap<'a>,
    Named { tensors: named, skipped, chosen }: Named<'_>,
    order: ByteOrder,
    block: impl Fn(&StorageRef<'a>) -> Result<ByteRange, String>,
) -> Result<Contents, String> {
    let mut tensors = BTreeMap::new();
    for (name, tensor) in named {
        let storage = heap.storage(tensor).ok_or("a tensor without a storage")?;
        let stored = || {
            let block = block(&storage)?;
            // The length of an untyped storage is in bytes.
            let size = size(tensor.dtype).unwrap_or(1);
            let unit = storage.dtype.and_then(stored::size).unwrap_or(1);
            let whole = storage.len.checked_mul(unit);
            if whole.is_none_or(|whole| whole > block.len()) {
                return Err(format!(
                    "its storage has {} bytes, not {} elements of {unit}",
                    block.len(),
                    storage.len
                ));
            }
            let (start, len) = (storage.part.0 * unit, storage.part.1 * unit / size);
            let storage = Storage { block, start, len, order };
            let (shape, strides) = (tensor.shape.clone(), tensor.strides.clone());
            Stored::new(tensor.dtype, shape, strides, tensor.offset, storage)
        };
        let stored = stored().map_err(|problem| format!("{}: {problem}", quote(&name)))?;
        tensors.insert(name, stored);
    }
    Ok(Contents { format, tensors, skipped, chosen })
}
