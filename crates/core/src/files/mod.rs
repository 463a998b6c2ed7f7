//! Files: put in their place whole, read within bounds, and JSON.

mod place;
mod small;
mod json;

pub use json::{MOST_JSON, read_json, read_json_within, write_json};
pub(crate) use place::{
    exchange, move_aside, move_new, parent, partial, replace_by, sync_files, sync_folder, whole,
};
pub use place::{free_space, refuse_existing, replace, write_new};
pub(crate) use small::{bytes, hexadecimal};
pub use small::{digest, is_there, open, read};
