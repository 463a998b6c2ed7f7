//! The settings of a tokenizer whose vocabulary has files of its own: `tokenizer_config.json` and the
//! files beside it.

use std::{collections::BTreeMap, path::Path};

use crosstune_core::{
    Error, Result,
    files::{is_there, read_json},
};
use serde::Deserialize;
use serde_json::Value;
use tokenizers::AddedToken;

/// The settings of all tokenizers that are read here; the defaults are transformers'.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    pub(super) tokenizer_class: Option<String>,
    pub(super) do_lower_case: Option<bool>,
    pub(super) strip_accents: Option<bool>,
    pub(super) tokenize_chinese_chars: Option<bool>,
    pub(super) add_prefix_space: Option<bool>,
    pub(super) add_bos_token: Option<bool>,
    #[serde(default)]
    added_tokens_decoder: BTreeMap<u32, Token>,
    /// The special tokens under their names, among others.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
    /// `special_tokens_map.json`.
    #[serde(skip)]
    special: BTreeMap<String, Value>,
    /// `added_tokens.json`, by number.
    #[serde(skip)]
    added: BTreeMap<u32, String>,
    /// The family by `config.json`.
    #[serde(skip)]
    pub(super) model_type: Option<String>,
}

/// A token that is matched in texts before they are split into words.
#[derive(Debug, Deserialize)]
struct Token {
    content: String,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    single_word: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

/// The names of special tokens, in transformers' order.
const SPECIAL: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl Config {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer_config.json");
        let mut config = if is_there(&path) { read_json(&path)? } else { Self::default() };
        let path = folder.join("special_tokens_map.json");
        if is_there(&path) {
            config.special = read_json(&path)?;
        }
        let path = folder.join("added_tokens.json");
        if is_there(&path) {
            let added: BTreeMap<String, u32> = read_json(&path)?;
            config.added = added.into_iter().map(|(token, id)| (id, token)).collect();
        }
        let path = folder.join("config.json");
        if is_there(&path) {
            let model: Value = read_json(&path)?;
            config.model_type = model["model_type"].as_str().map(str::to_string);
        }
        Ok(config)
    }

    /// The special token of this name, with how it is found.
    fn token(&self, name: &str) -> Option<AddedToken> {
        match self.rest.get(name).or_else(|| self.special.get(name))? {
            Value::String(content) => Some(AddedToken::from(content, true)),
            value => Token::deserialize(value)
                .ok()
                .map(|token| AddedToken { special: true, ..token.into() }),
        }
    }

    /// The text of the special token of this name, or the usual one.
    pub(super) fn special(&self, name: &str, usual: &str) -> String {
        self.token(name).map_or_else(|| usual.to_string(), |token| token.content)
    }

    /// Adds the tokens that are found in texts whole: those that were added to the vocabulary, by
    /// their numbers, then the special ones, of which `usual` has those without which none of the
    /// kind is.
    pub(super) fn add_tokens(
        &self,
        tokenizer: &mut tokenizers::Tokenizer,
        usual: &[(&str, &str)],
        path: &Path,
    ) -> Result<()> {
        let mut added: BTreeMap<u32, AddedToken> = BTreeMap::new();
        for (&id, content) in &self.added {
            added.insert(id, AddedToken::from(content, false));
        }
        for (&id, token) in &self.added_tokens_decoder {
            added.insert(id, token.into());
        }
        for (id, token) in added {
            let content = token.content.clone();
            match token.special {
                true => tokenizer.add_special_tokens(&[token]),
                false => tokenizer.add_tokens(&[token]),
            };
            let got = tokenizer.token_to_id(&content);
            if got != Some(id) {
                let got = got.map_or("none".into(), |got| got.to_string());
                return Err(Error::Malformed {
                    path: path.to_path_buf(),
                    problem: format!(
                        "the added token {content:?} is to have the number {id}, but has {got}: \
                         its vocabulary is of another model"
                    ),
                });
            }
        }
        let known = |tokenizer: &tokenizers::Tokenizer, content: &str| {
            let added = tokenizer.get_added_tokens_decoder();
            added.values().any(|token| token.content == content)
        };
        for name in SPECIAL {
            let usual = usual.iter().find(|(other, _)| *other == name);
            let usual = usual.map(|(_, content)| AddedToken::from(*content, true));
            let Some(token) = self.token(name).or(usual) else { continue };
            if !known(tokenizer, &token.content) {
                tokenizer.add_special_tokens(&[token]);
            }
        }
        Ok(())
    }
}

impl From<&Token> for AddedToken {
    fn from(token: &Token) -> Self {
        AddedToken {
            content: token.content.clone(),
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            single_word: token.single_word,
            normalized: token.normalized.unwrap_or(!token.special),
            special: token.special,
        }
    }
}

impl From<Token> for AddedToken {
    fn from(token: Token) -> Self {
        (&token).into()
    }
}
