//! Answers that are sequences, beside what is right.

use anyhow::Result;
use crosstune_core::predict::{self, ExplainTarget, questions, score};
use crosstune_core::task::{Edit, OUTSIDE, Scheme, Span, alignment};
use crosstune_core::{Input, Item, Modality, Model, Samples, Scores, Target};
use crosstune_report::{Heard, Sentence, Stretch};
use tch::Tensor;

/// A sample's answer beside what is right.
pub(super) struct Answered {
    pub(super) sentence: Sentence,
    /// What the sample adds above and below the line of the metric.
    pub(super) counts: [u32; 2],
    /// How many errors it has.
    pub(super) errors: usize,
    /// What of a wrong answer there is to explain: all that was read, or the first label that is wrong.
    pub(super) question: Option<ExplainTarget>,
}

/// The answers to all samples, in order.
pub(super) fn answered<M: Modality>(
    model: &Model,
    modality: &M,
    items: &[Item],
    samples: &Samples,
    batch_size: usize,
) -> Result<Vec<Answered>> {
    let (config, targets) = (model.spec().task_config(), samples.targets());
    // As the metrics see it: by the labels, and by all that is right.
    let truths = targets.iter().filter_map(|target| match target {
        Target::Tags(tags) => Some(names(tags, config.labels)),
        _ => None,
    });
    let labels = config.labels.iter().map(String::as_str);
    let scheme = Scheme::of_labelled(labels, &truths.collect::<Vec<_>>());
    let mut all = vec![];
    score(model, modality, samples, batch_size, |chosen, scores| {
        let Scores::Sequences(found) = scores else { return Ok(()) };
        let answers = predict::answers(config, scores)?;
        for (row, ((answer, one), &at)) in answers.iter().zip(found).zip(chosen).enumerate() {
            let mut answered = match (answer, &targets[at], config.vocabulary) {
                (predict::Answer::Transcript(read), Target::Text { text, .. }, Some(symbols)) => {
                    heard(&symbols.case.apply(text), &read.text)
                }
                (_, Target::Tags(tags), _) => {
                    let words = items.get(at).map(|item| words(&item.input)).unwrap_or_default();
                    tagged(words, [tags, &best(one)?], config.labels, scheme)
                }
                _ => continue,
            };
            if answered.errors > 0 && answered.question.is_none() {
                answered.question = questions(config, scores, row, None, None)?.pop();
            }
            all.push(answered);
        }
        Ok(())
    })?;
    Ok(all)
}

/// The most probable label of each word.
fn best(scores: &Tensor) -> crosstune_core::Result<Vec<usize>> {
    let best = Vec::<i64>::try_from(scores.argmax(-1, false))?;
    Ok(best.into_iter().map(|label| label as usize).collect())
}

/// The labels of words by their names.
fn names<'l>(tags: &[usize], labels: &'l [String]) -> Vec<&'l str> {
    tags.iter().map(|&tag| labels.get(tag).map_or(OUTSIDE, String::as_str)).collect()
}

fn words(input: &Input) -> Vec<String> {
    match input {
        Input::Words(words) => words.clone(),
        Input::Text(text) => text.split_whitespace().map(str::to_string).collect(),
        Input::Stored(_) => input.loaded().map(|loaded| words(&loaded)).unwrap_or_default(),
        Input::Pair(_) | Input::File(_) | Input::Bytes { .. } => vec![],
    }
}

/// A text beside one that was read for it.
fn heard(reference: &str, hypothesis: &str) -> Answered {
    let reference: Vec<&str> = reference.split_whitespace().collect();
    let hypothesis: Vec<&str> = hypothesis.split_whitespace().collect();
    let (mut said, mut read) = (reference.iter(), hypothesis.iter());
    let mut next = |edit: Edit| {
        let mut said = || said.next().map(ToString::to_string);
        let mut read = || read.next().map(ToString::to_string);
        Some(match edit {
            Edit::Hit => {
                read();
                Heard::Right(said()?)
            }
            Edit::Substitution => Heard::Substituted(said()?, read()?),
            Edit::Deletion => Heard::Deleted(said()?),
            Edit::Insertion => Heard::Inserted(read()?),
        })
    };
    let words: Vec<Heard> =
        alignment(&reference, &hypothesis).into_iter().filter_map(&mut next).collect();
    let errors = words.iter().filter(|word| !matches!(word, Heard::Right(_))).count();
    let counts = [errors as u32, reference.len() as u32];
    Answered { sentence: Sentence::Heard(words), counts, errors, question: None }
}

/// Labelled words beside the labels that were found. Of F1, twice what is right stands above the line, and
/// what there is and what was found below.
fn tagged(
    words: Vec<String>,
    [truth, found]: [&[usize]; 2],
    labels: &[String],
    scheme: Scheme,
) -> Answered {
    let wrong = truth.iter().zip(found).position(|(right, answered)| right != answered);
    let question = wrong.map(|word| ExplainTarget::Tag { word, label: found[word] });
    let stretches = |tags: &[usize]| -> Vec<Stretch> {
        let stretch = |Span { kind, start, end }| Stretch { label: kind, start, end };
        scheme.spans(names(tags, labels)).into_iter().map(stretch).collect()
    };
    let (truth, found) = (stretches(truth), stretches(found));
    let both = truth.iter().filter(|stretch| found.contains(stretch)).count();
    let all = truth.len() + found.len();
    let counts = [2 * both as u32, all as u32];
    let sentence = Sentence::Tagged { words, truth, found };
    Answered { sentence, counts, errors: all - 2 * both, question }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_aligned() {
        let Answered { sentence, counts, errors, .. } =
            heard("we call it a bear", "we all it bear ok");
        let Sentence::Heard(words) = sentence else { panic!() };
        let text = |word: &str| word.to_string();
        assert_eq!(
            words,
            [
                Heard::Right(text("we")),
                Heard::Substituted(text("call"), text("all")),
                Heard::Right(text("it")),
                Heard::Substituted(text("a"), text("bear")),
                Heard::Substituted(text("bear"), text("ok")),
            ]
        );
        assert_eq!((counts, errors), ([3, 5], 3));
    }

    #[test]
    fn what_spans_add_to_f1_is_counted() {
        let labels = ["O", "B-LOC", "I-LOC", "B-PER"].map(str::to_string);
        let words = ["New", "York", "is", "big"].map(str::to_string).to_vec();
        let Answered { counts, errors, question, .. } =
            tagged(words, [&[1, 2, 0, 3], &[1, 0, 0, 3]], &labels, Scheme::Iob2);
        // Two are right and two were found, one of them in both.
        assert_eq!((counts, errors), ([2, 4], 2));
        assert_eq!(question, Some(ExplainTarget::Tag { word: 1, label: 0 }), "why York is O");
    }
}
