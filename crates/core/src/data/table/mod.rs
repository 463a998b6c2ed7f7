//! Tables in files: rows of cells. The meaning of columns is not known here, nor is libtorch, so
//! that fuzz targets can compile these files by themselves.

mod delimited;
mod json;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;
mod row;
mod table;

pub(crate) use row::{Cell, Fault, Kind, Row};
pub(crate) use table::Table;
