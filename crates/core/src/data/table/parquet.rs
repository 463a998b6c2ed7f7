//! Parquet files as Hugging Face's `datasets` writes them: texts, labels whose names are in the
//! file's metadata, and files as structs `{bytes, path}`.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::TreeBuilder;
use parquet::schema::types::{SchemaDescriptor, Type};

use super::guarded::guarded;
use super::pages;
use super::row::{Cell, Each, Fault, Row, Wanted};
use super::stored::StoredCells;
use super::values::{classes, features, file, integer};

/// A file whose footer has been read.
pub(super) struct Reader {
    file: SerializedFileReader<File>,
    /// The same file, to look at its pages.
    own: File,
    /// The class names of each column that has some.
    classes: Vec<Option<Vec<String>>>,
    budget: u64,
}

/// The most memory of the rows, for each byte of the file: more than compression achieves, except
/// in a file that was made to exhaust memory.
const BLOW_UP: u64 = 256;

const AT_LEAST: u64 = 256 << 20;

/// Rows are decoded so many at a time.
const ROWS: usize = 1024;

/// The same where there are files in them.
const FILES: usize = 16;

/// What a cell takes besides its contents, in bytes.
const CELL: u64 = 64;

impl Reader {
    pub(super) fn open(file: File) -> Result<Self, Fault> {
        guarded(|| Self::checked(file))
    }

    fn checked(file: File) -> Result<Self, Fault> {
        let failed = |e| Fault::new(None, format!("cannot be read ({e})"));
        let size = file.metadata().map_err(failed)?.len();
        let own = file.try_clone().map_err(failed)?;
        let file = SerializedFileReader::new(file).map_err(|e| broken(None, &e))?;
        let metadata = file.metadata();
        let mut chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
        let foreign = |c: &Compression| {
            !matches!(
                c,
                Compression::UNCOMPRESSED
                    | Compression::SNAPPY
                    | Compression::LZ4_RAW
                    | Compression::ZSTD(_)
            )
        };
        if let Some(chunk) = chunks.find(|chunk| foreign(&chunk.compression())) {
            let codec = chunk.compression().to_string();
            let codec = codec.split('(').next().unwrap_or_default();
            let problem = format!(
                "its columns are compressed by {codec}; write it with snappy, zstd, lz4 or without"
            );
            return Err(Fault::new(None, problem));
        }
        let mut chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
        if chunks.any(|chunk| !lies_within(chunk, size)) {
            let problem = "not a Parquet file that can be read (its footer names offsets outside of \
                           it); write it anew";
            return Err(Fault::new(None, problem));
        }
        let features = features(&file)?;
        let fields = metadata.file_metadata().schema().get_fields();
        let classes = fields.iter().map(|field| classes(&features, field.name())).collect();
        let budget = AT_LEAST.max(BLOW_UP.saturating_mul(size));
        Ok(Self { file, own, classes, budget })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.fields().iter().map(|field| field.name().to_string()).collect()
    }

    /// The columns that hold files.
    pub(super) fn files(&self) -> Vec<usize> {
        let holds = |field: &Arc<Type>| {
            field.is_group() && field.get_fields().iter().any(|part| part.name() == "bytes")
        };
        (0..self.fields().len()).filter(|&at| holds(&self.fields()[at])).collect()
    }

    fn fields(&self) -> &[Arc<Type>] {
        self.file.metadata().file_metadata().schema().get_fields()
    }

    /// The column at `column` as one of files that are read when they are needed, if it is one.
    pub(super) fn stored(&self, path: &Path, column: usize) -> Option<StoredCells> {
        let size = self.own.metadata().ok()?.len();
        Some(StoredCells::new(
            path,
            size,
            Arc::new(self.file.metadata().clone()),
            self.leaf(column)?,
        ))
    }

    /// Where a column's bytes are among those without structure, if they are in no list.
    fn leaf(&self, column: usize) -> Option<usize> {
        let columns = self.file.metadata().file_metadata().schema_descr();
        let is_file = self.fields().get(column)?.is_group();
        let mut leaves = (0..columns.num_columns()).filter(|&leaf| {
            let of = columns.column(leaf);
            columns.get_column_root_idx(leaf) == column
                && of.physical_type() == Physical::BYTE_ARRAY
                && of.max_rep_level() == 0
                && match is_file {
                    true => of.path().parts().len() == 2 && of.name() == "bytes",
                    false => {
                        !matches!(of.converted_type(), ConvertedType::UTF8 | ConvertedType::JSON)
                            && !matches!(of.logical_type_ref(), Some(LogicalType::String))
                    }
                }
        });
        leaves.next()
    }

    /// Reads all rows, with the wanted cells only. The files of the column `stored` are only told of, as
    /// [`Cell::Stored`].
    pub(super) fn rows(
        &self,
        wanted: Wanted<'_>,
        stored: Option<usize>,
        each: Each<'_>,
    ) -> Result<(), Fault> {
        let broken_pages = guarded(|| self.bound(wanted))?;
        let columns: Vec<usize> =
            (0..self.fields().len()).filter(|&column| wanted.has(column)).collect();
        let (mut before, mut spent) = (0u64, 0u64);
        for (number, group) in self.file.metadata().row_groups().iter().enumerate() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            let mut done = 0;
            let mut told = |row: Result<Row, Fault>| {
                done += 1;
                if let Ok(Row { cells, .. }) = &row {
                    spent += cells.iter().map(size).sum::<u64>();
                }
                // What is too much is not kept.
                if spent <= self.budget {
                    each(row);
                }
                spent <= self.budget
            };
            let read = match broken_pages.get(number).cloned().flatten() {
                Some(fault) => Err(fault),
                None => guarded(|| self.read(number, before, &columns, stored, &mut told)),
            };
            if spent > self.budget {
                return Err(self.blown_up(before + done, "so far the rows fill"));
            }
            if let Err(Fault { problem, .. }) = read {
                let (from, to) = (before + done + 1, before.saturating_add(rows));
                let problem = format!("row group {} (to row {to}): {problem}", number + 1);
                each(Err(Fault::new(from, problem)));
            }
            before = before.saturating_add(rows);
        }
        Ok(())
    }

    /// Reads a row group, as long as `each` goes on. `before` is the number of rows before it.
    fn read(
        &self,
        number: usize,
        before: u64,
        columns: &[usize],
        stored: Option<usize>,
        each: &mut dyn FnMut(Result<Row, Fault>) -> bool,
    ) -> Result<(), Fault> {
        let group = self.file.get_row_group(number).map_err(|e| broken(None, &e))?;
        // Without their bytes, if there are any in each row; else one has to look.
        let apart = stored.filter(|&column| self.has_all(&*group, column));
        let fields: Vec<_> = columns.iter().map(|&at| self.projected(at, apart)).collect();
        let present = || columns.iter().zip(&fields).filter(|(_, field)| field.is_some());
        let row = |at: u64, read: &dyn Fn(&mut [Cell]) -> Result<(), String>| {
            let mut cells = vec![Cell::Missing; self.fields().len()];
            let line = before + at + 1;
            read(&mut cells).map_err(|problem| Fault::new(line, problem))?;
            if let Some(column) = stored {
                let whole = std::mem::replace(&mut cells[column], Cell::Missing);
                cells[column] = match whole {
                    Cell::File { name, .. } => Cell::Stored { name, row: before + at },
                    Cell::Missing if apart.is_some() => {
                        Cell::Stored { name: None, row: before + at }
                    }
                    Cell::Text(name) if apart.is_some() => {
                        Cell::Stored { name: Some(name), row: before + at }
                    }
                    other => other,
                };
            }
            Ok(Row { line, cells })
        };
        if present().next().is_none() {
            let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
            for at in 0..rows {
                if !each(row(at, &|_| Ok(()))) {
                    break;
                }
            }
            return Ok(());
        }
        let name = self.file.metadata().file_metadata().schema().name();
        let projection = Type::group_type_builder(name)
            .with_fields(fields.iter().flatten().cloned().collect())
            .build()
            .map_err(|e| broken(None, &e))?;
        let descriptor = Arc::new(SchemaDescriptor::new(Arc::new(projection)));
        let at_once = if stored.is_some() && apart.is_none() { FILES } else { ROWS };
        let rows = TreeBuilder::new()
            .with_batch_size(at_once)
            .as_iter(descriptor, &*group)
            .map_err(|e| broken(None, &e))?;
        for (at, fields) in (0..).zip(rows) {
            let fields = fields.map_err(|e| broken(None, &e))?;
            let read = |cells: &mut [Cell]| {
                present().zip(fields.get_column_iter()).try_for_each(
                    |((&column, _), (_, field))| {
                        cells[column] = self.cell(column, field)?;
                        Ok(())
                    },
                )
            };
            if !each(row(at, &read)) {
                break;
            }
        }
        Ok(())
    }

    /// Whether each row of a group has bytes in a column, by its statistics.
    fn has_all(&self, group: &dyn RowGroupReader, column: usize) -> bool {
        let Some(leaf) = self.leaf(column) else { return false };
        let chunk = group.metadata().column(leaf);
        let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
        nulls == Some(0) || chunk.column_descr().max_def_level() == 0
    }

    /// A column as it is read: of one whose files are `apart`, their names alone, if it has some.
    fn projected(&self, column: usize, apart: Option<usize>) -> Option<Arc<Type>> {
        let field = self.fields()[column].clone();
        if apart != Some(column) {
            return Some(field);
        }
        if !field.is_group() {
            return None;
        }
        let name = field.get_fields().iter().find(|part| part.name() == "path")?.clone();
        let info = field.get_basic_info();
        let named = Type::group_type_builder(field.name())
            .with_repetition(info.repetition())
            .with_fields(vec![name])
            .build();
        named.ok().map(Arc::new)
    }

    /// Refuses pages that would fill the memory, before they are unpacked. Returns, for each row group,
    /// what is wrong with the headers of its pages.
    fn bound(&self, wanted: Wanted<'_>) -> Result<Vec<Option<Fault>>, Fault> {
        let metadata = self.file.metadata();
        let columns = metadata.file_metadata().schema_descr();
        let mut broken = vec![None; metadata.num_row_groups()];
        for (group, broken) in metadata.row_groups().iter().zip(&mut broken) {
            let mut sum = 0u64;
            for (at, chunk) in group.columns().iter().enumerate() {
                if !wanted.has(columns.get_column_root_idx(at)) {
                    continue;
                }
                let (start, len) = chunk.byte_range();
                match pages::unpacked(&self.own, start, len) {
                    Ok(unpacked) => sum = sum.saturating_add(unpacked),
                    Err(e) => {
                        let problem =
                            format!("not a Parquet file that can be read ({e}); write it anew");
                        *broken = Some(Fault::new(None, problem));
                    }
                }
            }
            if sum > self.budget {
                return Err(self.blown_up(None, "its pages would fill more than"));
            }
        }
        Ok(broken)
    }

    fn blown_up(&self, row: impl Into<Option<u64>>, what: &str) -> Fault {
        let budget = self.budget / (1 << 20);
        Fault::new(row, format!("{what} {budget} MiB, far more than a file of this size holds"))
    }

    fn cell(&self, column: usize, field: &Field) -> Result<Cell, String> {
        let text = |value: &dyn ToString| Ok(Cell::Text(value.to_string()));
        if let Some(classes) = &self.classes[column]
            && let Some(number) = integer(field)
        {
            return match usize::try_from(number) {
                // The encoding of a missing label.
                Err(_) if number == -1 => Ok(Cell::Missing),
                Ok(at) if at < classes.len() => Ok(Cell::Text(classes[at].clone())),
                _ => Err(format!("the class {number}, but {} are named", classes.len())),
            };
        }
        match field {
            Field::Null => Ok(Cell::Missing),
            Field::Str(value) => text(value),
            Field::Bool(value) => text(value),
            Field::Float16(value) => text(value),
            Field::Float(value) => text(value),
            Field::Double(value) => text(value),
            Field::Bytes(bytes) => Ok(Cell::File { name: None, bytes: bytes.data().into() }),
            Field::Group(fields) => Ok(file(fields)),
            Field::ListInternal(list) => {
                let classes = self.classes[column].is_some();
                let cell = |item: &Field| match self.cell(column, item)? {
                    // In a list there is nothing that could be left out.
                    Cell::Missing if classes => {
                        Err("an entry of the list has no class".to_string())
                    }
                    cell => Ok(cell),
                };
                let cells = list.elements().iter().map(cell);
                let texts = cells.map(|cell| match cell? {
                    Cell::Text(text) => Ok(Some(text)),
                    _ => Ok(None),
                });
                let texts = texts.collect::<Result<Option<Vec<_>>, String>>()?;
                Ok(texts.map_or(Cell::Other("a list with more than texts in it"), Cell::List))
            }
            Field::MapInternal(_) => Ok(Cell::Other("a map")),
            _ => match integer(field) {
                Some(number) => text(&number),
                None => Ok(Cell::Other("a time or a decimal number")),
            },
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("names", &self.names()).finish_non_exhaustive()
    }
}

/// Whether a column chunk lies where it says; the library takes it for granted.
fn lies_within(chunk: &ColumnChunkMetaData, size: u64) -> bool {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    start >= 0
        && chunk.compressed_size() >= 0
        && chunk.num_values() >= 0
        && end.and_then(|end| u64::try_from(end).ok()).is_some_and(|end| end <= size)
}

fn size(cell: &Cell) -> u64 {
    CELL + match cell {
        Cell::Text(text) => text.len() as u64,
        Cell::File { bytes, .. } => bytes.len() as u64,
        Cell::Stored { name, .. } => name.as_ref().map_or(0, |name| name.len() as u64),
        Cell::List(texts) => texts.iter().map(|text| CELL + text.len() as u64).sum(),
        Cell::Missing | Cell::Other(_) => 0,
    }
}

fn broken(row: impl Into<Option<u64>>, error: &ParquetError) -> Fault {
    let said = error.to_string();
    let said = said.lines().next().unwrap_or_default();
    let said = said.strip_prefix("Parquet error: ").unwrap_or(said);
    Fault::new(row, format!("not a Parquet file that can be read ({said}); write it anew"))
}
