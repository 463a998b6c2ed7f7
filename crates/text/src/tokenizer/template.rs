//! The special tokens that stand around texts.

use crosstune_core::BoxError;
use tokenizers::{
    Tokenizer,
    processors::template::{Template, TemplateProcessing},
};

/// The templates of special tokens around texts: parts such as `[CLS]:0`, `$A:0`.
pub(super) struct Templates {
    single: Vec<String>,
    pair: Vec<String>,
    special: Vec<(String, u32)>,
}

impl Templates {
    /// BERT's: a class token before, a separator behind each text, which are two segments.
    pub(super) fn bert(class: (String, u32), separator: (String, u32)) -> Self {
        Self::framed(class, separator, false, 1)
    }

    /// RoBERTa's: two separators between texts, which are one segment.
    pub(super) fn roberta(class: (String, u32), separator: (String, u32)) -> Self {
        Self::framed(class, separator, true, 0)
    }

    /// A class token before, a separator behind each text and, `doubled`, before the second, which
    /// is of this segment.
    fn framed(class: (String, u32), separator: (String, u32), doubled: bool, second: u32) -> Self {
        let end = |segment| format!("{}:{segment}", separator.0);
        let single = vec![format!("{}:0", class.0), "$A:0".into(), end(0)];
        let between = doubled.then(|| end(0));
        let rest = between.into_iter().chain([format!("$B:{second}"), end(second)]);
        let pair = single.iter().cloned().chain(rest).collect();
        Self { single, pair, special: vec![class, separator] }
    }

    /// A token before and one behind each text, where there is one; the texts are two segments.
    pub(super) fn around(begin: Option<(String, u32)>, end: Option<(String, u32)>) -> Self {
        let text = |name: &str, segment: u32| {
            let token = |token: &Option<(String, u32)>| token.as_ref().map(|t| t.0.clone());
            let parts = [token(&begin), Some(format!("${name}")), token(&end)];
            parts.into_iter().flatten().map(move |part| format!("{part}:{segment}")).collect()
        };
        let (single, second): (Vec<_>, Vec<_>) = (text("A", 0), text("B", 1));
        let pair = single.iter().cloned().chain(second).collect();
        Self { single, pair, special: [begin, end].into_iter().flatten().collect() }
    }

    pub(super) fn processor(self) -> Result<TemplateProcessing, BoxError> {
        let processor = TemplateProcessing::builder()
            .single(Template::try_from(self.single)?)
            .pair(Template::try_from(self.pair)?)
            .special_tokens(self.special)
            .build()?;
        Ok(processor)
    }
}

/// A special token with its number. It was added, so it has one.
pub(super) fn special(tokenizer: &Tokenizer, content: String) -> (String, u32) {
    let id = tokenizer.token_to_id(&content).unwrap_or_default();
    (content, id)
}
