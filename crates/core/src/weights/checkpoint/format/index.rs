//! The index of a checkpoint in several files: `….index.json`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;

use super::header::Members;
use super::limits::quote;

#[derive(Deserialize)]
struct Index {
    weight_map: Members<String>,
}

/// The tensors of each shard that an index lists.
pub(crate) fn shards(index: &[u8]) -> Result<BTreeMap<String, Vec<String>>, String> {
    let index: Index = serde_json::from_slice(index)
        .map_err(|e| format!("not an index of shards ({e}); name the weights or their folder"))?;
    let mut shards = BTreeMap::<String, Vec<String>>::new();
    for (tensor, shard) in index.weight_map.0 {
        // Whole: a name with a slash at its end has a file name, too.
        if Path::new(&shard).file_name() != Some(OsStr::new(&shard)) {
            let shard = quote(&shard);
            return Err(format!("it names the shard {shard}, which is not a file beside it"));
        }
        shards.entry(shard).or_default().push(tensor);
    }
    if shards.is_empty() {
        return Err("an index of no shards; fetch it again".into());
    }
    Ok(shards)
}
