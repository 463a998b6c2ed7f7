//! Tokenizers whose vocabulary is a SentencePiece model, as transformers builds them from it
//! (`convert_slow_tokenizer.py`): normalizer, words, special tokens and their numbers. ALBERT's words are
//! split at all whitespace first, as in the files that were published.

use std::path::Path;

use crosstune_core::{BoxError, Error, Result};
use tokenizers::{
    AddedToken, NormalizerWrapper as Step, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::unigram::Unigram,
    normalizers::{
        Lowercase, NFKD, Precompiled, Replace, Sequence, Strip, StripAccents,
        replace::ReplacePattern,
    },
    pre_tokenizers::{
        metaspace::{Metaspace, PrependScheme},
        punctuation::Punctuation,
        sequence,
        whitespace::WhitespaceSplit,
    },
};

use super::{
    config::{Config, Usual},
    files::broken,
    sentence_piece::{Algorithm, PieceKind, SentencePiece},
    template::{Templates, special},
};

/// What stands for a space.
pub(super) const SPACE: char = '▁';

const BERT: Usual = Usual {
    tokens: &[
        ("bos_token", "[CLS]"),
        ("eos_token", "[SEP]"),
        ("unk_token", "[UNK]"),
        ("sep_token", "[SEP]"),
        ("pad_token", "[PAD]"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ],
    space_before_mask: false,
};

const ALBERT: Usual = Usual {
    tokens: &[
        ("bos_token", "[CLS]"),
        ("eos_token", "[SEP]"),
        ("unk_token", "<unk>"),
        ("sep_token", "[SEP]"),
        ("pad_token", "<pad>"),
        ("cls_token", "[CLS]"),
        ("mask_token", "[MASK]"),
    ],
    space_before_mask: true,
};

const ROBERTA: Usual = Usual {
    tokens: &[
        ("bos_token", "<s>"),
        ("eos_token", "</s>"),
        ("unk_token", "<unk>"),
        ("sep_token", "</s>"),
        ("pad_token", "<pad>"),
        ("cls_token", "<s>"),
        ("mask_token", "<mask>"),
    ],
    space_before_mask: true,
};

/// ALBERT's (Lan et al. 2020).
pub(super) fn albert(path: &Path, config: &Config) -> Result<Tokenizer> {
    let model = open(path)?;
    let mut vocabulary = numbered(&model);
    // A number with a comma behind it is split, as ALBERT's own code does afterwards.
    for (piece, score) in &mut vocabulary {
        let mut end = piece.chars().rev();
        if end.next() == Some(',') && end.next().is_some_and(char::is_numeric) {
            *score -= 100.;
        }
    }
    let mut steps = vec![replace("``", "\""), replace("''", "\"")];
    if !config.keep_accents.unwrap_or(false) {
        steps.extend([Ok(Step::NFKD(NFKD)), Ok(Step::StripAccents(StripAccents))]);
    }
    if config.do_lower_case.unwrap_or(true) {
        steps.push(Ok(Step::Lowercase(Lowercase)));
    }
    steps.extend([charsmap(&model), Some(spaces(" "))].into_iter().flatten());
    let mut tokenizer = unigram(path, &model, vocabulary, model.unknown, steps)?;
    words(&mut tokenizer, vec![PreTokenizerWrapper::WhitespaceSplit(WhitespaceSplit)]);
    finish(tokenizer, path, config, &ALBERT, Templates::bert)
}

/// DeBERTa v2's and v3's (He et al. 2021).
pub(super) fn deberta(path: &Path, config: &Config) -> Result<Tokenizer> {
    let model = open(path)?;
    let lowercase = config.do_lower_case.unwrap_or(false);
    let lowercase = lowercase.then_some(Ok(Step::Lowercase(Lowercase)));
    let strip = Some(Ok(Step::StripNormalizer(Strip::new(true, true))));
    let steps = [lowercase, strip, charsmap(&model), Some(spaces(" "))];
    let steps = steps.into_iter().flatten().collect();
    let mut tokenizer = unigram(path, &model, numbered(&model), model.unknown, steps)?;
    let punctuation = Punctuation::new(SplitDelimiterBehavior::Isolated);
    words(
        &mut tokenizer,
        match config.split_by_punct.unwrap_or(false) {
            true => vec![PreTokenizerWrapper::Punctuation(punctuation)],
            false => vec![],
        },
    );
    finish(tokenizer, path, config, &BERT, Templates::bert)
}

/// XLM-R's (Conneau et al. 2020), with the numbers of fairseq: four tokens instead of the model's
/// first three, and a mask behind all.
pub(super) fn xlm_roberta(path: &Path, config: &Config) -> Result<Tokenizer> {
    let first = [("<s>", 0.), ("<pad>", 0.), ("</s>", 0.), ("<unk>", 0.)];
    fairseq(path, config, &first, 3)
}

/// CamemBERT's (Martin et al. 2020), with the numbers of fairseq's dictionary before the model's but
/// for the first.
pub(super) fn camembert(path: &Path, config: &Config) -> Result<Tokenizer> {
    let first = [
        ("<s>NOTUSED", 0.),
        ("<pad>", 0.),
        ("</s>NOTUSED", 0.),
        ("<unk>", 0.),
        ("<unk>NOTUSED", -100.),
    ];
    fairseq(path, config, &first, 1)
}

fn fairseq(
    path: &Path,
    config: &Config,
    first: &[(&str, f64)],
    skipped: usize,
) -> Result<Tokenizer> {
    let model = open(path)?;
    let first = first.iter().map(|(piece, score)| (piece.to_string(), *score));
    let rest = numbered(&model).into_iter().skip(skipped);
    let vocabulary = first.chain(rest).chain([("<mask>".to_string(), 0.)]).collect();
    let strip = Some(Ok(Step::StripNormalizer(Strip::new(false, true))));
    let steps = [charsmap(&model), strip, Some(spaces(&SPACE.to_string()))];
    let steps = steps.into_iter().flatten().collect();
    let mut tokenizer = unigram(path, &model, vocabulary, 3, steps)?;
    words(&mut tokenizer, vec![]);
    finish(tokenizer, path, config, &ROBERTA, Templates::roberta)
}

/// A model that splits texts by probability.
fn open(path: &Path) -> Result<SentencePiece> {
    let model = SentencePiece::open(path)?;
    let problem = match (model.algorithm, model.byte_fallback) {
        (Algorithm::Unigram, false) => return Ok(model),
        (Algorithm::Unigram, true) => "it has byte_fallback",
        (Algorithm::Bpe, _) => "it is a BPE model",
    };
    Err(Error::Malformed {
        path: path.to_path_buf(),
        problem: format!("{problem}, which tokenizers of this class are not"),
    })
}

/// The pieces with their scores, by their numbers.
fn numbered(model: &SentencePiece) -> Vec<(String, f64)> {
    model.pieces.iter().map(|piece| (piece.text.clone(), piece.score.into())).collect()
}

/// A tokenizer with this vocabulary, whose texts are prepared so.
fn unigram(
    path: &Path,
    model: &SentencePiece,
    vocabulary: Vec<(String, f64)>,
    unknown: usize,
    steps: Vec<Result<Step, BoxError>>,
) -> Result<Tokenizer> {
    let broken = broken(path);
    let unigram = Unigram::from(vocabulary, Some(unknown), false).map_err(&broken)?;
    let mut tokenizer = Tokenizer::new(unigram);
    add_symbols(&mut tokenizer, model, &[]);
    let steps = steps.into_iter().collect::<Result<_, _>>().map_err(&broken)?;
    tokenizer.with_normalizer(Some(Sequence::new(steps)));
    Ok(tokenizer)
}

/// Adds the symbols that are found in texts whole: those of control are special, and those of these
/// names.
pub(super) fn add_symbols(tokenizer: &mut Tokenizer, model: &SentencePiece, names: &[&str]) {
    let symbols = model.pieces.iter().filter(|piece| piece.kind != PieceKind::Other);
    let symbols = symbols.map(|piece| {
        let special = piece.kind == PieceKind::Control || names.contains(&&*piece.text);
        AddedToken::from(&*piece.text, special).normalized(false)
    });
    tokenizer.add_tokens(&symbols.collect::<Vec<_>>());
}

/// Texts are split at spaces, which are then the first letter of each word, after these steps.
fn words(tokenizer: &mut Tokenizer, mut steps: Vec<PreTokenizerWrapper>) {
    let spaces = Metaspace::new(SPACE, PrependScheme::Always, true);
    steps.push(PreTokenizerWrapper::Metaspace(spaces.clone()));
    tokenizer.with_pre_tokenizer(Some(sequence::Sequence::new(steps)));
    tokenizer.with_decoder(Some(spaces));
}

/// Adds the special tokens, also around texts.
fn finish(
    mut tokenizer: Tokenizer,
    path: &Path,
    config: &Config,
    usual: &Usual,
    around: fn((String, u32), (String, u32)) -> Templates,
) -> Result<Tokenizer> {
    config.add_tokens(&mut tokenizer, usual, path)?;
    let token = |name| special(&tokenizer, config.special(name, usual));
    let template = around(token("cls_token"), token("sep_token")).processor();
    tokenizer.with_post_processor(Some(template.map_err(broken(path))?));
    Ok(tokenizer)
}

fn charsmap(model: &SentencePiece) -> Option<Result<Step, BoxError>> {
    let charsmap = Some(&model.charsmap).filter(|bytes| !bytes.is_empty())?;
    Some(Precompiled::from(charsmap).map(Step::Precompiled).map_err(Into::into))
}

/// Two spaces and more become this.
fn spaces(by: &str) -> Result<Step, BoxError> {
    Ok(Step::Replace(Replace::new(ReplacePattern::Regex(" {2,}".into()), by)?))
}

pub(super) fn replace(text: &str, by: &str) -> Result<Step, BoxError> {
    Ok(Step::Replace(Replace::new(text, by)?))
}
