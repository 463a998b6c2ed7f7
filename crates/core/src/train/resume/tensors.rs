//! The tensors of a checkpoint in a file: safetensors, every type as it is, bit by bit.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::{Error, Result};
use crate::libtorch::bytes::each_piece;

/// The types that tensors of a training have, with safetensors' names for them.
const TYPES: [(Kind, &str); 9] = [
    (Kind::Float, "F32"),
    (Kind::Double, "F64"),
    (Kind::Half, "F16"),
    (Kind::BFloat16, "BF16"),
    (Kind::Int64, "I64"),
    (Kind::Int, "I32"),
    (Kind::Int8, "I8"),
    (Kind::Uint8, "U8"),
    (Kind::Bool, "BOOL"),
];

/// A tensor in the header of a file.
#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<i64>,
    data_offsets: [u64; 2],
}

/// Writes tensors, one after another: no copy is made of all of them. Nothing is refused: where a
/// training has come to is for it to judge.
///
/// # Errors
/// The reason for which it cannot be done; [`Error::Torch`], if it is libtorch's.
pub(super) fn write(
    tensors: &BTreeMap<String, Tensor>,
    to: &mut impl Write,
    failed: impl Fn(std::io::Error) -> Error,
) -> Result<()> {
    let mut header = BTreeMap::new();
    let mut end = 0;
    for (name, tensor) in tensors {
        let kind = tensor.kind();
        let dtype = TYPES.iter().find(|(of, _)| *of == kind).map(|(_, dtype)| (*dtype).to_owned());
        let dtype = dtype.ok_or_else(|| {
            failed(std::io::Error::other(format!("`{name}` is of the type {kind:?}")))
        })?;
        let begin = end;
        end += (tensor.numel() * kind.elt_size_in_bytes()) as u64;
        let entry = Entry { dtype, shape: tensor.size(), data_offsets: [begin, end] };
        header.insert(name.as_str(), entry);
    }
    let mut header = serde_json::to_vec(&header).map_err(|e| failed(e.into()))?;
    // So that what follows is aligned.
    header.resize(header.len().next_multiple_of(8), b' ');
    to.write_all(&(header.len() as u64).to_le_bytes()).map_err(&failed)?;
    to.write_all(&header).map_err(&failed)?;
    for tensor in tensors.values() {
        each_piece(tensor, |bytes| to.write_all(bytes).map_err(&failed))?;
    }
    Ok(())
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// The reason for which it cannot be read.
pub(super) fn read(from: &mut impl Read) -> Result<BTreeMap<String, Tensor>, String> {
    /// Bytes of a header: names and shapes.
    const MOST: u64 = 1 << 30;
    let said = |e: std::io::Error| e.to_string();
    let mut length = [0; 8];
    from.read_exact(&mut length).map_err(said)?;
    let length = u64::from_le_bytes(length);
    if length > MOST {
        return Err(format!("a header of {length} bytes"));
    }
    let mut header = vec![0; length as usize];
    from.read_exact(&mut header).map_err(said)?;
    let header: BTreeMap<String, Entry> =
        serde_json::from_slice(&header).map_err(|e| e.to_string())?;
    let mut entries: Vec<_> = header.into_iter().collect();
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut tensors = BTreeMap::new();
    for (name, Entry { dtype, shape, data_offsets: [begin, end] }) in entries {
        let kind = TYPES.iter().find(|(_, of)| *of == dtype).map(|(kind, _)| *kind);
        let kind = kind.ok_or_else(|| format!("`{name}` is of the type {dtype}"))?;
        let each = kind.elt_size_in_bytes() as u64;
        let bytes = shape
            .iter()
            .try_fold(each, |all, &n| all.checked_mul(u64::try_from(n).ok()?))
            .filter(|&bytes| end.checked_sub(begin) == Some(bytes))
            .ok_or_else(|| format!("`{name}` of {shape:?} in {begin} to {end}"))?;
        let mut data = vec![];
        from.by_ref().take(bytes).read_to_end(&mut data).map_err(said)?;
        if data.len() as u64 != bytes {
            return Err(format!("`{name}` ends early"));
        }
        let tensor = Tensor::f_from_data_size(&data, &shape, kind).map_err(|e| e.to_string())?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn every_bit_comes_back() {
        let cpu = |kind| (kind, Device::Cpu);
        let float = Tensor::from_slice(&[f32::NAN, f32::INFINITY, -0., 1e-40]);
        let mut tensors = BTreeMap::from([
            ("float".to_owned(), float.view([2, 2])),
            ("scalar".to_owned(), Tensor::from(3i64)),
            ("none".to_owned(), Tensor::zeros([0, 5], cpu(Kind::Double))),
            ("turned".to_owned(), Tensor::arange(6, cpu(Kind::Int)).view([2, 3]).tr()),
        ]);
        for (kind, name) in TYPES {
            tensors.insert(name.into(), Tensor::ones([3], cpu(Kind::Float)).to_kind(kind));
        }
        let mut file = vec![];
        write(&tensors, &mut file, |e| Error::io("file", "write")(e)).unwrap();
        let back = read(&mut &file[..]).unwrap();
        assert_eq!(back.len(), tensors.len());
        for (name, tensor) in &tensors {
            let back = &back[name];
            assert_eq!((back.size(), back.kind()), (tensor.size(), tensor.kind()), "{name}");
            let bytes = |t: &Tensor| {
                let mut all = vec![];
                each_piece(t, |bytes| {
                    all.extend_from_slice(bytes);
                    Ok(())
                })
                .unwrap();
                all
            };
            assert_eq!(bytes(back), bytes(tensor), "{name}");
        }
        // Any reader of safetensors reads it.
        assert_eq!(safetensors::SafeTensors::deserialize(&file).unwrap().len(), tensors.len());
        for length in [0, 7, 100, file.len() - 1] {
            assert!(read(&mut &file[..length]).is_err(), "{length} bytes");
        }
    }
}
