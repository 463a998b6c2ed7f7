//! Text files: UTF-8 with or without a byte order mark, their lines ended as on any system.

use std::{fs::File, io, io::Read, path::Path};

use crosstune_core::data::{
    Unreadable,
    encoding::{self, NotText},
};

/// Why a text cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file could not be read.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// The file is in another encoding, or no text at all.
    #[error(transparent)]
    Encoding(#[from] NotText),
    /// The text lies within a larger file, and cannot be had from there.
    #[error(transparent)]
    Stored(#[from] Unreadable),
    /// The text is longer than any that a model reads.
    #[error("longer than {} MiB, which is a book rather than a sentence: split it", LONGEST >> 20)]
    Long,
    /// No source was adopted yet, so there is no tokenizer.
    #[error("there is no tokenizer yet: a pretrained text model brings it along")]
    NoTokenizer,
    /// A single text for a model that was trained on pairs.
    #[error("one sentence, but the model was trained on pairs: give the second, too")]
    Single,
    /// A pair of texts for a model that labels words.
    #[error("two sentences, but the model labels the words of one: give them one by one")]
    PairOfWords,
}

/// The longest text that is read, in bytes: all of it is tokenized before it is truncated.
pub const LONGEST: u64 = 4 << 20;

/// The contents of a file that is not too long.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TextError> {
    // A pipe would wait for its other end.
    if !path.metadata()?.is_file() {
        return Err(TextError::Io(io::Error::other("it is none")));
    }
    let mut contents = vec![];
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > LONGEST {
        return Err(TextError::Long);
    }
    Ok(contents)
}

/// The text in a file's contents, without byte order mark.
pub(crate) fn decode(file: &[u8]) -> Result<&str, TextError> {
    Ok(encoding::decode(file)?)
}
