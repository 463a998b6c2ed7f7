//! NumPy's `.npz`: a zip archive with a `.npy` record for each array.

use std::collections::BTreeMap;

use super::contents::{Contents, Format, insert};
use super::limits::quote;
use super::npy;
use super::npy::{Array, LONGEST_HEADER};
use super::zip::Archive;

/// Reads an archive.
///
/// # Errors
/// If none of its records is an array, or if one is broken or holds Python objects.
pub(super) fn read(archive: &Archive<'_>) -> Result<Contents, String> {
    let (mut tensors, mut skipped) = (BTreeMap::new(), BTreeMap::new());
    let mut arrays = 0;
    for (record, block) in archive.records() {
        let Some(name) = record.strip_suffix(".npy") else {
            skipped.insert(record.into(), "record".into());
            continue;
        };
        arrays += 1;
        let head = archive.head(block, LONGEST_HEADER)?;
        match npy::array(&head, block.clone()).map_err(|e| format!("{}: {e}", quote(name)))? {
            Array::Tensor(stored) => insert(&mut tensors, name.into(), stored)?,
            Array::Other(what) => {
                skipped.insert(name.into(), what);
            }
        }
    }
    if arrays == 0 {
        return Err("a zip archive, but neither PyTorch's nor NumPy's: it has neither a data.pkl \
                    in a folder nor an array; unpack it and name the checkpoint in it"
            .into());
    }
    Ok(Contents { format: Format::Npz, tensors, skipped, chosen: None })
}
