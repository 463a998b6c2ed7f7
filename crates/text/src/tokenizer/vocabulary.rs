//! Tokenizers of publishers that saved a vocabulary without a `tokenizer.json`: which kind it is, by the
//! class that the files name, and what it is read from.

use std::path::Path;

use crosstune_core::{BoxError, Error, Result, files, files::is_there};
use tokenizers::{Tokenizer, models::bpe::Vocab};

use super::{
    bounds::MOST,
    byte_pairs,
    config::Config,
    files::{MERGES, PIECES, TOKENIZER, WORDS},
    merged_pieces, pieces,
    template::Templates,
    word_pieces,
};

/// A kind of tokenizer, as transformers' classes are.
struct TokenizerKind {
    /// The class, by its name before `Fast`.
    class: &'static str,
    /// The families of models that have it where no class is named.
    families: &'static [&'static str],
    /// The file that it is read from.
    file: &'static str,
    read: fn(&Path, &Config) -> Result<Tokenizer>,
}

const fn kind(
    class: &'static str,
    families: &'static [&'static str],
    file: &'static str,
    read: fn(&Path, &Config) -> Result<Tokenizer>,
) -> TokenizerKind {
    TokenizerKind { class, families, file, read }
}

const KINDS: [TokenizerKind; 13] = [
    kind("BertTokenizer", &["bert", "electra", "nomic_bert"], WORDS, word_pieces::bert),
    kind("DistilBertTokenizer", &["distilbert"], WORDS, word_pieces::bert),
    kind("ElectraTokenizer", &[], WORDS, word_pieces::bert),
    kind("MPNetTokenizer", &["mpnet"], WORDS, word_pieces::mpnet),
    kind("GPT2Tokenizer", &["gpt2"], PIECES, byte_pairs::gpt2),
    kind("RobertaTokenizer", &["roberta"], PIECES, byte_pairs::roberta),
    kind("Qwen2Tokenizer", &["qwen2", "qwen3"], PIECES, byte_pairs::qwen2),
    kind("AlbertTokenizer", &["albert"], "spiece.model", pieces::albert),
    kind("DebertaV2Tokenizer", &["deberta-v2"], "spm.model", pieces::deberta),
    kind("XLMRobertaTokenizer", &["xlm-roberta"], "sentencepiece.bpe.model", pieces::xlm_roberta),
    kind("CamembertTokenizer", &["camembert"], "sentencepiece.bpe.model", pieces::camembert),
    kind("LlamaTokenizer", &["llama", "mistral"], "tokenizer.model", merged_pieces::llama),
    kind(
        "GemmaTokenizer",
        &["gemma", "gemma2", "gemma3", "gemma3_text"],
        "tokenizer.model",
        merged_pieces::gemma,
    ),
];

/// Classes that say nothing about what they hold.
const ANY: [&str; 3] = ["PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"];

/// The tokenizer in the files of a folder.
pub(super) fn tokenizer(folder: &Path, config: &Config) -> Result<Tokenizer> {
    let has = |file: &str| {
        is_there(&folder.join(file)) && (file != PIECES || is_there(&folder.join(MERGES)))
    };
    let mut files: Vec<&str> =
        KINDS.iter().map(|kind| kind.file).filter(|file| has(file)).collect();
    files.dedup();
    let Some(file) = files.first() else {
        return Err(Error::Path {
            path: folder.to_path_buf(),
            problem: format!(
                "no {TOKENIZER} in this folder, nor {WORDS}, nor {PIECES} with {MERGES}, nor a \
                 SentencePiece model ({}): a tokenizer is published with the weights",
                sentence_piece_files().join(", ")
            ),
        });
    };
    let refused = |problem| Err(Error::Malformed { path: folder.join(file), problem });
    let class = config.class().filter(|class| !ANY.contains(class));
    let by_class = KINDS.iter().find(|kind| Some(kind.class) == class);
    let family = config.model_type.as_deref();
    let by_family = KINDS.iter().find(|kind| family.is_some_and(|f| kind.families.contains(&f)));
    let kind = match (class, by_class, by_family) {
        (Some(class), None, _) => {
            return refused(format!(
                "a vocabulary for the tokenizer_class {class:?}, which is read from its \
                 {TOKENIZER} alone: load it with transformers and save it"
            ));
        }
        (_, Some(kind), _) if has(kind.file) => kind,
        (None, _, Some(kind)) if has(kind.file) => kind,
        (Some(class), Some(kind), _) => {
            return refused(format!(
                "the tokenizer_class is {class:?}, which is read from {}: it is not in this folder",
                kind.file
            ));
        }
        // A vocabulary alone, as the first were published.
        _ if has(WORDS) => &KINDS[0],
        _ if has(PIECES) => {
            let path = folder.join(PIECES);
            let pieces: Vocab = files::read_json_within(&path, MOST)?;
            let roberta = pieces.contains_key("<s>") && pieces.contains_key("</s>");
            return if roberta { byte_pairs::roberta } else { byte_pairs::gpt2 }(&path, config);
        }
        _ => {
            let known = KINDS.iter().filter(|kind| has(kind.file)).map(|kind| kind.class);
            return refused(format!(
                "a SentencePiece model of which kind? Put a tokenizer_config.json beside it that \
                 names the tokenizer_class, one of {}",
                known.collect::<Vec<_>>().join(", ")
            ));
        }
    };
    (kind.read)(&folder.join(kind.file), config)
}

/// Puts the tokens around texts that the configuration of Llama's and Gemma's tokenizers tells, be the
/// `tokenizer.json` of another opinion, as transformers does. Whether anything changed.
///
/// # Errors
/// If the library refuses them.
pub(super) fn surround(tokenizer: &mut Tokenizer, config: &Config) -> Result<bool, BoxError> {
    let told = config.add_bos_token.is_some() || config.add_eos_token.is_some();
    if !told || !matches!(config.class(), Some("LlamaTokenizer" | "GemmaTokenizer")) {
        return Ok(false);
    }
    let token = |name| {
        let content = config.told(name)?;
        let id = tokenizer.token_to_id(&content)?;
        Some((content, id))
    };
    let begin = config.add_bos_token.unwrap_or(true).then(|| token("bos_token"));
    let end = config.add_eos_token.unwrap_or(false).then(|| token("eos_token"));
    if begin == Some(None) || end == Some(None) {
        return Ok(false);
    }
    let (begin, end) = (begin.flatten(), end.flatten());
    let ids: Vec<_> = [&begin, &end].into_iter().flatten().map(|(_, id)| *id).collect();
    if tokenizer.encode_fast("", true)?.get_ids() == ids {
        return Ok(false);
    }
    tokenizer.with_post_processor(Some(Templates::around(begin, end).processor()?));
    Ok(true)
}

/// The names of SentencePiece's models.
fn sentence_piece_files() -> Vec<&'static str> {
    let mut files: Vec<_> = KINDS.iter().map(|kind| kind.file).collect();
    files.retain(|file| file.ends_with(".model"));
    files.dedup();
    files
}
