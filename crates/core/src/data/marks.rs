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
    let (mut bare, mut all, mut astray) = (vec![], 0, 0);
    for words in sentences.iter() {
        let (characters, miscounted) = characters(words)?;
        (all, astray) = (all + words.len(), astray + miscounted);
        bare.push(characters);
    }
    if astray * MISCOUNTED > all || bare.iter().all(|words| words.len() < 2) {
        return None;
    }
    for (words, bare) in sentences.iter_mut().zip(bare) {
        **words = bare;
    }
    Some("all words are a character and its place in a word, and the places are left out".into())
}

/// One place in so many may be a wrong one.
const MISCOUNTED: usize = 50;

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

/// Words without their numbers, which count from 0 again and again, and how many do not.
fn characters(words: &[String]) -> Option<(Vec<String>, usize)> {
    let (mut next, mut astray) = (0, 0);
    let mut bare = |word: &String| {
        let without = |number: usize| {
            let bare = word.strip_suffix(&number.to_string())?;
            // Some are two halves of a broken character.
            (1..=2).contains(&bare.chars().count()).then(|| (bare.to_string(), number + 1))
        };
        let found = without(next).or_else(|| without(0));
        let found = found.or_else(|| {
            astray += 1;
            (1..10).find_map(without)
        });
        let (bare, behind) = found?;
        next = behind;
        Some(bare)
    };
    let bare = words.iter().map(&mut bare).collect::<Option<_>>()?;
    Some((bare, astray))
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
        let miscounted = [&*["a0 b1 c2"; 20].join(" "), "d0 e2 f0"];
        assert_eq!(stripped(&miscounted).0[1], "d e f");
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
