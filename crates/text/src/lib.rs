//! Sentences for transfer learning with Crosstune: a pretrained text model's own tokenizer turns
//! text into token ids `[T]`, and its own embeddings turn batches of those into sequences for its
//! trunk. A trunk that was not trained on text reads bytes or characters ([`Symbols`]).
//!
//! ```
//! use crosstune_core::{Input, Modality, Pretrained};
//! use crosstune_text::TextSettings;
//!
//! let mut settings = TextSettings::default();
//! settings.adopt(&Pretrained::open("tests/fixtures/tiny-bert")?)?;
//! let ids = settings.read(&Input::Text("the cat sat".into()))?;
//! assert_eq!(ids.size(), [5]); // [CLS] the cat sat [SEP]
//! # Ok::<(), crosstune_core::BoxError>(())
//! ```
#![deny(missing_docs)]

pub mod embed;
pub mod file;
pub mod options;
mod published;
pub mod settings;
pub mod symbols;
pub mod tokenizer;
mod word_alignment;

#[cfg(feature = "cli")]
mod cli;

#[cfg(feature = "cli")]
pub use cli::TextArgs;
pub use embed::{SymbolEmbedder, SymbolImage, TokenEmbedder};
pub use file::TextError;
pub use options::Units;
pub use settings::TextSettings;
pub use symbols::Symbols;
pub use tokenizer::Tokenizer;
