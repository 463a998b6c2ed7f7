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
mod names;
mod notes;
mod paths;
mod split;
mod split_names;
mod symbols;
mod system;
mod table;
#[cfg(test)]
mod tests;
mod transcript_notes;
mod transcripts;
mod unusable;
mod vocabulary;

pub use dataset::{Dataset, evaluation};
pub use duplicates::{Duplicate, duplicates};
pub use encoding::{Foreign, NotText};
pub use extent::{Coverage, Extent};
pub use inputs::{Gathered, inputs};
pub use item::{Input, Item, Split};
pub use layout::{ClassLimit, InputKind, Layout};
pub use symbols::Symbols;
pub use table::TableFormat;
pub use transcript_notes::RARE;
pub use unusable::Unusable;
