//! Tokenizers of decoders whose vocabulary is a SentencePiece model of BPE with bytes for what is unknown,
//! as transformers builds them from it (`convert_slow_tokenizer.py`): Llama's (Touvron et al. 2023) and
//! Gemma's.

use std::path::Path;

use crosstune_core::{Error, Result};
use tokenizers::{
    DecoderWrapper, SplitDelimiterBehavior, Tokenizer,
    decoders::{byte_fallback::ByteFallback, fuse::Fuse, sequence, strip::Strip},
    models::bpe::{BPE, Merges, Vocab},
    normalizers::{NormalizerWrapper as Step, Prepend, Replace, Sequence},
    pre_tokenizers::{
        metaspace::{Metaspace, PrependScheme},
        split::Split,
    },
};

use super::{
    config::{Config, Usual},
    files::broken,
    pieces::{SPACE, add_symbols, replace},
    sentence_piece::{Algorithm, SentencePiece},
    template::{Templates, special},
};

const LLAMA: Usual = Usual {
    tokens: &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")],
    space_before_mask: false,
};

const GEMMA: Usual = Usual {
    tokens: &[
        ("bos_token", "<bos>"),
        ("eos_token", "<eos>"),
        ("unk_token", "<unk>"),
        ("pad_token", "<pad>"),
    ],
    space_before_mask: false,
};

/// Llama's and Llama 2's, which Mistral and others share. A space goes before each text; what `legacy`
/// tells is whether one goes behind special tokens, too.
pub(super) fn llama(path: &Path, config: &Config) -> Result<Tokenizer> {
    let model = open(path)?;
    let mut pieces: Vec<_> = model.pieces.iter().map(|piece| piece.text.clone()).collect();
    for (id, piece) in (0..3).zip(&mut pieces) {
        if let Some(renamed) = config.added(id) {
            *piece = renamed.into();
        }
    }
    let mut tokenizer = merged(path, &model, pieces)?;
    add_symbols(&mut tokenizer, &model, &[]);
    let prefix = config.add_prefix_space.unwrap_or(true);
    match config.legacy.unwrap_or(true) {
        true => {
            let prepend = prefix.then(|| Step::Prepend(Prepend::new(SPACE.to_string())));
            let spaces = replace(" ", &SPACE.to_string()).map_err(broken(path))?;
            let steps = prepend.into_iter().chain([spaces]).collect();
            tokenizer.with_normalizer(Some(Sequence::new(steps)));
        }
        false => {
            let prepend = if prefix { PrependScheme::First } else { PrependScheme::Never };
            tokenizer.with_pre_tokenizer(Some(Metaspace::new(SPACE, prepend, false)));
        }
    }
    let strip = prefix.then_some(DecoderWrapper::Strip(Strip::new(' ', 1, 0)));
    finish(tokenizer, path, config, &LLAMA, strip)
}

/// Gemma's, all versions. No space goes before a text.
pub(super) fn gemma(path: &Path, config: &Config) -> Result<Tokenizer> {
    let model = open(path)?;
    let mut pieces: Vec<_> = model.pieces.iter().map(|piece| piece.text.clone()).collect();
    let first = ["pad_token", "eos_token", "bos_token"];
    for (piece, name) in pieces.iter_mut().zip(first) {
        *piece = config.special(name, &GEMMA);
    }
    // The first version has no tab of its own: its byte is one.
    let byte = match pieces.iter().any(|piece| piece == "\t") {
        true => None,
        false => pieces.iter_mut().find(|piece| *piece == "<0x09>"),
    };
    if let Some(byte) = byte {
        *byte = "\t".into();
    }
    let mut tokenizer = merged(path, &model, pieces)?;
    add_symbols(&mut tokenizer, &model, &["<start_of_turn>", "<end_of_turn>"]);
    let broken = broken(path);
    tokenizer.with_normalizer(Some(replace(" ", &SPACE.to_string()).map_err(&broken)?));
    let words = Split::new(" ", SplitDelimiterBehavior::MergedWithPrevious, false);
    tokenizer.with_pre_tokenizer(Some(words.map_err(&broken)?));
    finish(tokenizer, path, config, &GEMMA, None)
}

/// A model that merges pieces.
fn open(path: &Path) -> Result<SentencePiece> {
    let model = SentencePiece::open(path)?;
    match (model.algorithm, model.charsmap.is_empty()) {
        (Algorithm::Bpe, true) => Ok(model),
        (algorithm, _) => Err(Error::Malformed {
            path: path.to_path_buf(),
            problem: match algorithm {
                Algorithm::Unigram => {
                    "it is a Unigram model, which tokenizers of this class are not"
                }
                Algorithm::Bpe => {
                    "it has a precompiled_charsmap, which tokenizers of this class do not"
                }
            }
            .into(),
        }),
    }
}

/// A tokenizer of these pieces, by their numbers.
fn merged(path: &Path, model: &SentencePiece, pieces: Vec<String>) -> Result<Tokenizer> {
    let merges = merges(model);
    let vocabulary: Vocab = pieces.into_iter().zip(0..).collect();
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .unk_token(model.unknown_piece.clone())
        .fuse_unk(true)
        .byte_fallback(true);
    Ok(Tokenizer::new(bpe.build().map_err(broken(path))?))
}

/// All pairs of pieces that make a piece, in the order in which they are merged: that of the pieces'
/// scores.
fn merges(model: &SentencePiece) -> Merges {
    let pieces = || model.pieces.iter().map(|piece| &*piece.text);
    let numbers: Vocab = pieces().map(str::to_string).zip(0..).collect();
    let mut merges = vec![];
    for piece in &model.pieces {
        let splits = piece.text.char_indices().skip(1).map(|(at, _)| piece.text.split_at(at));
        let found = splits.filter_map(|(left, right)| {
            Some(((*numbers.get(left)?, *numbers.get(right)?), left, right))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(numbers, ..)| *numbers);
        merges.extend(found.into_iter().map(|(_, left, right)| (piece.score, left, right)));
    }
    let length = |piece: &str| piece.chars().count();
    merges.sort_by(|(score, left, right), (other, first, second)| {
        let lengths = (length(first), length(second)).cmp(&(length(left), length(right)));
        other.total_cmp(score).then(lengths)
    });
    merges.into_iter().map(|(_, left, right)| (left.into(), right.into())).collect()
}

/// Adds the special tokens, also around texts: a token before, none behind, unless told otherwise.
fn finish(
    mut tokenizer: Tokenizer,
    path: &Path,
    config: &Config,
    usual: &Usual,
    last: Option<DecoderWrapper>,
) -> Result<Tokenizer> {
    config.add_tokens(&mut tokenizer, usual, path)?;
    let token = |name, added: Option<bool>, usually| {
        added.unwrap_or(usually).then(|| special(&tokenizer, config.special(name, usual)))
    };
    let begin = token("bos_token", config.add_bos_token, true);
    let end = token("eos_token", config.add_eos_token, false);
    let broken = broken(path);
    let template = Templates::around(begin, end).processor().map_err(&broken)?;
    tokenizer.with_post_processor(Some(template));
    let steps = [
        DecoderWrapper::Replace(Replace::new(SPACE.to_string(), " ").map_err(&broken)?),
        DecoderWrapper::ByteFallback(ByteFallback::new()),
        DecoderWrapper::Fuse(Fuse::new()),
    ];
    let steps = steps.into_iter().chain(last).collect();
    tokenizer.with_decoder(Some(sequence::Sequence::new(steps)));
    Ok(tokenizer)
}
