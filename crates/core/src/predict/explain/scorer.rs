//! The score that is explained, of a model's logits.

use tch::{Kind, Tensor};

use super::target::ExplainTarget;
use crate::error::{Error, Result};
use crate::modality::Window;
use crate::task::{Task, TaskConfig, WordPositions, at_words};

/// From the logits of all rows of an input to its score.
#[derive(Debug)]
pub(super) struct Scorer<'a> {
    config: TaskConfig<'a>,
    question: &'a ExplainTarget,
    /// How many rows the input has in a batch.
    rows: i64,
    at: At,
}

/// Where in a sequence of answers it is.
#[derive(Debug)]
enum At {
    /// There is one answer.
    Whole,
    /// Where a word begins, in the only row.
    Word(WordPositions),
    /// Symbols, each at a position of a row; `[N]`, i64.
    Symbols { rows: Tensor, positions: Tensor, symbols: Tensor },
}

impl<'a> Scorer<'a> {
    /// For an input in these windows, each a row of a batch. `lengths` tells how many of each row's
    /// positions answer, and `of` how many the inputs have.
    pub(super) fn new(
        config: TaskConfig<'a>,
        question: &'a ExplainTarget,
        windows: &[Window],
        lengths: &[i64],
        of: i64,
    ) -> Result<Self> {
        let at = match question {
            ExplainTarget::Label(_) | ExplainTarget::Value(_) => At::Whole,
            ExplainTarget::Tag { word, .. } => {
                let starts = windows.iter().flat_map(|window| &window.words);
                let start = starts.filter(|start| start.word == *word).map(|start| start.position);
                let start = start.take(1).collect::<Vec<_>>();
                At::Word(WordPositions { starts: Tensor::from_slice(&start).unsqueeze(0), of })
            }
            ExplainTarget::Symbols(asked) => {
                // As the answers of windows are joined.
                let kept: Vec<(i64, i64)> = (0..)
                    .zip(windows)
                    .zip(lengths)
                    .flat_map(|((row, window), &length)| {
                        let [from, behind] =
                            window.cut.map(|share| (share * length as f64).round() as i64);
                        (from..(length - behind).max(from)).map(move |at| (row, at))
                    })
                    .collect();
                let mut found = [vec![], vec![], vec![]];
                for &(position, symbol) in asked {
                    let Some(&(row, at)) = kept.get(position) else {
                        let problem = format!("there is no position {position}");
                        return Err(Error::setting("question", problem));
                    };
                    let all = found.iter_mut().zip([row, at, symbol as i64]);
                    all.for_each(|(list, value)| list.push(value));
                }
                let [rows, positions, symbols] = found.map(|list| Tensor::from_slice(&list));
                At::Symbols { rows, positions, symbols }
            }
        };
        Ok(Self { config, question, rows: windows.len() as i64, at })
    }

    /// Logits `[S · rows, …]` to scores `[S]`.
    pub(super) fn score(&self, logits: &Tensor) -> Tensor {
        let logits = logits.to_kind(Kind::Float).unflatten(0, [-1, self.rows]);
        match (self.question, &self.at) {
            (ExplainTarget::Label(label), _) if self.config.task == Task::MultiLabel => {
                mean_logit(&logits.select(-1, *label as i64))
            }
            (ExplainTarget::Label(class), _) => log_odds(&mean_of_classes(logits), *class as i64),
            (ExplainTarget::Value(at), _) => {
                let values = logits.mean_dim([1].as_slice(), false, Kind::Float);
                self.config.in_units(&values).select(1, *at as i64)
            }
            (ExplainTarget::Tag { label, .. }, At::Word(words)) => {
                let x = logits.select(1, 0);
                let starts = words.starts.to_device(x.device()).expand([x.size()[0], 1], false);
                let words = WordPositions { starts, of: words.of };
                log_odds(&at_words(&x, &words).squeeze_dim(1), *label as i64)
            }
            (_, At::Symbols { rows, positions, symbols }) => {
                let logs = logits.log_softmax(-1, Kind::Float);
                let at = [rows, positions, symbols].map(|x| Some(x.to_device(logs.device())));
                let at: Vec<_> = std::iter::once(None).chain(at).collect();
                logs.index(&at).sum_dim_intlist([1].as_slice(), false, None)
            }
            // `new` has made the one for the other.
            _ => logits.flatten(1, -1).sum_dim_intlist([1].as_slice(), false, None) * f64::NAN,
        }
    }
}

/// The logarithms of probabilities, but for a constant, of classes `[S, windows, classes]`, as
/// [`score`](crate::predict::score) averages them: `[S, classes]`.
fn mean_of_classes(logits: Tensor) -> Tensor {
    match logits.size()[1] {
        1 => logits.squeeze_dim(1),
        _ => logits.log_softmax(-1, Kind::Float).logsumexp([1].as_slice(), false),
    }
}

/// The logarithm of the odds of one class, `[S]`, of logits `[S, classes]`; of a single class, its logit.
fn log_odds(logits: &Tensor, class: i64) -> Tensor {
    let classes = logits.size()[1];
    let of = logits.select(1, class);
    let others: Vec<i64> = (0..classes).filter(|other| *other != class).collect();
    match others.is_empty() {
        true => of,
        false => {
            let others = Tensor::from_slice(&others).to_device(logits.device());
            of - logits.index_select(1, &others).logsumexp([1].as_slice(), false)
        }
    }
}

/// The logarithm of the odds of a label, `[S]`, whose probabilities are averaged over windows
/// `[S, windows]`.
fn mean_logit(logits: &Tensor) -> Tensor {
    if logits.size()[1] == 1 {
        return logits.squeeze_dim(1);
    }
    let sum = |logs: Tensor| logs.logsumexp([1].as_slice(), false);
    sum(logits.log_sigmoid()) - sum((-logits).log_sigmoid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{TargetScale, WordStart};

    fn windows(count: usize) -> Vec<Window> {
        (0..count)
            .map(|_| Window::from(Tensor::zeros([1], (Kind::Float, tch::Device::Cpu))))
            .collect()
    }

    fn scored(
        task: Task,
        question: &ExplainTarget,
        windows: &[Window],
        logits: &Tensor,
    ) -> Vec<f64> {
        let labels = ["a", "b", "c"].map(String::from);
        let scales = [TargetScale { mean: 5., std: 2. }];
        let config = TaskConfig {
            task,
            labels: &labels,
            vocabulary: None,
            scales: &scales,
            calibration: None,
        };
        let lengths = vec![2; windows.len()];
        let scorer = Scorer::new(config, question, windows, &lengths, 4).unwrap();
        Vec::try_from(scorer.score(logits).to_kind(Kind::Double)).unwrap()
    }

    fn near(got: &[f64], want: &[f64]) {
        let far = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-5;
        assert!(got.len() == want.len() && !got.iter().zip(want).any(far), "{got:?}, {want:?}");
    }

    #[test]
    fn odds_are_those_of_the_probability_that_is_told() {
        let odds = |p: f64| (p / (1. - p)).ln();
        let p = Tensor::from_slice2(&[[0.7f32, 0.2, 0.1], [0.5, 0.1, 0.4]]);
        let logits = p.log() + 3.;
        let (one, two) = (windows(1), windows(2));
        let class = ExplainTarget::Label(0);
        near(&scored(Task::SingleLabel, &class, &one, &logits), &[odds(0.7), odds(0.5)]);
        near(&scored(Task::SingleLabel, &class, &two, &logits), &[odds(0.6)]);
        let logits = p.logit(None::<f64>);
        near(
            &scored(Task::MultiLabel, &ExplainTarget::Label(2), &one, &logits),
            &[odds(0.1), odds(0.4)],
        );
        near(&scored(Task::MultiLabel, &ExplainTarget::Label(2), &two, &logits), &[odds(0.25)]);
        let values = Tensor::from_slice2(&[[1f32], [3.]]);
        near(&scored(Task::Regression, &ExplainTarget::Value(0), &two, &values), &[9.]);
    }

    #[test]
    fn words_and_symbols_are_where_they_are() {
        let mut of_word = windows(1);
        of_word[0].words = vec![WordStart { word: 7, position: 3 }];
        // Two positions of four: the word is at the second.
        let logits = Tensor::from_slice(&[0f32, 0., 0., 0.5, 0.25, 0.25]).view([1, 2, 3]).log();
        let tag = ExplainTarget::Tag { word: 7, label: 1 };
        near(&scored(Task::Tagging, &tag, &of_word, &logits), &[(1f64 / 3.).ln()]);
        // The first answers for its first position, the second for its last.
        let mut parts = windows(2);
        parts[0].cut = [0., 0.5];
        parts[1].cut = [0.5, 0.];
        let logits =
            Tensor::from_slice(&[0.5f32, 0.5, 0.9, 0.1, 0.9, 0.1, 0.2, 0.8]).log().view([2, 2, 2]);
        let heard = ExplainTarget::Symbols(vec![(0, 0), (1, 1)]);
        near(&scored(Task::Transcription, &heard, &parts, &logits), &[0.4f64.ln()]);
    }
}
