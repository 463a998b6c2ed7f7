//! Tokenizers of publishers that saved a vocabulary alone: WordPiece with a `vocab.txt` (BERT, Devlin
//! et al. 2019; Wu et al. 2016) and byte-level BPE with a `vocab.json` and a `merges.txt` (GPT-2,
//! Radford et al. 2019; RoBERTa, Liu et al. 2019).

use std::path::{Path, PathBuf};

use crosstune_core::{
    BoxError, Error, Result,
    data::encoding,
    error::one_line,
    files::{self, is_there, read_json_within},
};
use tokenizers::{
    Tokenizer,
    models::{
        bpe::{BPE, Vocab},
        wordpiece::WordPiece,
    },
    normalizers::BertNormalizer,
    pre_tokenizers::{bert::BertPreTokenizer, byte_level::ByteLevel},
    processors::{
        roberta::RobertaProcessing,
        template::{Template, TemplateProcessing},
    },
};

use super::config::Config;

/// The file that a folder in Hugging Face layout, or a run folder, keeps its tokenizer in.
pub const TOKENIZER: &str = "tokenizer.json";

/// The most bytes of a file with a vocabulary or a tokenizer; the largest that are published have half.
pub(super) const MOST: u64 = 64 << 20;

const WORDS: &str = "vocab.txt";
const PIECES: &str = "vocab.json";
const MERGES: &str = "merges.txt";

/// The tokenizer in the files of a folder.
pub(super) fn tokenizer(folder: &Path) -> Result<Tokenizer> {
    let has = |name| is_there(&folder.join(name));
    if !(has(WORDS) || has(PIECES) && has(MERGES)) {
        return Err(Error::Path {
            path: folder.to_path_buf(),
            problem: format!(
                "no {TOKENIZER} in this folder, nor {WORDS}, nor {PIECES} with {MERGES}: a \
                 tokenizer is published with the weights"
            ),
        });
    }
    let config = Config::open(folder)?;
    let class = config.tokenizer_class.as_deref().map(|c| c.trim_end_matches("Fast"));
    let path = folder.join(if has(WORDS) { WORDS } else { PIECES });
    match (has(WORDS), class) {
        (true, None | Some("BertTokenizer" | "DistilBertTokenizer" | "ElectraTokenizer")) => {
            word_pieces(&path, &config)
        }
        (false, None | Some("GPT2Tokenizer" | "RobertaTokenizer")) => {
            byte_pairs(&path, &config, class)
        }
        (_, class) => Err(Error::Malformed {
            path,
            problem: format!(
                "a vocabulary for the tokenizer_class {:?}, which is read from its {TOKENIZER} \
                 alone: load it with transformers and save it",
                class.unwrap_or_default()
            ),
        }),
    }
}

fn word_pieces(path: &Path, config: &Config) -> Result<Tokenizer> {
    let contents = text(path)?;
    let lines = (0..).zip(contents.lines());
    let words: Vocab = lines.map(|(id, word)| (word.trim_end().to_string(), id)).collect();
    let usual = [
        ("unk_token", "[UNK]"),
        ("sep_token", "[SEP]"),
        ("pad_token", "[PAD]"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ];
    let unknown = config.special("unk_token", "[UNK]");
    for (name, usual) in &usual[..2] {
        known(&words, &config.special(name, usual), path)?;
    }
    known(&words, &config.special("cls_token", "[CLS]"), path)?;
    let broken = broken(path);
    let model = WordPiece::builder().vocab(words).unk_token(unknown).build().map_err(&broken)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(BertNormalizer::new(
        true,
        config.tokenize_chinese_chars.unwrap_or(true),
        config.strip_accents,
        config.do_lower_case.unwrap_or(true),
    )));
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    config.add_tokens(&mut tokenizer, &usual, path)?;
    let token = |name, usual| special(&tokenizer, config.special(name, usual));
    let (class, separator) = (token("cls_token", "[CLS]"), token("sep_token", "[SEP]"));
    let template = Templates {
        single: format!("{}:0 $A:0 {}:0", class.0, separator.0),
        pair: format!("{}:0 $A:0 {s}:0 $B:1 {s}:1", class.0, s = separator.0),
        special: vec![class, separator],
    };
    tokenizer.with_post_processor(Some(template.processor().map_err(&broken)?));
    Ok(tokenizer)
}

fn byte_pairs(path: &Path, config: &Config, class: Option<&str>) -> Result<Tokenizer> {
    let pieces: Vocab = read_json_within(path, MOST)?;
    let merges = merges(&path.with_file_name(MERGES), &pieces)?;
    let roberta = match (class, config.model_type.as_deref()) {
        (Some(class), _) => class == "RobertaTokenizer",
        (None, Some(model_type)) => model_type == "roberta",
        (None, None) => pieces.contains_key("<s>") && pieces.contains_key("</s>"),
    };
    let prefix = config.add_prefix_space.unwrap_or(false);
    let broken = broken(path);
    let model = BPE::builder().vocab_and_merges(pieces.clone(), merges).build().map_err(&broken)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(prefix, true, true)));
    if !roberta {
        let end = "<|endoftext|>";
        let usual = ["unk_token", "bos_token", "eos_token"].map(|name| (name, end));
        config.add_tokens(&mut tokenizer, &usual, path)?;
        let begin = special(&tokenizer, config.special("bos_token", end));
        let template = match config.add_bos_token {
            Some(true) => Templates {
                single: format!("{}:0 $A:0", begin.0),
                pair: format!("{b}:0 $A:0 {b}:1 $B:1", b = begin.0),
                special: vec![begin],
            },
            _ => Templates { single: "$A:0".into(), pair: "$A:0 $B:1".into(), special: vec![] },
        };
        tokenizer.with_post_processor(Some(template.processor().map_err(&broken)?));
        return Ok(tokenizer);
    }
    let usual = [
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("sep_token", "</s>"),
        ("cls_token", "<s>"),
        ("unk_token", "<unk>"),
        ("pad_token", "<pad>"),
        ("mask_token", "<mask>"),
    ];
    for (name, usual) in &usual[2..4] {
        known(&pieces, &config.special(name, usual), path)?;
    }
    config.add_tokens(&mut tokenizer, &usual, path)?;
    let token = |name, usual| special(&tokenizer, config.special(name, usual));
    let processor = RobertaProcessing::new(token("sep_token", "</s>"), token("cls_token", "<s>"));
    let processor = processor.trim_offsets(true).add_prefix_space(prefix);
    tokenizer.with_post_processor(Some(processor));
    Ok(tokenizer)
}

/// The merges, in order.
fn merges(path: &Path, pieces: &Vocab) -> Result<Vec<(String, String)>> {
    let contents = text(path)?;
    let lines = (1..).zip(contents.lines()).filter(|(_, line)| !line.starts_with("#version"));
    let pair = |(number, line): (usize, &str)| {
        let mut parts = line.split(' ');
        let problem = match (parts.next(), parts.next(), parts.next()) {
            (Some(a), Some(b), None) if !a.is_empty() && !b.is_empty() => {
                let merged = format!("{a}{b}");
                match [a, b, &merged].into_iter().find(|piece| !pieces.contains_key(*piece)) {
                    None => return Ok((a.to_string(), b.to_string())),
                    Some(piece) => format!("{piece:?} is not in {PIECES}"),
                }
            }
            _ => format!("{line:?}, expected two pieces with a space between"),
        };
        Err(Error::Malformed { path: format!("{}:{number}", path.display()).into(), problem })
    };
    // The last line may be empty, as may those behind it.
    lines.filter(|(_, line)| !line.is_empty()).map(pair).collect()
}

/// The templates of special tokens around texts.
struct Templates {
    single: String,
    pair: String,
    special: Vec<(String, u32)>,
}

impl Templates {
    fn processor(self) -> Result<TemplateProcessing, BoxError> {
        let template = |text: String| Template::try_from(text).map_err(BoxError::from);
        let processor = TemplateProcessing::builder()
            .single(template(self.single)?)
            .pair(template(self.pair)?)
            .special_tokens(self.special)
            .build()?;
        Ok(processor)
    }
}

/// A special token with its number. It was added, so it has one.
fn special(tokenizer: &Tokenizer, content: String) -> (String, u32) {
    let id = tokenizer.token_to_id(&content).unwrap_or_default();
    (content, id)
}

fn known(vocabulary: &Vocab, token: &str, path: &Path) -> Result<()> {
    match vocabulary.contains_key(token) {
        true => Ok(()),
        false => Err(Error::Malformed {
            path: path.to_path_buf(),
            problem: format!("the special token {token:?} is not in it"),
        }),
    }
}

fn text(path: &Path) -> Result<String> {
    let contents = files::read(path, MOST)?;
    let text = encoding::decode(&contents);
    text.map(str::to_string)
        .map_err(|e| Error::Malformed { path: path.to_path_buf(), problem: e.to_string() })
}

fn broken(path: &Path) -> impl Fn(BoxError) -> Error + '_ {
    move |e| Error::Malformed {
        path: PathBuf::from(path),
        problem: format!("not a vocabulary that can be used ({})", one_line(e.as_ref())),
    }
}
