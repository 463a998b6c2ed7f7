//! Files in the cells of a Parquet file, read when they are needed, each by its row: the pages before
//! it are passed over by their headers, and one alone is unpacked.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, mem};

use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::ByteArrayType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::guarded::guarded;
use super::row::Fault;

/// A column of files in a Parquet file. It holds the footer, and no cell.
#[derive(Clone)]
pub(crate) struct StoredCells {
    path: PathBuf,
    /// The file's length when its footer was read, in bytes.
    size: u64,
    metadata: Arc<ParquetMetaData>,
    /// Among the columns without structure.
    leaf: usize,
    /// The first row of each row group, and the number of all rows.
    starts: Arc<[u64]>,
}

/// Columns that were read from, each at some row, so that one row after the other is read without
/// unpacking a page again. Each has a page in memory, which may be of many megabytes: there are as many as
/// there are threads to read, for all files together.
static CURSORS: Mutex<Vec<Cursor>> = Mutex::new(vec![]);

struct Cursor {
    /// The footer of the file.
    of: Arc<ParquetMetaData>,
    group: usize,
    /// The row of the group that comes next.
    next: usize,
    column: ColumnReaderImpl<ByteArrayType>,
}

impl StoredCells {
    /// The column `leaf` of texts or bytes, which must not be in a list.
    pub(super) fn new(path: &Path, size: u64, metadata: Arc<ParquetMetaData>, leaf: usize) -> Self {
        let mut starts = vec![0u64];
        for group in metadata.row_groups() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            starts.push(starts[starts.len() - 1].saturating_add(rows));
        }
        Self { path: path.to_path_buf(), size, metadata, leaf, starts: starts.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The row group that a row is in, counted from 0.
    pub(crate) fn group(&self, row: u64) -> usize {
        self.starts.partition_point(|&start| start <= row).saturating_sub(1)
    }

    /// The contents of the cell in a row, counted from 0.
    ///
    /// # Errors
    /// What is wrong with the file, or with the pages that the cell is in.
    pub(crate) fn read(&self, row: u64) -> Result<Arc<[u8]>, String> {
        let read = || self.cell(row).map_err(|problem| Fault::new(None, problem));
        guarded(read).map_err(|fault| fault.problem)
    }

    fn cell(&self, row: u64) -> Result<Arc<[u8]>, String> {
        let group = self.group(row);
        let at = (row - self.starts[group]) as usize;
        let mut cursor = match self.near(group, at) {
            Some(cursor) => cursor,
            None => self.open(group)?,
        };
        let broken = |e: ParquetError| format!("the page that it is in cannot be read ({e})");
        let passed = cursor.column.skip_records(at - cursor.next).map_err(broken)?;
        let (mut levels, mut values) = (vec![], vec![]);
        let (read, ..) =
            cursor.column.read_records(1, Some(&mut levels), None, &mut values).map_err(broken)?;
        if cursor.next + passed != at || read != 1 {
            return Err(format!("its row group {} has fewer rows than it says", group + 1));
        }
        cursor.next = at + 1;
        keep(cursor);
        let value = values.pop().ok_or("the row has no file")?;
        Ok(value.data().into())
    }

    /// The cursor that has the least way to go to a row of a group.
    fn near(&self, group: usize, row: usize) -> Option<Cursor> {
        let mut all = CURSORS.lock().unwrap_or_else(PoisonError::into_inner);
        let is_before = |cursor: &Cursor| {
            Arc::ptr_eq(&cursor.of, &self.metadata) && cursor.group == group && cursor.next <= row
        };
        let near = (0..all.len()).filter(|&at| is_before(&all[at]));
        let nearest = near.max_by_key(|&at| all[at].next)?;
        Some(all.remove(nearest))
    }

    fn open(&self, group: usize) -> Result<Cursor, String> {
        let failed = |e: std::io::Error| format!("the file it is in cannot be read ({e})");
        let file = File::open(&self.path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() != self.size {
            return Err("the file it is in has changed meanwhile; begin anew".into());
        }
        let group_of = self.metadata.row_groups().get(group).ok_or("there is no such row")?;
        let rows = usize::try_from(group_of.num_rows()).unwrap_or(0);
        let chunk = group_of.column(self.leaf);
        let pages = SerializedPageReader::new(Arc::new(file), chunk, rows, None)
            .map_err(|e| format!("the column it is in cannot be read ({e})"))?;
        let column = get_column_reader(chunk.column_descr_ptr(), Box::new(pages));
        let of = self.metadata.clone();
        Ok(Cursor { of, group, next: 0, column: get_typed_column_reader(column) })
    }
}

/// Keeps a cursor, and closes the one that was not used for longest.
fn keep(cursor: Cursor) {
    let mut all = CURSORS.lock().unwrap_or_else(PoisonError::into_inner);
    let closed = if all.len() >= rayon::current_num_threads() { Some(all.remove(0)) } else { None };
    all.push(cursor);
    mem::drop(all);
    mem::drop(closed);
}

/// Without the footer.
impl fmt::Debug for StoredCells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCells").field("path", &self.path).finish_non_exhaustive()
    }
}
