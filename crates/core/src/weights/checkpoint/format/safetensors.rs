//! safetensors: the length of a JSON header, the header, the tensors' bytes.

use std::collections::BTreeMap;

use safetensors::Dtype;
use serde::Deserialize;

use super::block::{ByteRange, Packing};
use super::contents::{Contents, Format, insert};
use super::header;
use super::header::Members;
use super::limits::quote;
use super::stored::{ByteOrder, Storage, Stored, numel, size};

/// The longest header, the same bound as that of the library that writes these files.
const LONGEST_HEADER: usize = 100_000_000;

/// What the header says of a tensor.
#[derive(Deserialize)]
struct Info {
    dtype: Type,
    #[serde(deserialize_with = "header::shape")]
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// A type of elements: one that is known, or the name of a newer one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Type {
    Known(Dtype),
    Newer(String),
}

pub(super) fn read(data: &[u8]) -> Result<Contents, String> {
    let whole =
        |problem: String| format!("not a whole safetensors file ({problem}); fetch it again");
    let (length, rest) = data.split_first_chunk().ok_or_else(|| whole("8 bytes".into()))?;
    let length = u64::from_le_bytes(*length);
    let json = usize::try_from(length)
        .ok()
        .filter(|&n| n <= LONGEST_HEADER)
        .and_then(|n| rest.get(..n))
        .ok_or_else(|| whole(format!("a header of {length} bytes in {}", data.len())))?;
    let Members(members) =
        serde_json::from_slice::<Members<Info>>(json).map_err(|e| whole(e.to_string()))?;
    let base = 8 + json.len();
    let (mut tensors, mut skipped) = (BTreeMap::new(), BTreeMap::new());
    let mut ranges = Vec::with_capacity(members.len());
    for (name, Info { dtype, shape, data_offsets: (from, to) }) in members {
        let dtype = match dtype {
            Type::Known(dtype) => dtype,
            // Its length cannot be checked, but nothing reads it.
            Type::Newer(dtype) if is_name(&dtype) => {
                let what = format!("tensor of the type {}, which is not known here", quote(&dtype));
                skipped.insert(name, what);
                continue;
            }
            Type::Newer(dtype) => return Err(whole(format!("the type {}", quote(&dtype)))),
        };
        let bits = numel(&shape)
            .map_err(|e| whole(format!("{}: {e}", quote(&name))))?
            .checked_mul(dtype.bitsize());
        let len = to
            .checked_sub(from)
            .filter(|_| base.checked_add(to).is_some_and(|to| to <= data.len()));
        let (Some(len), true) = (len, bits == len.and_then(|len| len.checked_mul(8))) else {
            let problem = format!("{} of {dtype:?} {shape:?} at {from}..{to}", quote(&name));
            return Err(whole(problem));
        };
        ranges.push((from, to));
        let Some(size) = size(dtype) else {
            skipped.insert(name, format!("tensor of {dtype:?}, which libtorch lacks"));
            continue;
        };
        let block = ByteRange { range: base + from..base + to, packing: Packing::Plain };
        let storage = Storage { block, start: 0, len: len / size, order: ByteOrder::Little };
        let stored = Stored::rows(dtype, shape, storage)?;
        insert(&mut tensors, name, stored)?;
    }
    ranges.retain(|(from, to)| from < to);
    ranges.sort_unstable();
    if let Some(pair) = ranges.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        return Err(whole(format!("tensors overlap at {:?} and {:?}", pair[0], pair[1])));
    }
    Ok(Contents { format: Format::Safetensors, tensors, skipped, chosen: None })
}

/// Whether a type may be called so: `F8_E8M0`.
fn is_name(dtype: &str) -> bool {
    const LONGEST: usize = 20;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    dtype.len() <= LONGEST && dtype.chars().all(plain)
}
