//! What transformers calls the special tokens of a tokenizer.

use serde::Deserialize;
use tokenizers::{Encoding, Tokenizer};

/// What a `tokenizer.json` tells of the token for what is in no vocabulary.
#[derive(Deserialize)]
struct File {
    model: Unknown,
}

#[derive(Default, Deserialize)]
struct Unknown {
    unk_token: Option<String>,
    unk_id: Option<u32>,
}

/// The special tokens by transformers' names for them, as far as they are sure: by the model, by where
/// they stand in a pair of texts, or by a text that no other token has. One that is not found in texts
/// whole is left out: transformers would find it there from then on.
pub(super) fn named(
    tokenizer: &Tokenizer,
    file: &[u8],
    pair: Option<&Encoding>,
) -> Vec<(&'static str, String)> {
    let added = tokenizer.get_added_tokens_decoder();
    let special = |id: u32| {
        let token = added.get(&id).filter(|token| token.special)?;
        Some(token.content.clone())
    };
    let only = |texts: [&str; 2]| {
        let ids = texts.into_iter().filter_map(|text| tokenizer.token_to_id(text));
        let mut found = ids.filter_map(special);
        let first = found.next();
        first.filter(|_| found.next().is_none())
    };

    let Unknown { unk_token, unk_id } =
        serde_json::from_slice(file).map(|file: File| file.model).unwrap_or_default();
    let unknown = match unk_token.and_then(|text| tokenizer.token_to_id(&text)).or(unk_id) {
        Some(id) => special(id),
        // Pieces of bytes need none, but RoBERTa has one.
        None => only(["[UNK]", "<unk>"]),
    };
    let mut all = vec![("unk_token", unknown), ("mask_token", only(["[MASK]", "<mask>"]))];
    let [before, between, behind] = pair.map(frame).unwrap_or_default();
    match (&before[..], &between[..], &behind[..]) {
        // BERT's and RoBERTa's: what separates texts also ends them.
        (&[class], [separator, rest @ ..], &[end])
            if *separator == end && class != end && (rest.is_empty() || rest == [end]) =>
        {
            let tokens = [special(class), special(end)];
            // RoBERTa's have two names, BERT's one.
            if let [Some("<s>"), Some("</s>")] = tokens.each_ref().map(Option::as_deref) {
                all.extend(["bos_token", "eos_token"].into_iter().zip(tokens.clone()));
            }
            all.extend(["cls_token", "sep_token"].into_iter().zip(tokens));
        }
        // Llama's: each text is for itself.
        (&[begin], &[end, again], &[last]) if begin == again && end == last => {
            all.extend([("bos_token", special(begin)), ("eos_token", special(end))]);
        }
        (&[begin], &[again], &[]) if begin == again => all.push(("bos_token", special(begin))),
        _ => {}
    }
    all.into_iter().filter_map(|(name, token)| Some((name, token?))).collect()
}

/// The tokens before, between and behind the two texts of a pair.
fn frame(pair: &Encoding) -> [Vec<u32>; 3] {
    let mut parts = [const { vec![] }; 3];
    let mut part = 0;
    for (&id, text) in pair.get_ids().iter().zip(pair.get_sequence_ids()) {
        match text {
            Some(text) => part = (text + 1).min(2),
            None => parts[part].push(id),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        path::{Path, PathBuf},
    };

    use serde_json::Value;

    use crate::Tokenizer;

    fn fixture(name: &str) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
    }

    /// What is written of a tokenizer for a model with so many segments.
    fn saved(folder: &Path, most: u32, segments: i64) -> BTreeMap<String, Value> {
        let hub = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::open(folder, most).unwrap();
        tokenizer.save_pretrained(hub.path(), segments).unwrap();
        let config = fs::read_to_string(hub.path().join("tokenizer_config.json")).unwrap();
        serde_json::from_str(&config).unwrap()
    }

    /// The special tokens in it but for the padding, by the beginnings of their names.
    fn tokens(config: &BTreeMap<String, Value>) -> Vec<(&str, &str)> {
        let named = config.iter().filter_map(|(name, token)| {
            let name = name.strip_suffix("_token").filter(|name| *name != "pad")?;
            Some((name, token.as_str().unwrap()))
        });
        named.collect()
    }

    #[test]
    fn special_tokens_have_the_names_that_are_sure() {
        let bert: &[_] =
            &[("cls", "[CLS]"), ("mask", "[MASK]"), ("sep", "[SEP]"), ("unk", "[UNK]")];
        let roberta = |unknown, mask| {
            let framed = [("bos", "<s>"), ("cls", "<s>"), ("eos", "</s>")];
            let rest = [mask, Some(("sep", "</s>")), Some(("unk", unknown))];
            framed.map(Some).into_iter().chain(rest).flatten().collect::<Vec<_>>()
        };
        let mask = Some(("mask", "<mask>"));
        let cases = [
            ("tokenizers/bert", bert),
            ("tiny-bert-pairs", bert),
            ("tokenizers/mpnet", &roberta("[UNK]", mask)),
            ("tokenizers/roberta", &roberta("<unk>", mask)),
            ("tokenizers/roberta-mask", &roberta("<unk>", mask)),
            ("tagging/unigram-tags", &roberta("<unk>", None)),
            ("sentence-pieces/deberta-v3", bert),
            // What ends a text is not told, nor what else a token is.
            ("tokenizers/gpt2", &[]),
            ("tokenizers/qwen2", &[]),
            ("tokenizers/smollm2", &[]),
            ("tokenizers/llama3", &[("bos", "<|begin_of_text|>")]),
            ("sentence-pieces/llama", &[("bos", "<s>"), ("unk", "<unk>")]),
        ];
        for (name, expected) in cases {
            let config = saved(&fixture(name), 64, 0);
            assert_eq!(tokens(&config), expected, "{name}");
            let inputs = serde_json::json!(["input_ids", "attention_mask"]);
            assert_eq!(config["model_input_names"], inputs, "{name}");
        }
        // Without room for a pair, only what the texts of tokens tell.
        let config = saved(&fixture("tokenizers/bert"), 4, 0);
        assert_eq!(tokens(&config), [("mask", "[MASK]"), ("unk", "[UNK]")]);
    }

    /// transformers would find it in texts whole, which it is not here.
    #[test]
    fn a_token_that_was_not_added_has_no_name() {
        let file = fs::read_to_string(fixture("tiny-bert/tokenizer.json")).unwrap();
        let mut file: Value = serde_json::from_str(&file).unwrap();
        let added = file["added_tokens"].as_array_mut().unwrap();
        added.retain(|token| token["content"] != "[UNK]");
        for token in added {
            token["special"] = (token["content"] != "[SEP]").into();
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
        let config = saved(folder.path(), 64, 2);
        assert_eq!(tokens(&config), [("cls", "[CLS]"), ("mask", "[MASK]")]);
    }

    #[test]
    fn segments_are_told_to_a_model_that_has_them() {
        for (name, segments, told) in [
            ("tokenizers/bert", 2, true),
            ("tokenizers/bert", 1, false),
            ("tokenizers/bert", 0, false),
            // Two texts of one segment.
            ("tokenizers/roberta", 1, false),
            ("tokenizers/roberta", 2, true),
            ("tokenizers/gpt2", 0, false),
        ] {
            let config = saved(&fixture(name), 64, segments);
            let inputs = config["model_input_names"].as_array().unwrap();
            assert_eq!(inputs.contains(&"token_type_ids".into()), told, "{name}: {segments}");
        }
        // No row of the table for the second text: ours has none of them then, either.
        let file = fs::read_to_string(fixture("tiny-bert/tokenizer.json")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = file.replace("\"type_id\":1", "\"type_id\":2");
        fs::write(folder.path().join("tokenizer.json"), file).unwrap();
        for (segments, told) in [(2, 2), (3, 3)] {
            let config = saved(folder.path(), 64, segments);
            assert_eq!(config["model_input_names"].as_array().unwrap().len(), told);
        }
    }
}
