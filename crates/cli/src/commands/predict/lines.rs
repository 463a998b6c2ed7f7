//! Answers for people: a line for each input.

use crosstune_core::error::printable;
use crosstune_core::predict::{Answer, Entity, SpokenWord};

use crate::output::format::{number, percent};

/// `cat 93.1 %  dog 4.2 %`, `price 12.5`, the text; a dash where no label applies. `input` is the text
/// that entities are of.
pub(super) fn line(
    answer: &Answer,
    labels: &[String],
    top: usize,
    times: bool,
    input: Option<&str>,
) -> String {
    let shown = |ranked: &[(usize, f64)]| {
        let one = |(at, p): &(usize, f64)| format!("{} {}", printable(&labels[*at]), percent(*p));
        ranked.iter().map(one).collect::<Vec<_>>()
    };
    match answer {
        Answer::Classes(ranked) => shown(&ranked[..ranked.len().min(top.max(1))]),
        Answer::Labels(ranked) => match ranked.partition_point(|(_, p)| *p > 0.5) {
            0 => vec!["–".into()],
            applying => shown(&ranked[..applying]),
        },
        Answer::Values(values) => {
            let value =
                |(name, value): (&String, &f64)| format!("{} {}", printable(name), number(*value));
            labels.iter().zip(values).map(value).collect()
        }
        Answer::Transcript(heard) if times => heard.words.iter().map(word).collect(),
        Answer::Transcript(heard) => vec![printable(&heard.text).into_owned()],
        Answer::Entities(found) if found.is_empty() => vec!["–".into()],
        Answer::Entities(found) => found.iter().map(|found| entity(found, input)).collect(),
    }
    .join("\t")
}

/// `0.32-0.80 hello`.
fn word(word: &SpokenWord) -> String {
    let place =
        word.seconds.map(|[start, end]| format!("{start:.2}-{end:.2} ")).unwrap_or_default();
    format!("{place}{}", printable(&word.word))
}

/// `LOC Zürich 3-9 98.7 %`: the label, the words, their place in the text in characters.
fn entity(entity: &Entity, input: Option<&str>) -> String {
    let written = entity.written(input).map(|written| format!("{} ", printable(written)));
    let [start, end] = entity.characters.unwrap_or(entity.words);
    format!(
        "{} {}{start}-{end} {}",
        printable(&entity.label),
        written.unwrap_or_default(),
        percent(entity.probability)
    )
}
