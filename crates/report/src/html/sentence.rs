//! Sentences word by word: what is right above, what was answered below. What differs has a sign and a
//! line of its own, so that nothing hangs on colour; who hears the page is told in words.

use super::escape::Escaped;
use crate::sentence::{Heard, Sentence, Stretch};

/// The most words shown of a sentence.
const WORDS: usize = 300;

/// What the signs say.
pub(super) fn legend(sentence: &Sentence) -> String {
    let (above, below, signs) = match sentence {
        Sentence::Heard(_) => (
            "what was said",
            "what was read",
            [("sub", "≠", "another word"), ("del", "−", "left out"), ("ins", "+", "put in")],
        ),
        Sentence::Tagged { .. } => (
            "what is right",
            "what was found",
            [
                ("sub", "≠", "not the same"),
                ("del", "−", "not found"),
                ("ins", "+", "found wrongly"),
            ],
        ),
    };
    let sign = |(class, sign, said): (&str, &str, &str)| {
        format!("<li><span class=\"{class}\"><b>{sign}</b> <i>{said}</i></span></li>")
    };
    let signs: String = signs.into_iter().map(sign).collect();
    format!(
        "<ul class=\"legend signs\"><li>above: {above}</li><li>below: {below}</li>{signs}</ul>\n"
    )
}

/// The words of a sentence.
pub(super) fn words(sentence: &Sentence) -> String {
    let items: Vec<String> = match sentence {
        Sentence::Heard(all) => all.iter().take(WORDS).map(heard).collect(),
        Sentence::Tagged { words, truth, found } => (words.iter().enumerate().take(WORDS))
            .map(|(at, word)| tagged(at, word, truth, found))
            .collect(),
    };
    let whole = match sentence {
        Sentence::Heard(all) => all.len(),
        Sentence::Tagged { words, .. } => words.len(),
    };
    let more = if whole > WORDS { "<li>…</li>" } else { "" };
    format!("<ol class=\"words\" dir=\"auto\">{}{more}</ol>", items.concat())
}

/// A word above the one that was read for it. Between words there is space for who copies them.
fn heard(word: &Heard) -> String {
    let pair = |class: &str, sign: &str, said: &str, above: &str, below: &str| {
        let said = if said.is_empty() { said.into() } else { hidden(said) };
        format!(
            "<li{class}><bdi>{}</bdi><b aria-hidden=\"true\">{sign}</b>{said}<i>{}</i></li> ",
            Escaped(above),
            Escaped(below)
        )
    };
    match word {
        Heard::Right(word) => {
            format!("<li><bdi>{0}</bdi><b></b><i aria-hidden=\"true\">{0}</i></li> ", Escaped(word))
        }
        Heard::Substituted(above, below) => {
            pair(" class=\"sub\"", "≠", " was read as ", above, below)
        }
        Heard::Deleted(above) => pair(" class=\"del\"", "−", " was left out", above, ""),
        Heard::Inserted(below) => pair(" class=\"ins\"", "+", "put in: ", "", below),
    }
}

/// A word below its true label and above the one that was found; a stretch goes on in dots.
fn tagged(at: usize, word: &str, truth: &[Stretch], found: &[Stretch]) -> String {
    let over = |all: &[Stretch]| {
        all.iter().find(|stretch| (stretch.start..stretch.end).contains(&at)).cloned()
    };
    let (right, answered) = (over(truth), over(found));
    let (class, sign, said) = match (&right, &answered) {
        (a, b) if a == b => ("", "", ""),
        (Some(_), Some(_)) => (" class=\"sub\"", "≠", "not the same: "),
        (Some(_), None) => (" class=\"del\"", "−", "not found: "),
        (None, _) => (" class=\"ins\"", "+", "found wrongly: "),
    };
    let label = |stretch: &Option<Stretch>| match stretch {
        Some(stretch) if stretch.start == at => Escaped(&stretch.label).to_string(),
        Some(_) => "…".into(),
        None => String::new(),
    };
    let hidden = if said.is_empty() { String::new() } else { hidden(said) };
    format!(
        "<li{class}>{hidden}<small>{}</small><bdi>{}</bdi><b aria-hidden=\"true\">{sign}</b><i>{}</i></li> ",
        label(&right),
        Escaped(word),
        label(&answered)
    )
}

fn hidden(said: &str) -> String {
    format!("<span class=\"hidden\">{said}</span>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_signs_and_words() {
        let sentence = Sentence::Heard(vec![
            Heard::Right("we".into()),
            Heard::Substituted("call".into(), "<col>".into()),
            Heard::Deleted("it".into()),
            Heard::Inserted("a".into()),
        ]);
        let page = words(&sentence);
        assert!(page.contains("<bdi>call</bdi><b aria-hidden=\"true\">≠</b>"), "{page}");
        assert!(page.contains(" was read as </span><i>&lt;col&gt;</i>"), "{page}");
        assert!(page.contains("class=\"del\"") && page.contains("class=\"ins\""), "{page}");
        assert!(legend(&sentence).contains("left out"));
    }

    #[test]
    fn stretches_are_told_where_they_begin() {
        let stretch = |label: &str, start, end| Stretch { label: label.into(), start, end };
        let sentence = Sentence::Tagged {
            words: ["New", "York", "is", "big"].map(str::to_string).to_vec(),
            truth: vec![stretch("LOC", 0, 2)],
            found: vec![stretch("LOC", 1, 2), stretch("PER", 3, 4)],
        };
        assert!(sentence.is_whole());
        let page = words(&sentence);
        assert!(
            page.contains("<small>LOC</small><bdi>New</bdi><b aria-hidden=\"true\">−</b>"),
            "{page}"
        );
        assert!(
            page.contains("<small>…</small><bdi>York</bdi><b aria-hidden=\"true\">≠</b>"),
            "{page}"
        );
        assert!(page.contains("<bdi>big</bdi><b aria-hidden=\"true\">+</b><i>PER</i>"), "{page}");
    }
}
