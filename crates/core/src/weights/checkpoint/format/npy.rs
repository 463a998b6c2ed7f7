//! NumPy's `.npy`: a line of Python that says type, order and shape, then the array.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::block::{ByteRange, Packing};
use super::contents::{Contents, Format, ONLY};
use super::limits::{MOST_DIMENSIONS, quote};
use super::stored::{ByteOrder, Storage, Stored, column_strides, numel, size};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The most bytes of a header, with the magic number.
pub(super) const LONGEST_HEADER: usize = 1 << 14;

/// An array, or the name of a type that libtorch lacks.
pub(super) enum Array {
    Tensor(Stored),
    Other(String),
}

/// Reads a file of one array.
pub(super) fn read(data: &[u8]) -> Result<Contents, String> {
    let (mut tensors, mut skipped) = (BTreeMap::new(), BTreeMap::new());
    let block = ByteRange { range: 0..data.len(), packing: Packing::Plain };
    match array(&data[..data.len().min(LONGEST_HEADER)], block)? {
        Array::Tensor(stored) => {
            tensors.insert(ONLY.into(), stored);
        }
        Array::Other(what) => {
            skipped.insert(ONLY.into(), what);
        }
    }
    Ok(Contents { format: Format::Npy, tensors, skipped, chosen: None })
}

/// The array of a block whose first [`LONGEST_HEADER`] bytes are `head`.
pub(super) fn array(head: &[u8], block: ByteRange) -> Result<Array, String> {
    let broken = || "not a whole npy array; write it again".to_owned();
    let rest = head.strip_prefix(MAGIC).ok_or_else(broken)?;
    let (text, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return Err(broken()),
    };
    let text = rest.get(..text as usize).ok_or_else(broken)?;
    let start = head.len() - rest.len() + text.len();
    let Header { descr, fortran, shape } =
        str::from_utf8(text).ok().and_then(header).ok_or_else(broken)?;
    let (order, dtype) = match element(&descr) {
        Element::Known(order, dtype) => (order, dtype),
        Element::Object => {
            return Err(
                "it holds Python objects, which only run code can make; save numbers".into()
            );
        }
        Element::Other => return Ok(Array::Other(format!("array of {}", quote(&descr)))),
    };
    let strides = if fortran { column_strides(&shape) } else { vec![] };
    let len = numel(&shape)?;
    let bytes = len * size(dtype).unwrap_or(1);
    if block.len().checked_sub(start) != Some(bytes) {
        let is = block.len().saturating_sub(start);
        return Err(format!("{dtype:?} {shape:?} takes {bytes} bytes, but {is} are there"));
    }
    let storage = Storage { block, start, len, order };
    let stored = if fortran {
        Stored::new(dtype, shape, strides, 0, storage)
    } else {
        Stored::rows(dtype, shape, storage)
    };
    stored.map(Array::Tensor)
}

/// What the header says.
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
fn header(text: &str) -> Option<Header> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, value) = rest.strip_prefix('\'')?.split_once("':")?;
        let value = value.trim_start();
        let after;
        match key {
            "descr" => {
                let found;
                (found, after) = if let Some(text) = value.strip_prefix('\'') {
                    text.split_once('\'')?
                } else {
                    // A record type, a list of tuples that may nest: not a tensor in any case.
                    let end = value.find("'fortran_order'").or(value.find("'shape'"));
                    (value.starts_with('[')).then_some(())?;
                    value.split_at(end.unwrap_or(value.len()))
                };
                (descr.replace(found.trim_end().to_owned()).is_none()).then_some(())?;
            }
            "fortran_order" => {
                let found = value.starts_with("True");
                after = value.strip_prefix(if found { "True" } else { "False" })?;
                (fortran.replace(found).is_none()).then_some(())?;
            }
            "shape" => {
                let (sizes, end) = value.strip_prefix('(')?.split_once(')')?;
                after = end;
                (shape.replace(tuple(sizes)?).is_none()).then_some(())?;
            }
            _ => return None,
        }
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(Header { descr: descr?, fortran: fortran?, shape: shape? })
}

/// The sizes of `2, 3` or `2,` or nothing; Python 2 wrote `2L`.
fn tuple(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.is_empty() {
        return Some(vec![]);
    }
    let sizes = text.split(',').take(MOST_DIMENSIONS + 1);
    sizes.map(|n| n.trim().trim_end_matches('L').parse().ok()).collect()
}

/// The type of an array's elements.
enum Element {
    Known(ByteOrder, Dtype),
    Object,
    Other,
}

/// What a type like `<f4` is.
fn element(descr: &str) -> Element {
    if descr.contains('O') {
        return Element::Object;
    }
    let (order, name) = match descr.split_at_checked(1) {
        Some(("<", name)) => (ByteOrder::Little, name),
        Some((">", name)) => (ByteOrder::Big, name),
        Some(("|" | "=", name)) => (ByteOrder::NATIVE, name),
        _ => (ByteOrder::NATIVE, descr),
    };
    let dtype = match name {
        "b1" | "?" => Dtype::BOOL,
        "u1" => Dtype::U8,
        "u2" => Dtype::U16,
        "u4" => Dtype::U32,
        "u8" => Dtype::U64,
        "i1" => Dtype::I8,
        "i2" => Dtype::I16,
        "i4" => Dtype::I32,
        "i8" => Dtype::I64,
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        "c8" => Dtype::C64,
        _ => return Element::Other,
    };
    Element::Known(order, dtype)
}
