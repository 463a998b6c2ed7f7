//! What publishers of labelled words put into every word: the language, as WikiANN does (`en:Paris`), or
//! a character's place in its word, as Weibo NER does (`科0`, `技1`).

/// Takes out of the words of sentences what every one of them has and none means, and says so.
pub(super) fn strip(sentences: &mut [&mut Vec<String>]) -> Option<String> {
    if let Some(prefix) = language(sentences) {
        for word in sentences.iter_mut().flat_map(|words| words.iter_mut()) {
            word.drain(..prefix.len());
        }
        return Some(format!("all words begin with {prefix:?}, which is left out"));
    }
    let mut bare = vec![];
    for words in sentences.iter() {
        bare.push(characters(words)?);
    }
    if bare.iter().all(|words| words.len() < 2) {
        return None;
    }
    for (words, bare) in sentences.iter_mut().zip(bare) {
        **words = bare;
    }
    Some("all words are a character and its place in a word, and the places are left out".into())
}

/// The language that all words begin with, `en:`.
fn language(sentences: &[&mut Vec<String>]) -> Option<String> {
    let mut words = sentences.iter().flat_map(|words| words.iter());
    let (code, _) = words.next()?.split_once(':')?;
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase());
    let prefix = format!("{code}:");
    let longer = |word: &String| word.len() > prefix.len() && word.starts_with(&prefix);
    let all = sentences.iter().flat_map(|words| words.iter()).all(longer);
    (is_code && all).then_some(prefix)
}

/// Words without their numbers, which count from 0 again and again.
fn characters(words: &[String]) -> Option<Vec<String>> {
    let mut next = 0;
    let mut bare = |word: &String| {
        let without = |number: usize| {
            let bare = word.strip_suffix(&number.to_string())?;
            // Some are two halves of a broken character.
            (1..=2).contains(&bare.chars().count()).then(|| bare.to_string())
        };
        let found = without(next).map(|bare| (bare, next + 1));
        let (bare, behind) = found.or_else(|| without(0).map(|bare| (bare, 1)))?;
        next = behind;
        Some(bare)
    };
    words.iter().map(&mut bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(sentences: &[&str]) -> (Vec<String>, bool) {
        let mut all: Vec<Vec<String>> =
            sentences.iter().map(|s| s.split(' ').map(str::to_string).collect()).collect();
        let note = strip(&mut all.iter_mut().collect::<Vec<_>>());
        (all.iter().map(|words| words.join(" ")).collect(), note.is_some())
    }

    #[test]
    fn what_all_words_have_is_left_out() {
        assert_eq!(
            stripped(&["en:Paris en::", "en:a"]),
            (vec!["Paris :".into(), "a".into()], true)
        );
        let weibo = ["科0 技1 全0", "10 11 012 h3"];
        assert_eq!(stripped(&weibo), (vec!["科 技 全".into(), "1 1 01 h".into()], true));
        let long: Vec<String> = (0..12).map(|at| format!("e{at}")).collect();
        assert_eq!(stripped(&[&long.join(" ")]).0, [["e"; 12].join(" ")]);
    }

    #[test]
    fn what_only_some_have_belongs_to_them() {
        for sentences in [
            &["en:Paris is"][..],
            &["en:a en:"],
            &["http://a http://b"],
            &["a0 b1", "c"],
            &["a1 b0"],
            &["v0", "b0"],
            &["abc0 d1"],
            &["0 1"],
        ] {
            let same = sentences.iter().map(ToString::to_string).collect();
            assert_eq!(stripped(sentences), (same, false), "{sentences:?}");
        }
    }
}
