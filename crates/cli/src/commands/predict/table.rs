//! Answers as rows of a table.

use crosstune_core::predict::Answer;
use crosstune_core::task::{PredictionSets, sigmoid};
use crosstune_core::{Task, TaskConfig};

use crate::output::Delimited;

/// What the rows of a table of answers hold.
pub(super) struct Table<'l> {
    pub(super) form: Delimited,
    pub(super) config: TaskConfig<'l>,
    /// How many classes are told.
    pub(super) top: usize,
    /// The sets of classes that are told, too.
    pub(super) sets: Option<PredictionSets>,
    /// How many texts an input has: 0 of files.
    pub(super) texts: usize,
    /// A row for each word of a transcript.
    pub(super) times: bool,
    /// The sigmoid of the one value.
    pub(super) sigmoid: bool,
}

/// The labels that apply, as a table to train on has them; and the classes of a set.
const BETWEEN_LABELS: &str = "|";

impl Table<'_> {
    /// The names of the columns.
    pub(super) fn head(&self) -> String {
        let mut names = vec!["input".to_string()];
        names.extend((1..=self.texts).map(|at| numbered("text", at)));
        let more = |names: &mut Vec<String>, more: &[&str]| {
            names.extend(more.iter().map(ToString::to_string));
        };
        let labels = self.config.labels;
        match self.config.task {
            Task::SingleLabel => {
                for at in 1..=self.shown() {
                    names.extend([numbered("label", at), numbered("probability", at)]);
                }
                more(&mut names, if self.sets.is_some() { &["set", "coverage"] } else { &[] });
            }
            Task::MultiLabel => {
                names.push("labels".into());
                names.extend_from_slice(labels);
            }
            Task::Regression => {
                names.extend_from_slice(labels);
                more(&mut names, if self.sigmoid { &["sigmoid"] } else { &[] });
            }
            Task::Transcription if self.times => {
                more(&mut names, &["word", "start", "end", "probability"])
            }
            // What was heard is the text; of a text, there are two.
            Task::Transcription if self.texts == 0 => more(&mut names, &["text"]),
            Task::Transcription => more(&mut names, &["transcript"]),
            Task::Tagging => more(&mut names, &["entity_group", "score", "word", "start", "end"]),
        }
        self.form.row(names)
    }

    fn shown(&self) -> usize {
        self.config.labels.len().min(self.top.max(1))
    }

    /// The rows of an answer: one, but one for each entity or, with times, each word. `input` is the text
    /// that entities are of.
    pub(super) fn rows(
        &self,
        place: &str,
        texts: &[String],
        answer: &Answer,
        input: Option<&str>,
    ) -> String {
        let row = |cells: Vec<String>| {
            let text = |at| texts.get(at).map_or("", String::as_str);
            let before = [place].into_iter().chain((0..self.texts).map(text));
            self.form.row(before.map(str::to_string).chain(cells))
        };
        let labels = self.config.labels;
        let optional = |x: Option<f64>| x.map(|x| format!("{x:.3}")).unwrap_or_default();
        match answer {
            Answer::Classes(ranked) => {
                let cells = |&(at, p): &(usize, f64)| [labels[at].clone(), probability(p)];
                let set = self.sets.iter().flat_map(|sets| {
                    let names = sets.of(ranked).iter().map(|&(at, _)| labels[at].as_str());
                    let names = names.collect::<Vec<_>>().join(BETWEEN_LABELS);
                    [names, sets.level.to_string()]
                });
                row(ranked.iter().take(self.shown()).flat_map(cells).chain(set).collect())
            }
            Answer::Labels(ranked) => {
                let mut by_label = ranked.clone();
                by_label.sort_unstable_by_key(|(at, _)| *at);
                let applying = answer.applying(self.config).into_iter();
                let applying: Vec<_> = applying.map(|(at, _)| labels[at].as_str()).collect();
                let probabilities = by_label.into_iter().map(|(_, p)| probability(p));
                row([applying.join(BETWEEN_LABELS)].into_iter().chain(probabilities).collect())
            }
            Answer::Values(values) => {
                let first = values.first().filter(|_| self.sigmoid);
                let sigmoid = first.copied().map(sigmoid);
                row(values.iter().copied().chain(sigmoid).map(|x| x.to_string()).collect())
            }
            Answer::Transcript(heard) if self.times => {
                let word = |word: &crosstune_core::predict::SpokenWord| {
                    let [start, end] = [0, 1].map(|at| optional(word.seconds.map(|s| s[at])));
                    row(vec![word.word.clone(), start, end, probability(word.probability)])
                };
                heard.words.iter().map(word).collect()
            }
            Answer::Transcript(heard) => row(vec![heard.text.clone()]),
            Answer::Entities(found) => {
                let entity = |entity: &crosstune_core::predict::Entity| {
                    let place = |at: usize| entity.characters.map(|c| c[at].to_string());
                    row(vec![
                        entity.label.clone(),
                        probability(entity.probability),
                        entity.written(input).unwrap_or_default().to_string(),
                        place(0).unwrap_or_default(),
                        place(1).unwrap_or_default(),
                    ])
                };
                found.iter().map(entity).collect()
            }
        }
    }
}

/// `label`, `label_2`.
fn numbered(name: &str, at: usize) -> String {
    if at == 1 { name.into() } else { format!("{name}_{at}") }
}

/// Probabilities are computed in f32.
fn probability(p: f64) -> String {
    (p as f32).to_string()
}

#[cfg(test)]
mod tests {
    use crosstune_core::predict::Entity;

    use super::*;

    #[test]
    fn a_row_has_as_many_cells_as_the_head() {
        let labels = ["a", "b,c"].map(str::to_string);
        let table = |task| Table {
            form: Delimited::Commas,
            config: TaskConfig {
                task,
                labels: &labels,
                vocabulary: None,
                scales: &[],
                calibration: None,
            },
            top: 3,
            sets: None,
            texts: 1,
            times: false,
            sigmoid: false,
        };
        let of = |task, answer: Answer| {
            let table = table(task);
            table.head() + &table.rows("t.tsv:2", &["x y".into()], &answer, Some("x y"))
        };
        let classes = Answer::Classes(vec![(1, 0.75), (0, 0.25)]);
        assert_eq!(
            of(Task::SingleLabel, classes),
            "input,text,label,probability,label_2,probability_2\nt.tsv:2,x y,\"b,c\",0.75,a,0.25\n"
        );
        let applying = Answer::Labels(vec![(1, 0.75), (0, 0.25)]);
        assert_eq!(
            of(Task::MultiLabel, applying),
            "input,text,labels,a,\"b,c\"\nt.tsv:2,x y,\"b,c\",0.25,0.75\n"
        );
        let (label, words, characters) = ("LOC".into(), [1, 2], Some([2, 3]));
        let entity = Entity { label, probability: 0.5, words, text: None, characters };
        assert_eq!(
            of(Task::Tagging, Answer::Entities(vec![entity])),
            "input,text,entity_group,score,word,start,end\nt.tsv:2,x y,LOC,0.5,y,2,3\n"
        );
    }
}
