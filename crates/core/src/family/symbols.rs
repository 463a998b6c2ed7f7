//! The symbols of a published transcriber, which transformers keeps in its `vocab.json`, and the way back.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::config::Config;
use super::family::{Family, HuggingFace, PretrainedConfig};
use crate::error::{Error, Result};
use crate::files::{is_there, read_json};
use crate::nn::{HeadConfig, Pool};
use crate::task::{DELIMITER, LetterCase, UNKNOWN, Vocabulary};
use crate::weights::{CONFIG, Checkpoint};

/// The file that numbers the symbols.
pub(super) const VOCAB: &str = "vocab.json";

/// The file that says what some of them mean.
const TOKENIZER: &str = "tokenizer_config.json";

/// Files that older versions of transformers wrote beside it.
const SPECIAL: &str = "special_tokens_map.json";
const ADDED: &str = "added_tokens.json";

/// The last layer of transformers' classes for CTC.
const LAST_LAYER: &str = "lm_head.weight";

/// The most symbols of a transcriber.
const MOST_SYMBOLS: usize = 1 << 20;

/// Gives a model that transcribes its own head, and returns what its symbols mean, which become the
/// labels of the head; `None`: it does not transcribe, or there is no list of its symbols.
pub(super) fn of(
    model: &mut PretrainedConfig,
    checkpoint: &Checkpoint,
) -> Result<Option<Vocabulary>> {
    let last = checkpoint.entries().find(|(name, _)| name.ends_with(LAST_LAYER));
    let Some((_, last)) = last else { return Ok(None) };
    let rows = last.shape.first().map_or(0, |&rows| usize::try_from(rows).unwrap_or(0));
    let library = Family::named(&model.name).and_then(|family| family.hugging_face);
    let class = library.and_then(HuggingFace::ctc);
    let Some(class) = class.filter(|_| rows <= MOST_SYMBOLS) else { return Ok(None) };
    let beside = checkpoint.folder().join(CONFIG);
    let config = is_there(&beside).then(|| Config::open(&beside)).transpose()?;
    let named = config.as_ref().is_some_and(|config| config.field("architectures").is_array());
    if named && !config.as_ref().is_some_and(|config| config.saved_by(class.name)) {
        return Ok(None);
    }
    let folder = checkpoint.folder();
    let padding = config.as_ref().and_then(|config| config.field("pad_token_id").as_u64());
    let symbols = is_there(&folder.join(VOCAB))
        .then(|| read(folder, rows, padding.and_then(|id| usize::try_from(id).ok())))
        .transpose()?;
    let (labels, vocabulary) = symbols.unzip();
    model.head.pool = Pool::Positions;
    model.head.config = HeadConfig::default();
    model.head.labels = labels;
    Ok(vocabulary)
}

/// The symbols in a folder, as many as the head has `rows`, and what they mean. `padding` is the blank
/// where no file names it.
fn read(folder: &Path, rows: usize, padding: Option<usize>) -> Result<(Vec<String>, Vocabulary)> {
    let path = folder.join(VOCAB);
    let refused = |problem: String| Error::Malformed { path: path.clone(), problem };
    let settings = Settings::open(folder)?;
    if let Some(class) = settings.text("tokenizer_class").filter(|class| class.contains("Phoneme"))
    {
        return Err(refused(format!("its symbols are phonemes ({class}), which is not supported")));
    }
    let mut symbols: Vec<Option<String>> = vec![None; rows];
    // What is added stands behind the symbols, unless those have its number.
    let added = folder.join(ADDED);
    let added: Value = if is_there(&added) { read_json(&added)? } else { Value::Null };
    let decoder = settings.tokenizer["added_tokens_decoder"].as_object().into_iter().flatten();
    let decoded = decoder.filter_map(|(id, token)| Some((content(token)?, id.parse().ok()?)));
    let added = added.as_object().into_iter().flatten();
    let added = added.filter_map(|(token, id)| Some((token.clone(), id.as_u64()?)));
    let vocab: Value = read_json(&path)?;
    let Value::Object(vocab) = vocab else {
        return Err(refused("expected symbols with their numbers".into()));
    };
    let mut numbered = vec![];
    for (symbol, id) in vocab {
        let problem = || refused(format!("{symbol:?} has no number, but {id}"));
        numbered.push((symbol.clone(), id.as_u64().ok_or_else(problem)?));
    }
    for (symbol, id) in added.chain(decoded).chain(numbered) {
        let place = usize::try_from(id).ok().and_then(|id| symbols.get_mut(id));
        if let Some(place) = place {
            *place = Some(symbol);
        }
    }
    let at = |token: Option<String>| {
        token.and_then(|token| symbols.iter().position(|s| s.as_ref() == Some(&token)))
    };
    let blank = at(settings.token("pad_token", "<pad>")).or(padding.filter(|&id| id < rows));
    let Some(blank) = blank else {
        return Err(refused(format!("no symbol is the blank: {TOKENIZER} names it as pad_token")));
    };
    let delimiter = at(settings.token("word_delimiter_token", DELIMITER));
    let unknown = at(settings.token("unk_token", UNKNOWN)).filter(|&id| id != blank);
    let mut special: Vec<usize> = [("bos_token", "<s>"), ("eos_token", "</s>")]
        .into_iter()
        .filter_map(|(field, usual)| at(settings.token(field, usual)))
        .chain((0..rows).filter(|&id| symbols[id].is_none()))
        .filter(|id| *id != blank && Some(*id) != unknown)
        .collect();
    special.sort_unstable();
    special.dedup();
    let name = |(id, symbol): (usize, Option<String>)| symbol.unwrap_or_else(|| nameless(id));
    let labels: Vec<String> = symbols.into_iter().enumerate().map(name).collect();
    let vocabulary = Vocabulary { blank, delimiter, unknown, special, case: LetterCase::default() };
    let (labels, vocabulary) = settings.delimited(labels, vocabulary);
    Ok(settings.cased(labels, vocabulary))
}

/// What the files beside the symbols say.
struct Settings {
    tokenizer: Value,
    special: Value,
}

impl Settings {
    fn open(folder: &Path) -> Result<Self> {
        let file = |name: &str| {
            let path = folder.join(name);
            if is_there(&path) { read_json(&path) } else { Ok(Value::Null) }
        };
        Ok(Self { tokenizer: file(TOKENIZER)?, special: file(SPECIAL)? })
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.tokenizer[field].as_str()
    }

    /// The token that a field names; `None`: there is none. `usual` where no file has the field.
    fn token(&self, field: &str, usual: &str) -> Option<String> {
        match [&self.tokenizer, &self.special].into_iter().find_map(|file| file.get(field)) {
            Some(token) => content(token),
            None => Some(usual.into()),
        }
    }

    /// A delimiter that is written as something else than a space is a letter.
    fn delimited(
        &self,
        mut labels: Vec<String>,
        vocabulary: Vocabulary,
    ) -> (Vec<String>, Vocabulary) {
        let written = self.text("replace_word_delimiter_char").unwrap_or(" ");
        let delimiter = vocabulary.delimiter.filter(|_| written != " ");
        let Some(at) = delimiter else { return (labels, vocabulary) };
        let mut vocabulary = Vocabulary { delimiter: None, ..vocabulary };
        if written.is_empty() || labels.iter().any(|label| label == written) {
            vocabulary.special.push(at);
            vocabulary.special.sort_unstable();
        } else {
            labels[at] = written.into();
        }
        (labels, vocabulary)
    }

    /// Letters of one case alone are what any text is written in. With `do_lower_case`, texts are written
    /// in upper case before they become symbols, and in lower case afterwards: the same as symbols of
    /// lower case.
    fn cased(&self, labels: Vec<String>, vocabulary: Vocabulary) -> (Vec<String>, Vocabulary) {
        let written = |at: &usize| vocabulary.is_written(*at);
        let lower = |at: usize| match vocabulary.is_written(at) {
            true => labels[at].to_lowercase(),
            false => labels[at].clone(),
        };
        let lowered: Vec<String> = (0..labels.len()).map(lower).collect();
        let mut names: Vec<&String> = lowered.iter().collect();
        names.sort_unstable();
        let unique = names.windows(2).all(|pair| pair[0] != pair[1]);
        if self.tokenizer["do_lower_case"] == json!(true) && unique {
            let case = LetterCase::Lower;
            return (lowered, Vocabulary { case, ..vocabulary });
        }
        let letters = (0..labels.len()).filter(written).flat_map(|at| labels[at].chars());
        let (mut upper, mut lower) = (false, false);
        letters.for_each(|letter| {
            upper |= letter.is_uppercase();
            lower |= letter.is_lowercase();
        });
        let case = match (upper, lower) {
            (true, false) => LetterCase::Upper,
            (false, true) => LetterCase::Lower,
            _ => LetterCase::Kept,
        };
        (labels, Vocabulary { case, ..vocabulary })
    }
}

/// A name that no text has, for a symbol that has none.
fn nameless(id: usize) -> String {
    format!("<{id}>")
}

/// A token, which is a text or has one as its `content`.
fn content(token: &Value) -> Option<String> {
    token.as_str().or_else(|| token["content"].as_str()).map(str::to_string)
}

/// The files of symbols as transformers has them, each with its name.
pub(super) fn files(labels: &[String], vocabulary: &Vocabulary) -> [(&'static str, Value); 2] {
    let unnamed = |&(label, at): &(&String, usize)| {
        vocabulary.special.contains(&at) && *label == nameless(at)
    };
    let vocab: BTreeMap<&String, usize> =
        labels.iter().zip(0..).filter(|label| !unnamed(label)).collect();
    let named = |at: Option<usize>| at.and_then(|at| labels.get(at));
    let mut tokenizer = Map::new();
    for (field, value) in [
        ("tokenizer_class", json!("Wav2Vec2CTCTokenizer")),
        ("pad_token", json!(named(Some(vocabulary.blank)))),
        ("unk_token", json!(named(vocabulary.unknown))),
        // None are added behind the last symbol, where the model has no score for them.
        ("bos_token", json!(special(labels, vocabulary, "<s>"))),
        ("eos_token", json!(special(labels, vocabulary, "</s>"))),
        ("word_delimiter_token", json!(named(vocabulary.delimiter).map_or(" ", |name| name))),
        ("replace_word_delimiter_char", json!(" ")),
        ("do_lower_case", json!(false)),
    ] {
        tokenizer.insert(field.into(), value);
    }
    [(VOCAB, json!(vocab)), (TOKENIZER, Value::Object(tokenizer))]
}

fn special<'l>(labels: &'l [String], vocabulary: &Vocabulary, name: &str) -> Option<&'l String> {
    vocabulary.special.iter().filter_map(|&at| labels.get(at)).find(|label| *label == name)
}
