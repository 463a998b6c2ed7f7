//! The options of sentences.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// The option that texts are truncated by, for messages.
pub(crate) const MAX_LENGTH: &str = "--max-length";

/// The shortest and the longest length that a survey of the training texts chooses to truncate at,
/// in tokens: from some 200 words to twice as many, at a little more than twice the cost.
pub(crate) const LENGTHS: RangeInclusive<u32> = 256..=512;

/// The longest that texts for a published model are if nobody says otherwise, in tokens, where it
/// has positions for more.
pub(crate) const MOST_UNSURVEYED: u32 = 8192;

/// The most tokens of a text, for each of which a model may have a position.
#[cfg(feature = "cli")]
pub(crate) const LONGEST: u32 = 1 << 16;

/// What a text is split into if there is no tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    /// The bytes of its UTF-8: none is unknown.
    #[default]
    Bytes,
    /// Its characters, those that occur in the training texts: shorter if the script is not Latin.
    Characters,
}
