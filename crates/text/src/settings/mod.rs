//! The settings of sentences: how a text becomes the input of a model.

mod explaining;
mod length;
mod reader;
mod saved;
mod saving;
#[allow(clippy::module_inception)]
mod settings;
mod taken;
mod words;

pub use settings::TextSettings;

#[cfg(test)]
mod tests;
