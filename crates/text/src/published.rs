//! The tokenizer of a pretrained text model.

use std::path::Path;

use crosstune_core::{Error, Result, TokenEmbedderConfig};

use crate::{
    options::{LENGTHS, MAX_LENGTH},
    tokenizer::Tokenizer,
};

/// The tokenizer in a folder, of the model that this embedder belongs to. `asked`: the longest
/// text, in tokens, if that option is given. `pad`: the padding token, if a run tells it.
///
/// # Errors
/// If there is none, if it is broken or of another model, or if the model has fewer positions than
/// asked for.
pub(crate) fn tokenizer(
    folder: &Path,
    embedder: &TokenEmbedderConfig,
    asked: Option<u32>,
    pad: Option<i64>,
) -> Result<Tokenizer> {
    let positions = positions(embedder);
    let max_length = asked.unwrap_or(positions.min(*LENGTHS.start()));
    if max_length > positions {
        return Err(Error::Setting {
            setting: MAX_LENGTH,
            problem: format!("{max_length} tokens; the model has positions for {positions}"),
        });
    }
    let tokenizer = Tokenizer::open(folder, max_length)?;
    let (has, knows) = (tokenizer.vocabulary(), embedder.vocabulary);
    if has > knows {
        return Err(Error::Malformed {
            path: folder.to_path_buf(),
            problem: format!(
                "its tokenizer has {has} tokens, but its model knows {knows}: they do not \
                 belong together"
            ),
        });
    }
    Ok(match pad {
        Some(pad) => tokenizer.with_pad(pad),
        None => tokenizer,
    })
}

/// The longest text that a model has positions for, in tokens.
pub(crate) fn positions(embedder: &TokenEmbedderConfig) -> u32 {
    u32::try_from(embedder.longest()).unwrap_or(u32::MAX)
}
