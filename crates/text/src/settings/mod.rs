//! The settings of sentences: what a text becomes before a model sees it.

mod reader;
mod saved;
#[allow(clippy::module_inception)]
mod settings;
mod taken;

pub use settings::TextSettings;

#[cfg(test)]
mod tests;
