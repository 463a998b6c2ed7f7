//! The readers of checkpoints and of tables, as the fuzz targets call them.
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
//! `table` takes any table but Parquet, by its first byte; for `parquet`, begin with
//! `../tests/fixtures/parquet`.
//!
//! The readers know no libtorch, so neither do the targets: they compile the same files. Beside
//! what the sanitizers see, a target checks that every tensor lies within its file, by copying it.

/// The folder of the readers of checkpoints; the modules in it are files of theirs.
#[allow(dead_code, unused_imports, reason = "the targets use a part of what the crate does")]
#[path = "../../src/weights"]
mod weights {
    pub(crate) mod checkpoint {
        pub(crate) mod format;
    }
}

/// The folder of the readers of data sets; the modules in it are files of theirs.
#[allow(dead_code, unused_imports, reason = "the targets use a part of what the crate does")]
#[path = "../../src/data"]
mod data {
    mod encoding;
    mod table;

    use std::{fs::File, path::Path};

    use table::{Table, TableFormat, Wanted};

    /// Reads a table of a kind that its ending tells.
    pub fn read(file: File, ending: &str) {
        // Shorter than what libFuzzer makes, so that the bound is met.
        const LONGEST: usize = 1000;
        let path = Path::new("table").with_extension(ending);
        let Some(format) = TableFormat::of(&path, &[]) else { return };
        let Ok(table) = Table::open(file, format, LONGEST) else { return };
        let mut last = 0;
        // What follows a row that cannot be read is read.
        let _ = table.rows(Wanted::All, None, &mut |row| {
            let line = row.map_or_else(|fault| fault.line, |row| Some(row.line));
            assert!(line > Some(last), "rows come in order");
            last = line.unwrap_or_default();
        });
    }
}

/// Reads a table.
pub fn table(contents: &[u8], ending: &str) {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().expect("a place for temporary files");
    file.write_all(contents).and_then(|()| file.rewind()).expect("room for temporary files");
    data::read(file, ending);
}

use weights::checkpoint::format;

/// As many bytes of a tensor as are copied.
const COPIED: usize = 1 << 20;

/// Reads a file of any format.
pub fn file(data: &[u8]) {
    let Ok(contents) = format::recognise::read(data) else { return };
    assert!(contents.tensors.len() <= format::limits::MOST_TENSORS);
    for stored in contents.tensors.values() {
        let bytes = stored.span() * stored.size();
        assert!(stored.numel() <= stored.block.len() / stored.size());
        assert!(stored.start + bytes <= stored.block.len());
        assert!(stored.block.range.end <= data.len());
        // What is packed may turn out to be broken only now.
        let (out, packed) = (&mut vec![0; bytes.min(COPIED)], &data[stored.block.range.clone()]);
        match stored.block.packing {
            format::Packing::Plain => {
                let end = stored.start + out.len();
                out.copy_from_slice(&packed[stored.start..end]);
            }
            format::Packing::Deflated { len, crc } => {
                let _ = format::inflate(packed, (len, crc), stored.start, out);
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
