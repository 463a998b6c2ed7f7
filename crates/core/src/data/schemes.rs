//! Lists of words and of their labels, and the scheme that the labels are written in.

use std::collections::BTreeSet;
use std::path::Path;

use super::found::{Found, RawTarget};
use super::gathering::Gathering;
use super::item::{Input, Item};
use crate::error::{Error, Result};
use crate::task::{Scheme, Target, Task, tags};

/// Fewer different labels than this are no surprise.
const FEW: usize = 100;

/// The words of a text where they are `labelled` one by one, with spaces between.
pub(super) fn input(text: String, labelled: bool) -> Input {
    if labelled { Input::Words(split(&text)) } else { Input::Text(text) }
}

/// What has spaces between.
pub(super) fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

/// The labels of a sample's words.
///
/// # Errors
/// If there are not as many of both.
pub(super) fn labelled(input: &Input, labels: Vec<String>) -> Result<RawTarget, String> {
    let Input::Words(words) = input else {
        return Err("a label for every word, but no list of words".into());
    };
    if words.len() != labels.len() {
        let plural =
            |n: usize, what| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
        let (words, labels) = (plural(words.len(), "word"), plural(labels.len(), "label"));
        return Err(format!("the row has {words}, but {labels}"));
    }
    Ok(RawTarget::Tags(labels))
}

/// Refuses training sentences with labels that are not written as most are: `B-PER`, `I-PER`, `O`.
///
/// # Errors
/// If labels are as many as words are, and so no labels.
pub(super) fn check(train: &mut Vec<Found>, all: &mut Gathering<'_>, path: &Path) -> Result<()> {
    if all.layout.task != Task::Tagging {
        return Ok(());
    }
    let of = |found: &Found| match &found.label {
        RawTarget::Tags(labels) => labels.clone(),
        _ => vec![],
    };
    let (mut different, mut words, mut placed, mut bare) =
        (BTreeSet::new(), 0usize, 0usize, 0usize);
    for label in train.iter().flat_map(of) {
        words += 1;
        if label != tags::OUTSIDE {
            *(if tags::has_prefix(&label) { &mut placed } else { &mut bare }) += 1;
        }
        different.insert(label);
    }
    if placed > 0 && placed >= bare {
        train.retain(|found| {
            let labels = of(found);
            let Some(at) = labels.iter().position(|label| !tags::is_placed(label)) else {
                return true;
            };
            let problem = format!(
                "word {} has the label {:?}, which is not written as others are: B-TYPE, I-TYPE or O",
                at + 1,
                labels[at]
            );
            all.refuse(found.place.clone(), problem);
            false
        });
    } else if different.len() > FEW.max(words / 5) {
        let problem = format!(
            "its {words} words have {} different labels; name the column of labels by --label-column",
            different.len()
        );
        return Err(Error::Data { path: path.to_path_buf(), problem });
    }
    Ok(())
}

/// What should be said of the training labels: their scheme, where it is not the usual one, and how many
/// break it.
pub(super) fn notes(labels: &[String], train: &[Item]) -> Vec<String> {
    let names = |item: &Item| match &item.target {
        Target::Tags(tags) => tags.iter().map(|&tag| labels[tag].as_str()).collect(),
        _ => vec![],
    };
    let sentences: Vec<Vec<&str>> = train.iter().map(names).filter(|all| !all.is_empty()).collect();
    if sentences.is_empty() {
        return vec![];
    }
    let scheme = Scheme::of_sentences(&sentences);
    let broken: usize = sentences.iter().map(|labels| scheme.broken(labels)).sum();
    let mut notes = vec![];
    match scheme {
        Scheme::Iob2 => {}
        Scheme::Plain => {
            notes.push("labels have no prefixes and no O: words are counted, not spans".into());
        }
        scheme => notes.push(format!("labels are written in {scheme}")),
    }
    if broken > 0 {
        notes.push(format!(
            "{broken} training labels break {scheme}; they are trained on as they are, and spans are \
             counted as seqeval repairs them"
        ));
    }
    notes
}
