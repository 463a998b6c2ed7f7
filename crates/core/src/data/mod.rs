//! Data sets as people have them: folders per class, tables, labels in file names.

mod alike;
mod dataset;
mod duplicates;
pub mod encoding;
mod extent;
mod folder;
mod found;
mod group;
mod item;
mod labels;
mod layout;
mod manifest;
mod mapping;
mod notes;
mod split;
mod split_names;
mod system;
mod table;
#[cfg(test)]
mod tests;

pub use dataset::{Dataset, evaluation};
pub use duplicates::{Duplicate, duplicates};
pub use encoding::{Foreign, NotText};
pub use extent::{Coverage, Extent};
pub use item::{Input, Item, Split};
pub use layout::{InputKind, Layout};
