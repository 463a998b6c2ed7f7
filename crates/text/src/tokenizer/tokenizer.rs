//! Text to token ids.

use std::{
    borrow::Cow,
    fmt, fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::{Arc, OnceLock},
};

use crosstune_core::{
    BoxError, Error, Result,
    error::one_line,
    files::{self, is_there, write_json},
};
use serde_json::{Value, json};
use tokenizers::{
    Encoding, Model, ModelWrapper, PostProcessor, PreTokenizerWrapper, TruncationParams,
};

use super::{
    bounds::{self, MOST},
    config::Config,
    files::TOKENIZER,
    special, vocabulary,
};
use crate::options::MAX_LENGTH;

/// Text to token ids. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    tokenizer: tokenizers::Tokenizer,
    /// The file as it was published, or what it would be, to be saved.
    file: Vec<u8>,
    max_length: u32,
    pad: i64,
    /// One more than the largest token id.
    ids: i64,
    /// How many times as long a text can become before it is split into tokens.
    growth: usize,
    /// The same with a space before every text, made once it is needed.
    spaced: OnceLock<tokenizers::Tokenizer>,
}

impl Tokenizer {
    /// Reads the `tokenizer.json` of a folder or, where there is none, what older publishers saved:
    /// a `vocab.txt` for BERT and MPNet, a `vocab.json` and a `merges.txt` for GPT-2, RoBERTa and
    /// Qwen, a SentencePiece model for ALBERT, DeBERTa, XLM-R, CamemBERT, Llama and Gemma, each with
    /// a `tokenizer_config.json` as far as it differs from the usual. What the files say of lengths
    /// is replaced: texts are truncated to `max_length` tokens, special tokens included, and are
    /// not padded.
    ///
    /// # Errors
    /// If there are no such files or they are broken, or if `max_length` leaves no room for a token
    /// between the special ones.
    pub fn open(folder: &Path, max_length: u32) -> Result<Self> {
        let path = folder.join(TOKENIZER);
        let broken = |e: BoxError| Error::Malformed {
            path: path.clone(),
            problem: format!("not a tokenizer that can be used ({})", one_line(e.as_ref())),
        };
        let config = Config::open(folder);
        let (published, mut tokenizer, config) = if is_there(&path) {
            // It tells all but the padding: what else lies there need not be as we know it.
            let config = config.unwrap_or_default();
            let file = files::read(&path, MOST)?;
            bounds::check_file(&file).map_err(|problem| broken(problem.into()))?;
            let tokenizer = contained(|| tokenizers::Tokenizer::from_bytes(&file));
            let mut tokenizer = tokenizer.map_err(broken)?;
            let changed = vocabulary::surround(&mut tokenizer, &config).map_err(broken)?;
            ((!changed).then_some(file), tokenizer, config)
        } else {
            let config = config?;
            (None, vocabulary::tokenizer(folder, &config)?, config)
        };
        let file = match published {
            Some(file) => file,
            None => tokenizer.to_string(false).map_err(broken)?.into_bytes(),
        };

        let growth = bounds::check(&tokenizer).map_err(|problem| broken(problem.into()))?;
        let special = tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(false));
        let max = max_length as usize;
        // The library would subtract the one from the other unchecked.
        if max <= special {
            return Err(Error::Setting {
                setting: MAX_LENGTH,
                problem: no_room(max, special, "text", 1),
            });
        }
        let pad = match tokenizer.get_padding() {
            Some(padding) => padding.pad_id,
            None => padding_token(&tokenizer, &config),
        };
        let ids = ids(&tokenizer);
        if i64::from(pad) >= ids {
            let problem = format!("it pads with token {pad}, but has {ids}");
            return Err(broken(problem.into()));
        }
        tokenizer.with_padding(None);
        let spaced = OnceLock::new();
        let inner = Inner { tokenizer, file, max_length, pad: pad.into(), ids, growth, spaced };
        Self(Arc::new(inner)).with_max_length(max_length).map_err(broken)
    }

    /// The same for texts of at most `max_length` tokens.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn with_max_length(self, max_length: u32) -> Result<Self, BoxError> {
        let mut inner = Arc::unwrap_or_clone(self.0);
        let truncation =
            TruncationParams { max_length: max_length as usize, ..TruncationParams::default() };
        inner.tokenizer.with_truncation(Some(truncation))?;
        Ok(Self(Arc::new(Inner { max_length, ..inner })))
    }

    /// The same with this padding token, if it has such a one.
    pub(crate) fn with_pad(self, pad: i64) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        if (0..inner.ids).contains(&pad) {
            inner.pad = pad;
        }
        Self(Arc::new(inner))
    }

    /// The same with a space before every text where its pieces are of bytes, as words have it that are
    /// split one by one: what is learnt of those is then known of texts.
    pub(crate) fn with_spaces(self) -> Self {
        let mut file: Value = serde_json::from_slice(&self.0.file).unwrap_or_default();
        let before = &mut file["pre_tokenizer"];
        if before["type"] != "ByteLevel" || before["add_prefix_space"] != false {
            return self;
        }
        before["add_prefix_space"] = true.into();
        let tokenizer = self.spaced().clone();
        let inner = Arc::unwrap_or_clone(self.0);
        Self(Arc::new(Inner {
            tokenizer,
            file: file.to_string().into_bytes(),
            spaced: OnceLock::new(),
            ..inner
        }))
    }

    /// Takes the memory of another that is the same.
    pub(crate) fn share(&mut self, other: &Self) {
        let settings = |one: &Self| (one.0.max_length, one.0.pad, one.0.ids);
        if settings(self) == settings(other) && self.0.file == other.0.file {
            self.0 = Arc::clone(&other.0);
        }
    }

    /// Writes the file, as it was published, into a folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(TOKENIZER);
        fs::write(&path, &self.0.file).map_err(Error::io(&path, "write"))
    }

    /// Writes the file into a folder, and beside it what transformers wants to know of it, for a model
    /// that tells so many segments apart.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn save_pretrained(&self, folder: &Path, segments: i64) -> Result<()> {
        let pad = u32::try_from(self.0.pad).ok();
        let pair = self.pair("a", "b").ok();
        let known =
            |pair: &Encoding| pair.get_type_ids().iter().all(|&id| i64::from(id) < segments);
        // What transformers takes for usual differs by version, and not all models take segments.
        let told = segments > 1 && pair.as_ref().is_none_or(known);
        let inputs = [Some("input_ids"), told.then_some("token_type_ids"), Some("attention_mask")];
        let mut config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": self.0.max_length,
            "model_input_names": inputs.iter().flatten().collect::<Vec<_>>(),
            "pad_token": pad.and_then(|id| self.0.tokenizer.id_to_token(id)),
        });
        for (name, token) in special::named(&self.0.tokenizer, &self.0.file, pair.as_ref()) {
            config[name] = token.into();
        }
        if let Some(PreTokenizerWrapper::ByteLevel(bytes)) = self.0.tokenizer.get_pre_tokenizer() {
            config["add_prefix_space"] = bytes.add_prefix_space.into();
        }
        write_json(&folder.join("tokenizer_config.json"), &config)?;
        self.save(folder)
    }

    /// The token ids of a text, with the special tokens around them: for an empty text, those
    /// alone.
    ///
    /// # Errors
    /// If the tokenizer has no token for a part of the text, nor one for the unknown.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>, BoxError> {
        self.check_growth(text.len())?;
        self.checked(contained(|| self.0.tokenizer.encode_fast(text, true))?.get_ids())
    }

    /// The token ids of two texts together, with the special tokens around and between them, and for
    /// each token the segment that it is of: 0 or 1. Of what is too long, the longer text is cut.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), and if there is no room for a token of each beside the special
    /// ones.
    pub fn encode_pair(&self, first: &str, second: &str) -> Result<(Vec<i64>, Vec<i64>), BoxError> {
        let encoding = self.pair(first, second)?;
        let segments = encoding.get_type_ids().iter().map(|&id| id.into()).collect();
        Ok((self.checked(encoding.get_ids())?, segments))
    }

    /// Two texts together as the library has them.
    fn pair(&self, first: &str, second: &str) -> Result<Encoding, BoxError> {
        let special = self.0.tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(true));
        let max = self.0.max_length as usize;
        // The library would subtract the one from the other unchecked.
        if max < special + 2 {
            return Err(format!("{MAX_LENGTH}: {}", no_room(max, special, "pair", 2)).into());
        }
        self.check_growth(first.len() + second.len())?;
        contained(|| self.0.tokenizer.encode_fast((first, second), true))
    }

    /// The library's.
    pub(super) fn inner(&self) -> &tokenizers::Tokenizer {
        &self.0.tokenizer
    }

    /// The library's, with a space before every text where its pieces are of bytes.
    pub(super) fn spaced(&self) -> &tokenizers::Tokenizer {
        let Inner { tokenizer, spaced, .. } = &*self.0;
        match tokenizer.get_pre_tokenizer() {
            Some(PreTokenizerWrapper::ByteLevel(bytes)) if !bytes.add_prefix_space => {
                let mut bytes = *bytes;
                bytes.add_prefix_space = true;
                spaced.get_or_init(|| {
                    let mut tokenizer = tokenizer.clone();
                    tokenizer.with_pre_tokenizer(Some(bytes));
                    tokenizer
                })
            }
            _ => tokenizer,
        }
    }

    /// Refuses a text that could become too long before it is truncated.
    pub(super) fn check_growth(&self, bytes: usize) -> Result<(), BoxError> {
        if bytes.saturating_mul(self.0.growth) <= bounds::LONGEST {
            return Ok(());
        }
        let (mib, growth) = (bounds::LONGEST >> 20, self.0.growth);
        let problem = format!(
            "the tokenizer can make this text {growth} times as long, which is more than {mib} MiB: \
             split it"
        );
        Err(problem.into())
    }

    /// The tokens, as many and as large as the model was told.
    fn checked(&self, ids: &[u32]) -> Result<Vec<i64>, BoxError> {
        if ids.len() > self.0.max_length as usize {
            let most = self.0.max_length;
            return Err(format!("the tokenizer made {} tokens, {most} at most", ids.len()).into());
        }
        self.known(ids)
    }

    /// The tokens, as large as the model was told.
    pub(super) fn known(&self, ids: &[u32]) -> Result<Vec<i64>, BoxError> {
        match ids.iter().find(|&&id| i64::from(id) >= self.0.ids) {
            Some(id) => {
                Err(format!("the tokenizer made token {id}, but has {}", self.0.ids).into())
            }
            None => Ok(ids.iter().map(|&id| id.into()).collect()),
        }
    }

    /// How many tokens a text or a pair has, special tokens included, before it is truncated.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) fn length(&self, texts: &[Cow<'_, str>]) -> Result<usize, BoxError> {
        let special =
            self.0.tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(texts.len() > 1));
        self.check_growth(texts.iter().map(|text| text.len()).sum())?;
        let mut length = special;
        for text in texts {
            let encoding = contained(|| self.0.tokenizer.encode_fast(&**text, false))?;
            let rest = encoding.get_overflowing().iter().map(Encoding::len);
            length += encoding.len() + rest.sum::<usize>();
        }
        Ok(length)
    }

    /// The padding token.
    pub fn pad(&self) -> i64 {
        self.0.pad
    }

    /// The longest that [`encode`](Self::encode) returns, in tokens.
    pub fn max_length(&self) -> u32 {
        self.0.max_length
    }

    /// One more than the largest token id.
    pub fn vocabulary(&self) -> i64 {
        self.0.ids
    }
}

/// The token that pads: the one that the configuration names, or by BERT's name or RoBERTa's; GPT-2 has
/// none, but a token that no text has. Padding is masked: where there is no such token, any does, but
/// for one behind every text, which transformers would not take for the last.
fn padding_token(tokenizer: &tokenizers::Tokenizer, config: &Config) -> u32 {
    let usual = ["[PAD]", "<pad>", "<|endoftext|>"].map(|token| Some(token.into()));
    let [pad, end, unknown] = ["pad_token", "eos_token", "unk_token"].map(|name| config.told(name));
    let named = [pad].into_iter().chain(usual).chain([end, unknown]).flatten();
    let encoding = contained(|| tokenizer.encode_fast("a", true));
    let last = encoding.ok().and_then(|encoding| encoding.get_ids().last().copied());
    let mut ids = named.filter_map(|token: String| tokenizer.token_to_id(&token));
    ids.find(|id| Some(*id) != last).unwrap_or(0)
}

/// One more than the largest token id.
fn ids(tokenizer: &tokenizers::Tokenizer) -> i64 {
    let model = match tokenizer.get_model() {
        // It counts its pieces; to copy a quarter million of them takes time.
        ModelWrapper::Unigram(model) => model.get_vocab_size() as i64,
        model => model.get_vocab().into_values().max().map_or(0, |id| i64::from(id) + 1),
    };
    let added = tokenizer.get_added_tokens_decoder().into_keys().max();
    model.max(added.map_or(0, |id| i64::from(id) + 1))
}

/// What the library does, with a panic as an error: a table that points outside of itself is found
/// out by using it.
pub(super) fn contained<T>(work: impl FnOnce() -> Result<T, BoxError>) -> Result<T, BoxError> {
    panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err("the tokenizer contradicts itself".into()))
}

fn no_room(max: usize, special: usize, what: &str, least: usize) -> String {
    format!(
        "{max} tokens; the tokenizer adds {special} to every {what}, so choose at least {}",
        special + least
    )
}

/// Without the vocabulary.
impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { max_length, pad, .. } = &*self.0;
        f.debug_struct("Tokenizer")
            .field("max_length", max_length)
            .field("pad", pad)
            .finish_non_exhaustive()
    }
}
