//! WordPiece with a `vocab.txt` (Wu et al. 2016), a word piece a line: BERT's (Devlin et al. 2019), which
//! DistilBERT, ELECTRA and NomicBERT share, and MPNet's (Song et al. 2020).

use std::path::Path;

use crosstune_core::Result;
use tokenizers::{
    Tokenizer,
    decoders::wordpiece::WordPiece as WordPieceDecoder,
    models::{bpe::Vocab, wordpiece::WordPiece},
    normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

use super::{
    config::{Config, Usual},
    files::{broken, known, text},
    template::{Templates, special},
};

const BERT: Usual = Usual {
    tokens: &[
        ("unk_token", "[UNK]"),
        ("sep_token", "[SEP]"),
        ("pad_token", "[PAD]"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ],
    space_before_mask: false,
};

const MPNET: Usual = Usual {
    tokens: &[
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("unk_token", "[UNK]"),
        ("sep_token", "</s>"),
        ("pad_token", "<pad>"),
        ("cls_token", "<s>"),
        ("mask_token", "<mask>"),
    ],
    space_before_mask: true,
};

/// BERT's.
pub(super) fn bert(path: &Path, config: &Config) -> Result<Tokenizer> {
    word_pieces(path, config, &BERT, Templates::bert)
}

/// MPNet's: BERT's words with RoBERTa's special tokens.
pub(super) fn mpnet(path: &Path, config: &Config) -> Result<Tokenizer> {
    word_pieces(path, config, &MPNET, Templates::roberta)
}

fn word_pieces(
    path: &Path,
    config: &Config,
    usual: &Usual,
    around: fn((String, u32), (String, u32)) -> Templates,
) -> Result<Tokenizer> {
    let contents = text(path)?;
    let lines = (0..).zip(contents.lines());
    let words: Vocab = lines.map(|(id, word)| (word.trim_end().to_string(), id)).collect();
    let [unknown, separator, class] =
        ["unk_token", "sep_token", "cls_token"].map(|name| config.special(name, usual));
    for token in [&unknown, &separator, &class] {
        known(&words, token, path)?;
    }
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
    tokenizer.with_decoder(Some(WordPieceDecoder::default()));
    config.add_tokens(&mut tokenizer, usual, path)?;
    let template = around(special(&tokenizer, class), special(&tokenizer, separator));
    tokenizer.with_post_processor(Some(template.processor().map_err(&broken)?));
    Ok(tokenizer)
}
