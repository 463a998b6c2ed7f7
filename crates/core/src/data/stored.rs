//! Inputs that lie within a larger file, a shard, and are read when they are needed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use super::encoding;
#[cfg(feature = "parquet")]
use super::table::StoredCells;

/// An input that lies within a larger file: a member of a tar file, a cell of a Parquet file. It takes a
/// few bytes of memory, whatever its size.
#[derive(Debug, Clone)]
pub struct Stored {
    shard: Arc<Shard>,
    /// Where it begins, in bytes, or its row, counted from 0.
    at: u64,
    /// In bytes; not known of a cell.
    length: u64,
    /// What its file was called, if that matters.
    name: Option<Box<str>>,
}

/// The larger file.
#[derive(Debug)]
pub(super) enum Shard {
    Tar {
        path: PathBuf,
        /// When its members were listed, in bytes.
        size: u64,
        /// Whether its members are texts.
        texts: bool,
    },
    #[cfg(feature = "parquet")]
    Parquet(StoredCells),
}

/// What lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Contents {
    File(Arc<[u8]>),
    Text(String),
}

/// Why an input that lies within a larger file cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// A larger one is not read into memory.
pub(super) const LONGEST: u64 = 512 << 20;

impl Stored {
    pub(super) fn new(shard: &Arc<Shard>, at: u64, length: u64, name: Option<&str>) -> Self {
        Self { shard: shard.clone(), at, length, name: name.map(Box::from) }
    }

    /// What its file was called; `None` where nothing depends on that.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Reads it.
    pub(super) fn read(&self) -> Result<Contents, Unreadable> {
        match &*self.shard {
            Shard::Tar { path, size, texts } => {
                let bytes = part(path, *size, self.at, self.length).map_err(Unreadable)?;
                if !texts {
                    return Ok(Contents::File(bytes.into()));
                }
                let text = encoding::decode(&bytes).map_err(|e| Unreadable(e.to_string()))?.trim();
                match text.is_empty() {
                    true => Err(Unreadable("has no text in it".into())),
                    false => Ok(Contents::Text(text.into())),
                }
            }
            #[cfg(feature = "parquet")]
            Shard::Parquet(cells) => cells.read(self.at).map(Contents::File).map_err(Unreadable),
        }
    }

    /// A part of a shard that is best read from its beginning to its end; `None`: anything can be read at
    /// any time.
    pub(crate) fn stretch(&self) -> Option<[usize; 2]> {
        match &*self.shard {
            Shard::Tar { .. } => None,
            #[cfg(feature = "parquet")]
            Shard::Parquet(cells) => {
                Some([Arc::as_ptr(&self.shard) as usize, cells.group(self.at)])
            }
        }
    }
}

/// The same place in the same shard.
impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&*self.shard, &*other.shard) {
            (Shard::Tar { path: a, .. }, Shard::Tar { path: b, .. }) => a == b,
            #[cfg(feature = "parquet")]
            (Shard::Parquet(a), Shard::Parquet(b)) => a.path() == b.path(),
            #[cfg(feature = "parquet")]
            _ => false,
        };
        same && self.at == other.at
    }
}

impl Eq for Stored {}

/// So many bytes of a file from some place on. The file is opened anew: shards may be many more than
/// files that a process may hold open.
fn part(path: &PathBuf, size: u64, at: u64, length: u64) -> Result<Vec<u8>, String> {
    let failed = |e| format!("the file it is in cannot be read ({e})");
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() != size {
        return Err("the file it is in has changed meanwhile; begin anew".into());
    }
    file.seek(SeekFrom::Start(at)).map_err(failed)?;
    let mut bytes = Vec::with_capacity(length.min(LONGEST) as usize);
    file.take(length.min(LONGEST)).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err("is cut off".into()),
    }
}
