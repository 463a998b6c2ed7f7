//! What a tokenizer from elsewhere may ask for: how much longer it can make a text, how much it
//! repeats, how many steps it has. The published ones stay far below.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{ModelWrapper, Tokenizer};

/// The most bytes of a file with a vocabulary or a tokenizer; the largest that are published have half.
pub(super) const MOST: u64 = 64 << 20;

/// The most bytes that a text can have grown to when it is split into tokens.
pub(super) const LONGEST: usize = 64 << 20;

/// The most steps of a normalizer, a pre-tokenizer or a post-processor, nested ones included.
const MOST_STEPS: usize = 64;

/// The most bytes of a regular expression, and the most often that it can say "so many times".
const LONGEST_REGEX: usize = 10_000;
const MOST_REPEATS: usize = 10_000;

/// The longest word that WordPiece looks up, whose cost grows with its square: 100 is usual.
const LONGEST_WORD: usize = 512;

/// The most parts of a template.
const MOST_PARTS: usize = 1000;

/// The parts of a `tokenizer.json` that build something from what they are told.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
}

/// Checks a `tokenizer.json` before it is built: regular expressions are compiled then, and a table
/// is allocated by the size that it names.
///
/// # Errors
/// The first part that asks for too much. What is no tokenizer at all passes; who builds it says so.
pub(super) fn check_file(file: &[u8]) -> Result<(), String> {
    let Ok(Parts { normalizer, pre_tokenizer }) = serde_json::from_slice(file) else {
        return Ok(());
    };
    fields(&normalizer).and_then(|()| fields(&pre_tokenizer))
}

/// Checks all fields of a part, at any depth.
fn fields(part: &Value) -> Result<(), String> {
    match part {
        Value::Array(parts) => parts.iter().try_for_each(fields),
        Value::Object(parts) => {
            parts.iter().try_for_each(|(name, value)| match (name.as_str(), value.as_str()) {
                ("Regex", Some(regex)) => check_regex(regex),
                ("precompiled_charsmap", Some(packed)) => Charsmap::packed(packed).map(|_| ()),
                _ => fields(value),
            })
        }
        _ => Ok(()),
    }
}

fn check_regex(regex: &str) -> Result<(), String> {
    if regex.len() > LONGEST_REGEX {
        let length = regex.len();
        return Err(format!("a regular expression of {length} bytes, {LONGEST_REGEX} at most"));
    }
    // Of `{3}` and `{1,3}` the largest number; nested ones multiply, so all do.
    let repeats = regex.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let times = repeats.filter_map(|(counts, _)| {
        counts.split(',').filter_map(|count| count.trim().parse::<usize>().ok()).max()
    });
    let all = times.map(|n| n.max(1)).fold(1, usize::saturating_mul);
    if all > MOST_REPEATS {
        return Err(format!(
            "a regular expression that repeats {all} times, {MOST_REPEATS} at most"
        ));
    }
    Ok(())
}

/// SentencePiece's table of replacements: the size of a trie in bytes, the trie, and the texts that it
/// points to, with zeros between.
struct Charsmap {
    /// The longest text, in bytes.
    longest: usize,
}

/// Checks SentencePiece's table of replacements before it is built.
///
/// # Errors
/// If it is none.
pub(super) fn check_charsmap(bytes: &[u8]) -> Result<(), String> {
    Charsmap::of(bytes).map(|_| ())
}

const NO_CHARSMAP: &str = "a precompiled_charsmap that is none";

impl Charsmap {
    /// Of a table in base64.
    fn packed(packed: &str) -> Result<Self, String> {
        Self::of(&STANDARD.decode(packed).map_err(|_| NO_CHARSMAP)?)
    }

    fn of(bytes: &[u8]) -> Result<Self, String> {
        let (size, rest) = bytes.split_first_chunk().ok_or(NO_CHARSMAP)?;
        let texts = rest.get(u32::from_le_bytes(*size) as usize..).ok_or(NO_CHARSMAP)?;
        let longest = texts.split(|&b| b == 0).map(<[u8]>::len).max().unwrap_or(0);
        Ok(Self { longest })
    }
}

/// How many times as long a text can become, in bytes, before it is split into tokens.
///
/// # Errors
/// If the tokenizer asks for more than any that is published.
pub(super) fn check(tokenizer: &Tokenizer) -> Result<usize, String> {
    if let ModelWrapper::WordPiece(model) = tokenizer.get_model() {
        let longest = model.max_input_chars_per_word;
        if longest > LONGEST_WORD {
            return Err(format!("words of {longest} characters, {LONGEST_WORD} at most"));
        }
    }
    let value = |part: serde_json::Result<Value>| part.map_err(|e| e.to_string());
    let mut growth: usize = 1;
    let parts = [
        value(serde_json::to_value(tokenizer.get_normalizer()))?,
        value(serde_json::to_value(tokenizer.get_pre_tokenizer()))?,
    ];
    for part in &parts {
        for step in steps(part)? {
            growth = growth.saturating_mul(growth_of(step)?);
        }
    }
    if growth > LONGEST {
        return Err(format!("it can make a text {growth} times as long"));
    }
    let processor = value(serde_json::to_value(tokenizer.get_post_processor()))?;
    steps(&processor)?.into_iter().try_for_each(check_template)?;
    Ok(growth)
}

/// The steps of a part, those of its sequences included.
fn steps(part: &Value) -> Result<Vec<&Value>, String> {
    let (mut found, mut open) = (vec![], vec![part]);
    while let Some(step) = open.pop() {
        let lists = ["normalizers", "pretokenizers", "processors"];
        match lists.iter().find_map(|list| step[list].as_array()) {
            Some(steps) => open.extend(steps),
            None if step.is_null() => {}
            None => found.push(step),
        }
        if found.len() + open.len() > MOST_STEPS {
            return Err(format!("more than {MOST_STEPS} steps"));
        }
    }
    Ok(found)
}

/// How many times as many bytes a step can make of a text.
fn growth_of(step: &Value) -> Result<usize, String> {
    let length = |field: &Value| field.as_str().map_or(0, str::len);
    Ok(match step["type"].as_str().unwrap_or_default() {
        "Replace" => match step["pattern"]["String"].as_str() {
            Some(found) if !found.is_empty() => {
                length(&step["content"]).div_ceil(found.len()).max(1)
            }
            // SentencePiece's spaces, two at least.
            None if step["pattern"]["Regex"] == " {2,}" => {
                length(&step["content"]).div_ceil(2).max(1)
            }
            // A regular expression may find a letter, or nothing before each.
            _ => length(&step["content"]) + 1,
        },
        "Prepend" => 1 + length(&step["prepend"]),
        // A letter that is replaced has three bytes as a rule; NFKC makes 33 of one.
        "Precompiled" => {
            let packed = step["precompiled_charsmap"].as_str().unwrap_or_default();
            Charsmap::packed(packed)?.longest.div_ceil(3).max(11)
        }
        "NFKC" | "NFKD" => 11,
        "NFC" | "NFD" => 3,
        // Spaces around Chinese letters, accents apart.
        "BertNormalizer" => 6,
        "Lowercase" => 2,
        "ByteLevel" => 3,
        "Metaspace" => length(&step["replacement"]).max(1),
        "Strip" | "StripAccents" | "Nmt" | "BertPreTokenizer" | "Whitespace"
        | "WhitespaceSplit" | "Punctuation" | "Digits" | "UnicodeScripts" | "FixedLength"
        | "CharDelimiterSplit" | "Split" => 1,
        // As much as any known one but those with a text of their own.
        _ => 11,
    })
}

/// Checks that a template has each text once.
fn check_template(step: &Value) -> Result<(), String> {
    for parts in ["single", "pair"].iter().filter_map(|template| step[template].as_array()) {
        if parts.len() > MOST_PARTS {
            return Err(format!("a template of {} parts, {MOST_PARTS} at most", parts.len()));
        }
        for text in ["A", "B"] {
            let times = parts.iter().filter(|part| part["Sequence"]["id"] == text).count();
            if times > 1 {
                return Err(format!("a template that has the text {text} {times} times"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is wrong with a small tokenizer that has these parts, or the growth.
    fn of(parts: &[(&str, Value)]) -> Result<usize, String> {
        let mut file = json!({
            "version": "1.0", "added_tokens": [],
            "model": {"type": "WordLevel", "vocab": {"a": 0, "[UNK]": 1}, "unk_token": "[UNK]"},
        });
        for (name, part) in parts {
            file[name] = part.clone();
        }
        let file = file.to_string();
        check_file(file.as_bytes())?;
        check(&file.parse().expect("a tokenizer"))
    }

    fn replace(pattern: Value, content: &str) -> Value {
        json!({"type": "Replace", "pattern": pattern, "content": content})
    }

    fn sequence(list: &str, steps: Vec<Value>) -> Value {
        json!({"type": "Sequence", list: steps})
    }

    #[test]
    fn published_tokenizers_are_far_below() {
        assert_eq!(of(&[]), Ok(1));
        let marks = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"});
        let spaces = replace(json!({"Regex": " {2,}"}), "▁");
        let albert = sequence(
            "normalizers",
            vec![replace(json!({"String": "``"}), "\""), json!({"type": "NFKD"}), spaces],
        );
        assert_eq!(of(&[("normalizer", albert), ("pre_tokenizer", marks)]), Ok(66));
        let bytes = json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
        });
        assert_eq!(of(&[("pre_tokenizer", bytes)]), Ok(3));
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let doubled = replace(json!({"String": "a"}), "aa");
        let long = replace(json!({"String": "a"}), &"a".repeat(LONGEST + 1));
        let nested =
            (0..5).fold(doubled.clone(), |inner, _| sequence("normalizers", vec![inner; 2]));
        let bytes = json!({
            "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false,
        });
        let prepended = json!({"type": "Prepend", "prepend": "▁▁▁▁"});
        for (part, step, said) in [
            ("normalizer", sequence("normalizers", vec![doubled.clone(); 40]), "times as long"),
            ("normalizer", nested, "times as long"),
            ("normalizer", long, "times as long"),
            ("normalizer", replace(json!({"Regex": ""}), &"a".repeat(LONGEST)), "times as long"),
            ("normalizer", sequence("normalizers", vec![prepended; 10]), "times as long"),
            ("normalizer", sequence("normalizers", vec![doubled; 65]), "more than 64 steps"),
            ("pre_tokenizer", sequence("pretokenizers", vec![bytes; 20]), "times as long"),
            (
                "normalizer",
                replace(json!({"Regex": "((a{100}){100}){100}"}), ""),
                "repeats 1000000 times",
            ),
            ("normalizer", replace(json!({"Regex": "a|".repeat(5001)}), ""), "of 10002 bytes"),
            // A trie of 4 GiB in four bytes.
            (
                "normalizer",
                json!({"type": "Precompiled", "precompiled_charsmap": STANDARD.encode([255; 4])}),
                "that is none",
            ),
            (
                "post_processor",
                json!({
                    "type": "TemplateProcessing",
                    "single": vec![json!({"Sequence": {"id": "A", "type_id": 0}}); 3],
                    "pair": [], "special_tokens": {},
                }),
                "the text A 3 times",
            ),
            (
                "model",
                json!({
                    "type": "WordPiece", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]",
                    "continuing_subword_prefix": "##", "max_input_chars_per_word": 1_000_000,
                }),
                "words of 1000000 characters",
            ),
        ] {
            let problem = of(&[(part, step)]).unwrap_err();
            assert!(problem.contains(said), "{problem}");
        }
    }
}
