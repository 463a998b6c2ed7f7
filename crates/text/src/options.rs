//! What a person may choose about sentences.

use serde::{Deserialize, Serialize};

/// The option that texts are cut off by, for messages.
pub(crate) const MAX_LENGTH: &str = "--max-length";

/// What a text is cut into where no tokenizer does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    /// The bytes of its UTF-8: every text has a form, none is unknown.
    #[default]
    Bytes,
    /// Its characters, as far as the training texts have them: shorter where the script is not Latin.
    Characters,
}
