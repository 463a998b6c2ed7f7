//! The settings of a tokenizer whose vocabulary has files of its own: `tokenizer_config.json` and the
//! files beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

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
    pub(super) add_eos_token: Option<bool>,
    pub(super) keep_accents: Option<bool>,
    pub(super) split_by_punct: Option<bool>,
    pub(super) legacy: Option<bool>,
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
    /// The family and the tokenizer's class by `config.json`.
    #[serde(skip)]
    pub(super) model_type: Option<String>,
    #[serde(skip)]
    model_class: Option<String>,
}

/// The special tokens without which no tokenizer of a kind is.
pub(super) struct Usual {
    /// The names in the configuration, and the texts.
    pub(super) tokens: &'static [(&'static str, &'static str)],
    /// Whether the mask takes the space before it with it, unless the configuration tells.
    pub(super) space_before_mask: bool,
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
            let field = |name: &str| model[name].as_str().map(str::to_string);
            (config.model_type, config.model_class) =
                (field("model_type"), field("tokenizer_class"));
        }
        Ok(config)
    }

    /// The tokenizer's class, by its name before `Fast`.
    pub(super) fn class(&self) -> Option<&str> {
        let class = self.tokenizer_class.as_deref().or(self.model_class.as_deref())?;
        Some(
            class
                .strip_suffix("Fast")
                .filter(|_| !class.starts_with("PreTrained"))
                .unwrap_or(class),
        )
    }

    /// The special token of this name.
    fn named(&self, name: &str) -> Option<Named<'_>> {
        match self.rest.get(name).or_else(|| self.special.get(name))? {
            Value::String(content) => Some(Named::Text(content)),
            value => Some(Named::Token(Token::deserialize(value).ok()?)),
        }
    }

    /// The text of the special token of this name, if the files name it.
    pub(super) fn told(&self, name: &str) -> Option<String> {
        Some(match self.named(name)? {
            Named::Text(content) => content.to_string(),
            Named::Token(token) => token.content,
        })
    }

    /// The text of the special token of this name, or the usual one.
    pub(super) fn special(&self, name: &str, usual: &Usual) -> String {
        let usual = || usual.tokens.iter().find(|(other, _)| *other == name).map(|(_, text)| *text);
        self.told(name).unwrap_or_else(|| usual().unwrap_or_default().to_string())
    }

    /// The text of the token of this number that was added to the vocabulary.
    pub(super) fn added(&self, id: u32) -> Option<&str> {
        self.added_tokens_decoder.get(&id).map(|token| &*token.content)
    }

    /// Adds the tokens that are found in texts whole: those that were added to the vocabulary, by
    /// their numbers, then the special ones, of which `usual` has those without which none of the
    /// kind is.
    ///
    /// # Errors
    /// If one gets another number than the files say.
    pub(super) fn add_tokens(
        &self,
        tokenizer: &mut tokenizers::Tokenizer,
        usual: &Usual,
        path: &Path,
    ) -> Result<()> {
        let mut added: BTreeMap<u32, AddedToken> = BTreeMap::new();
        let special: Vec<_> = SPECIAL.iter().filter_map(|name| self.token(name, usual)).collect();
        for (&id, content) in &self.added {
            let special = special.iter().any(|token| token.content == *content);
            added.insert(id, AddedToken::from(content, special));
        }
        for (&id, token) in &self.added_tokens_decoder {
            added.insert(id, token.into());
        }
        // All at once: each call looks at all that were added before.
        tokenizer.add_tokens(&added.values().cloned().collect::<Vec<_>>());
        for (id, AddedToken { content, .. }) in added {
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
        let decoder = tokenizer.get_added_tokens_decoder();
        let mut known: BTreeSet<&str> = decoder.values().map(|token| &*token.content).collect();
        let new = special.iter().filter(|token| known.insert(&token.content));
        let new: Vec<_> = new.cloned().collect();
        tokenizer.add_special_tokens(&new);
        Ok(())
    }

    /// The special token of this name, or the usual one, with how it is found.
    fn token(&self, name: &str, usual: &Usual) -> Option<AddedToken> {
        let text = |content: &str| {
            let before = name == "mask_token" && usual.space_before_mask;
            AddedToken::from(content, true).lstrip(before)
        };
        match self.named(name) {
            Some(Named::Text(content)) => Some(text(content)),
            Some(Named::Token(token)) => Some(AddedToken { special: true, ..token.into() }),
            None => {
                let (_, content) = usual.tokens.iter().find(|(other, _)| *other == name)?;
                Some(text(content))
            }
        }
    }
}

/// A special token in the configuration.
enum Named<'a> {
    Text(&'a str),
    Token(Token),
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
