//! The files that a tokenizer and its vocabulary are kept in: their names, what is read from them, and
//! what is said where they are broken.

use std::path::{Path, PathBuf};

use crosstune_core::{BoxError, Error, Result, data::encoding, error::one_line, files};
use tokenizers::models::bpe::Vocab;

use super::bounds::MOST;

/// The file that a folder in Hugging Face layout, or a run folder, keeps its tokenizer in.
pub const TOKENIZER: &str = "tokenizer.json";

pub(super) const WORDS: &str = "vocab.txt";
pub(super) const PIECES: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";

/// That a special token is in the vocabulary, which was read from this file.
///
/// # Errors
/// If it is not.
pub(super) fn known(vocabulary: &Vocab, token: &str, path: &Path) -> Result<()> {
    match vocabulary.contains_key(token) {
        true => Ok(()),
        false => Err(Error::Malformed {
            path: path.to_path_buf(),
            problem: format!("the special token {token:?} is not in it"),
        }),
    }
}

/// The text of a file.
///
/// # Errors
/// If it cannot be read, is too large, or is not text.
pub(super) fn text(path: &Path) -> Result<String> {
    let contents = files::read(path, MOST)?;
    let text = encoding::decode(&contents);
    text.map(str::to_string)
        .map_err(|e| Error::Malformed { path: path.to_path_buf(), problem: e.to_string() })
}

/// The error of a file whose vocabulary the library refuses.
pub(super) fn broken(path: &Path) -> impl Fn(BoxError) -> Error + '_ {
    move |e| Error::Malformed {
        path: PathBuf::from(path),
        problem: format!("not a vocabulary that can be used ({})", one_line(e.as_ref())),
    }
}
