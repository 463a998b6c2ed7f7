//! Tables in files: rows of cells. The meaning of columns is not known here, nor is libtorch, so
//! that fuzz targets can compile these files by themselves.

pub(crate) mod conll;
mod delimited;
mod detect;
mod dialect;
mod format;
mod json;
mod lines;
#[cfg(feature = "parquet")]
mod pages;
#[cfg(feature = "parquet")]
mod parquet;
mod row;
// The file that opens a table of any format is called as its folder is.
#[allow(clippy::module_inception)]
mod table;
#[cfg(test)]
mod tests;

pub(crate) use conll::{ConllLayout, Sentence};
pub(crate) use format::START;
pub use format::TableFormat;
pub(crate) use lines::Lines;
pub(crate) use row::{Cell, Fault, Row, Wanted};
pub(crate) use table::Table;
