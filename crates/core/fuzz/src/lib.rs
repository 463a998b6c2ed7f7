//! The readers of checkpoints, as the fuzz targets call them.
//!
//! ```text
//! cd crates/core/fuzz
//! mkdir -p corpus/torch
//! cargo +nightly fuzz run torch corpus/torch ../tests/fixtures/checkpoints -- -dict=pickle.dict
//! ```
//!
//! The target `pickle` begins best with a true one:
//! `unzip -p ../tests/fixtures/checkpoints/nested.pt nested/data.pkl > corpus/pickle/nested`.
//!
//! The readers know no libtorch, so neither do the targets: they compile the same files. Beside
//! what the sanitizers see, a target checks that every tensor lies within its file, by copying it.

#[allow(dead_code, reason = "the targets use a part of what the crate does")]
#[path = "../../src/checkpoint/format/mod.rs"]
mod format;

use format::Packing;

/// As many bytes of a tensor as are copied.
const COPIED: usize = 1 << 20;

/// Reads a file of any format.
pub fn file(data: &[u8]) {
    let Ok(contents) = format::read(data) else { return };
    assert!(contents.tensors.len() <= format::MOST_TENSORS);
    for stored in contents.tensors.values() {
        let bytes = stored.span() * stored.size();
        assert!(stored.numel() <= stored.block.len() / stored.size());
        assert!(stored.start + bytes <= stored.block.len());
        assert!(stored.block.range.end <= data.len());
        let packed = &data[stored.block.range.clone()];
        let mut copy = vec![0; bytes.min(COPIED)];
        match stored.block.packing {
            Packing::Plain => copy.copy_from_slice(&packed[stored.start..][..bytes.min(COPIED)]),
            // What is packed may turn out to be broken only now.
            Packing::Deflated { len, crc } => {
                let _ = format::inflate(packed, (len, crc), stored.start, &mut copy);
            }
        }
    }
}

/// Reads a file that begins with `magic`, so that its reader is reached at once.
pub fn after(magic: &[u8], data: &[u8]) {
    file(&[magic, data].concat());
}

/// Reads an index of shards.
pub fn index(data: &[u8]) {
    for shard in format::index::shards(data).unwrap_or_default().keys() {
        assert!(!shard.contains('/') && !shard.is_empty() && shard != "..");
    }
}
