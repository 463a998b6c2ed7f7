//! Byte-level BPE with a `vocab.json` and a `merges.txt`: GPT-2's (Radford et al. 2019), RoBERTa's (Liu et
//! al. 2019) and Qwen 2's.

use std::path::Path;

use crosstune_core::{Error, Result, files::read_json_within};
use tokenizers::{
    SplitDelimiterBehavior, Tokenizer,
    models::bpe::{BPE, Vocab},
    normalizers::NFC,
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    processors::roberta::RobertaProcessing,
};

use super::{
    bounds::MOST,
    config::{Config, Usual},
    files::{MERGES, PIECES, broken, known, text},
    template::{Templates, special},
};

const END: &str = "<|endoftext|>";

const GPT2: Usual = Usual {
    tokens: &[("unk_token", END), ("bos_token", END), ("eos_token", END)],
    space_before_mask: false,
};

const QWEN2: Usual = Usual {
    tokens: &[("unk_token", END), ("eos_token", END), ("pad_token", END)],
    space_before_mask: false,
};

const ROBERTA: Usual = Usual {
    tokens: &[
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("sep_token", "</s>"),
        ("cls_token", "<s>"),
        ("unk_token", "<unk>"),
        ("pad_token", "<pad>"),
        ("mask_token", "<mask>"),
    ],
    space_before_mask: false,
};

/// How Qwen 2 splits texts into words: digits one by one.
const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// GPT-2's.
pub(super) fn gpt2(path: &Path, config: &Config) -> Result<Tokenizer> {
    let (mut tokenizer, _) = byte_pairs(path, config)?;
    config.add_tokens(&mut tokenizer, &GPT2, path)?;
    let begin = config.add_bos_token == Some(true);
    let begin = begin.then(|| special(&tokenizer, config.special("bos_token", &GPT2)));
    let template = Templates::around(begin, None).processor().map_err(broken(path))?;
    tokenizer.with_post_processor(Some(template));
    Ok(tokenizer)
}

/// RoBERTa's.
pub(super) fn roberta(path: &Path, config: &Config) -> Result<Tokenizer> {
    let (mut tokenizer, pieces) = byte_pairs(path, config)?;
    let [separator, class] = ["sep_token", "cls_token"].map(|name| config.special(name, &ROBERTA));
    known(&pieces, &separator, path)?;
    known(&pieces, &class, path)?;
    config.add_tokens(&mut tokenizer, &ROBERTA, path)?;
    let processor =
        RobertaProcessing::new(special(&tokenizer, separator), special(&tokenizer, class));
    let prefix = config.add_prefix_space.unwrap_or(false);
    let processor = processor.trim_offsets(true).add_prefix_space(prefix);
    tokenizer.with_post_processor(Some(processor));
    Ok(tokenizer)
}

/// Qwen 2's, whose texts have no special tokens around them.
pub(super) fn qwen2(path: &Path, config: &Config) -> Result<Tokenizer> {
    let (mut tokenizer, _) = byte_pairs(path, config)?;
    let words = SplitPattern::Regex(QWEN2_WORDS.into());
    let words = Split::new(words, SplitDelimiterBehavior::Isolated, false);
    let prefix = config.add_prefix_space.unwrap_or(false);
    tokenizer.with_normalizer(Some(NFC));
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![
        PreTokenizerWrapper::Split(words.map_err(broken(path))?),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(prefix, true, false)),
    ])));
    config.add_tokens(&mut tokenizer, &QWEN2, path)?;
    tokenizer.with_post_processor(Some(ByteLevel::new(false, false, false)));
    Ok(tokenizer)
}

/// The model, splitting as GPT-2 does, and its pieces.
fn byte_pairs(path: &Path, config: &Config) -> Result<(Tokenizer, Vocab)> {
    let pieces: Vocab = read_json_within(path, MOST)?;
    let merges = merges(&path.with_file_name(MERGES), &pieces)?;
    let model = BPE::builder().vocab_and_merges(pieces.clone(), merges);
    let mut tokenizer = Tokenizer::new(model.build().map_err(broken(path))?);
    let prefix = config.add_prefix_space.unwrap_or(false);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(prefix, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok((tokenizer, pieces))
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
