//! Tables in files: rows of cells. The meaning of columns is not known here, nor is libtorch, so
//! that fuzz targets can compile these files by themselves.

pub(crate) mod conll;
mod delimited;
mod detect;
mod dialect;
mod format;
#[cfg(feature = "parquet")]
mod guarded;
mod json;
mod lines;
#[cfg(feature = "parquet")]
mod pages;
#[cfg(feature = "parquet")]
mod parquet;
mod row;
#[cfg(feature = "parquet")]
mod stored;
// The file that opens a table of any format is called as its folder is.
#[allow(clippy::module_inception)]
mod table;
#[cfg(test)]
mod tests;
#[cfg(feature = "parquet")]
mod values;

pub(crate) use conll::{ConllLayout, Sentence};
pub(crate) use format::START;
pub use format::TableFormat;
pub(crate) use lines::Lines;
pub(crate) use row::{Cell, Fault, Row, Wanted};
#[cfg(feature = "parquet")]
pub(crate) use stored::StoredCells;
pub(crate) use table::Table;
