//! Answers for people: a line for each input.

use crosstune_core::TaskConfig;
use crosstune_core::error::printable;
use crosstune_core::predict::{Answer, Entity, SpokenWord};
use crosstune_core::task::PredictionSets;

use crate::output::format::{number, percent};

/// `cat 93.1 %  dog 4.2 %`, `price 12.5`, the text; a dash where no label applies, or a set is empty.
/// `input` is the text that entities are of. With sets, a line has the classes of its set, after its
/// level.
pub(super) fn line(
    answer: &Answer,
    config: TaskConfig<'_>,
    (top, sets): (usize, Option<&PredictionSets>),
    times: bool,
    input: Option<&str>,
) -> String {
    let labels = config.labels;
    let shown = |ranked: &[(usize, f64)]| {
        let one = |(at, p): &(usize, f64)| format!("{} {}", printable(&labels[*at]), percent(*p));
        ranked.iter().map(one).collect::<Vec<_>>()
    };
    let none = || vec!["–".to_string()];
    match answer {
        Answer::Classes(ranked) if let Some(sets) = sets => {
            let set = sets.of(ranked);
            let classes = if set.is_empty() { none() } else { shown(set) };
            [format!("{}:", percent(sets.level))].into_iter().chain(classes).collect()
        }
        Answer::Classes(ranked) => shown(&ranked[..ranked.len().min(top.max(1))]),
        Answer::Labels(_) => match answer.applying(config) {
            applying if applying.is_empty() => none(),
            applying => shown(&applying),
        },
        Answer::Values(values) => {
            let value =
                |(name, value): (&String, &f64)| format!("{} {}", printable(name), number(*value));
            labels.iter().zip(values).map(value).collect()
        }
        Answer::Transcript(heard) if times => heard.words.iter().map(word).collect(),
        Answer::Transcript(heard) => vec![printable(&heard.text).into_owned()],
        Answer::Entities(found) if found.is_empty() => none(),
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
