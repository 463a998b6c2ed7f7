//! What `torch.save` wrote before PyTorch 1.6: five pickles in a row (a magic number, a version,
//! the system, the object, the storages' keys), then each storage as its length and its bytes.

use std::collections::HashMap;

use super::block::{ByteRange, Packing};
use super::contents::{Contents, Format};
use super::limits::quote;
use super::names::Keys;
use super::pickle::{Node, StorageRef, Value, machine};
use super::stored::{ByteOrder, size};
use super::{names, torch};

/// A pickle of the number 0x1950a86a20f9469cfc6c.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

const VERSION: i64 = 1001;

pub(super) fn read(data: &[u8], keys: Keys) -> Result<Contents, String> {
    if !data.starts_with(MAGIC) {
        return Err("a pickle, but not one that torch.save wrote; save the weights with it".into());
    }
    let mut at = MAGIC.len();
    let mut next = || {
        let (value, heap, len) = machine::load(&data[at..])?;
        at += len;
        Ok::<_, String>((value, heap))
    };
    if !matches!(next()?.0, Value::Int(VERSION)) {
        return Err(format!("not the version {VERSION} of the legacy format; save it again"));
    }
    // The system: storages are little-endian on all.
    next()?;
    let (root, heap) = next()?;
    let (stored, keys_heap) = next()?;
    let named = names::name(&heap, root, keys)?;
    let sizes: HashMap<&str, (usize, usize)> = heap
        .storages()
        .map(|storage| (storage.key, (storage.len, storage.dtype.and_then(size).unwrap_or(1))))
        .collect();
    let Some(Node::List(keys)) = keys_heap.get(stored) else {
        return Err("no list of storages behind the object; fetch it again".into());
    };
    let mut blocks = HashMap::new();
    for key in keys {
        let Value::Str(key) = *key else { return Err("the key of a storage is no text".into()) };
        let (len, size) = *sizes
            .get(key)
            .ok_or_else(|| format!("nothing known is in the storage {}", quote(key)))?;
        let range = range(data, at, len, size).ok_or_else(|| {
            format!("the storage {} is cut off or of another length; fetch it again", quote(key))
        })?;
        at = range.end;
        if blocks.insert(key, ByteRange { range, packing: Packing::Plain }).is_some() {
            return Err(format!("the storage {} is there twice", quote(key)));
        }
    }
    let block = |storage: &StorageRef<'_>| {
        let block = blocks.get(storage.key).cloned();
        block.ok_or_else(|| format!("no storage {}", quote(storage.key)))
    };
    torch::contents(Format::TorchLegacy, &heap, named, ByteOrder::Little, block)
}

/// The bytes of the storage at `at`, which must have as many elements as the pickle says.
fn range(data: &[u8], at: usize, len: usize, size: usize) -> Option<std::ops::Range<usize>> {
    let (number, _) = data.get(at..)?.split_first_chunk()?;
    let start = at + number.len();
    let bytes = len.checked_mul(size)?;
    let end = start.checked_add(bytes)?;
    (u64::from_le_bytes(*number) == len as u64 && end <= data.len()).then_some(start..end)
}
