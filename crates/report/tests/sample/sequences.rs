//! Comparisons of answers that are sequences, made up for the tests: texts that are heard, and words that
//! are labelled.

use crosstune_report::{Comparison, Heard, Media, Metric, Run, Sentence, Stretch};

use super::{SOURCES, TARGETS, comparison};

/// Recordings that are transcribed, of which a lower word error rate is better.
pub(crate) fn transcription() -> Comparison {
    let mut c = comparison(SOURCES[0], TARGETS[1]);
    c.metric = metric("WER", "CER", true);
    c.labels = ["<pad>", "|", "a", "b"].map(String::from).to_vec();
    // As many words are wrong as samples were; of few samples, more are put in than there were.
    each_run(&mut c, |accuracy| 1.3 - 1.2 * accuracy);
    let word = |word: &str| word.to_string();
    let sentences = [
        vec![
            Heard::Right(word("WE")),
            Heard::Substituted(word("CALL"), word("CAUL")),
            Heard::Right(word("IT")),
            Heard::Deleted(word("A")),
            Heard::Substituted(word("BEAR"), word("BAYER")),
        ],
        vec![
            Heard::Inserted(word("OH")),
            Heard::Right(word("ZERO")),
            Heard::Right(word("THREE")),
            Heard::Substituted(word("FIVE"), word("FIFE")),
            Heard::Deleted(word("ONE")),
        ],
        (0..40)
            .map(|at| match at % 5 {
                0 => Heard::Inserted(word("THE")),
                1 => Heard::Substituted(word("INTERNATIONALISATION"), word("NATION")),
                _ => Heard::Right(word("WORD")),
            })
            .collect(),
    ];
    for (example, sentence) in c.error_examples.iter_mut().zip(sentences.into_iter().cycle()) {
        (example.truth, example.answers) = (None, vec![]);
        example.sentence = Some(Sentence::Heard(sentence));
        example.asked =
            example.explanation.as_ref().map(|_| "why this text, in log-probability".into());
    }
    c
}

/// Sentences whose words are labelled.
pub(crate) fn tagging() -> Comparison {
    let mut c = comparison(SOURCES[2], TARGETS[2]);
    c.metric = metric("span F1", "macro F1", false);
    c.labels = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"].map(String::from).to_vec();
    each_run(&mut c, |accuracy| accuracy * 0.8);
    let stretch = |label: &str, start, end| Stretch { label: label.into(), start, end };
    let text = "Maria Sharapova flew from New York to Zürich on Monday";
    for example in &mut c.error_examples {
        (example.truth, example.answers) = (None, vec![]);
        example.media = Media::Text(text.into());
        example.sentence = Some(Sentence::Tagged {
            words: text.split(' ').map(String::from).collect(),
            truth: vec![stretch("PER", 0, 2), stretch("LOC", 4, 6), stretch("LOC", 7, 8)],
            found: vec![stretch("PER", 0, 2), stretch("LOC", 5, 6), stretch("PER", 9, 10)],
        });
        example.asked =
            example.explanation.as_ref().map(|_| "why O for word 5 “New”, in log-odds".into());
    }
    c
}

fn metric(name: &str, second: &str, lower_is_better: bool) -> Metric {
    Metric { name: name.into(), second: second.into(), lower_is_better, of_samples: false }
}

/// Puts a metric in the place of accuracy, with as many hundredths in each test sample's counts.
fn each_run(c: &mut Comparison, value: impl Fn(f64) -> f64) {
    let samples = c.test_samples;
    let change = |run: &mut Run| {
        let hundredths = (100. * value(run.value)).round() as u32;
        run.value = f64::from(hundredths) / 100.;
        (run.second, run.confusion) = (run.value * 0.6, None);
        run.counts = vec![[hundredths, 100]; samples];
        run.calibration = None;
        run.curve.iter_mut().for_each(|point| point.value = value(point.value).max(0.));
    };
    for arm in &mut c.arms {
        arm.runs.iter_mut().for_each(change);
        arm.trials.iter_mut().for_each(|trial| trial.held_out = value(trial.held_out).max(0.));
    }
}
