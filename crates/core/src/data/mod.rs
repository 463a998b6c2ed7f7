//! Data sets as people have them: folders per class, tables, labels in file names.

mod alike;
mod columns;
mod dataset;
mod duplicates;
pub mod encoding;
mod extent;
mod folder;
mod found;
mod gathering;
mod group;
mod inputs;
mod item;
mod labels;
mod layout;
mod lists;
mod manifest;
mod mapping;
mod marks;
mod names;
mod notes;
mod paths;
mod schemes;
mod places;
mod split;
mod split_names;
mod system;
mod table;
mod tagged;
#[cfg(test)]
mod tests;
mod unusable;

pub use dataset::{Dataset, evaluation};
pub use duplicates::{Duplicate, duplicates};
pub use encoding::{Foreign, NotText};
pub use extent::{Coverage, Extent};
pub use inputs::{Gathered, inputs};
pub use item::{Input, Item, Split};
pub use layout::{ClassLimit, InputKind, Layout};
pub use places::{Places, Wording};
pub use table::TableFormat;
pub use unusable::Unusable;
