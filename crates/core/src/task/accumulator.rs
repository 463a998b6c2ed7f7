//! From predictions, batch by batch, to metrics.

use tch::{Kind, Tensor};

use super::config::TaskConfig;
use super::ctc::Decoder;
use super::loss::Objective;
use super::metrics::{
    ClassificationMetrics, Confusion, Metrics, MultiLabelMetrics, RegressionMetrics,
    TaggingMetrics, TranscriptionMetrics, Utterance,
};
use super::scores::Scores;
use super::tags::OUTSIDE;
use super::target::Target;
use super::targets::{IGNORED, Targets};
use super::task::Task;
use super::unanswered::are_unanswered;
use super::vocabulary::Vocabulary;
use crate::error::Result;

/// Accumulates the metrics of predictions, batch by batch.
#[derive(Debug)]
pub(crate) struct MetricAccumulator<'s> {
    config: TaskConfig<'s>,
    /// How texts are made of scores.
    decoder: &'s Decoder,
    objective: Objective,
    /// The sum over the samples.
    loss: f64,
    samples: usize,
    /// Of classes.
    confusion: Confusion,
    /// Of labels or values: the predictions, a row for each sample.
    answers: Vec<Vec<f64>>,
    /// Of labels or values: the targets, a row for each sample.
    truth: Vec<Target>,
    /// Of texts: what is said, and what a model hears.
    texts: Vec<Utterance>,
    /// Of labels of words: the labels of each sentence, and a model's.
    tags: Vec<[Vec<usize>; 2]>,
    /// How many words a model says nothing of.
    unanswered: usize,
}

impl<'s> MetricAccumulator<'s> {
    pub(crate) fn new(config: TaskConfig<'s>, decoder: &'s Decoder) -> Self {
        let classes = if config.task == Task::SingleLabel { config.labels.len() } else { 0 };
        Self {
            config,
            decoder,
            objective: Objective::new(config, 0., tch::Device::Cpu),
            loss: 0.,
            samples: 0,
            confusion: Confusion::new(classes),
            answers: vec![],
            truth: vec![],
            texts: vec![],
            tags: vec![],
            unanswered: 0,
        }
    }

    /// Adds the scores of some samples, as [`score`](crate::predict::score) returns them, with the
    /// group that each is of.
    pub(crate) fn add<'t>(
        &mut self,
        scores: &Scores,
        targets: impl Iterator<Item = &'t Target> + Clone,
        groups: impl Iterator<Item = Option<&'t str>>,
    ) -> Result<()> {
        let answers = match (scores, self.config.vocabulary) {
            (Scores::Rows(answers), _) => answers,
            (Scores::Sequences(all), Some(vocabulary)) => {
                return self.texts(all, targets.zip(groups), vocabulary);
            }
            (Scores::Sequences(all), None) => {
                return all
                    .iter()
                    .zip(targets)
                    .try_for_each(|(one, target)| self.tags(one, target));
            }
        };
        let stacked = Targets::stack(targets.clone());
        let rows = answers.size()[0];
        self.samples += rows as usize;
        let loss = self.objective.loss(answers, None, &stacked).double_value(&[]);
        self.loss += loss * rows as f64;
        match self.config.task {
            Task::SingleLabel => {
                let answers = Vec::<i64>::try_from(answers.argmax(-1, false))?;
                for (truth, answer) in targets.zip(answers) {
                    let truth = truth.class().unwrap_or(0);
                    self.confusion.add(truth, answer as usize);
                }
            }
            Task::MultiLabel => self.keep(&answers.to_kind(Kind::Double).sigmoid(), targets)?,
            Task::Regression => {
                self.keep(&self.config.in_units(answers), targets)?;
            }
            Task::Transcription | Task::Tagging => {}
        }
        Ok(())
    }

    /// Adds the scores of some samples, each `[positions, symbols]`.
    fn texts<'t>(
        &mut self,
        scores: &[Tensor],
        targets: impl Iterator<Item = (&'t Target, Option<&'t str>)>,
        vocabulary: &Vocabulary,
    ) -> Result<()> {
        let symbols = self.config.labels;
        let heard = self.decoder.decode(scores, vocabulary, symbols)?;
        for ((scores, heard), (target, group)) in scores.iter().zip(heard).zip(targets) {
            let Target::Text { text, .. } = target else { continue };
            self.samples += 1;
            let stacked = Targets::stack([target]);
            let loss = self.objective.loss(&scores.unsqueeze(0), None, &stacked);
            self.loss += loss.double_value(&[]);
            let said = vocabulary.case.apply(text);
            let heard: Vec<usize> = heard.iter().map(|emission| emission.symbol).collect();
            self.texts.push(Utterance {
                reference: said.split_whitespace().collect::<Vec<_>>().join(" "),
                hypothesis: vocabulary.decode(&heard, symbols),
                group: group.map(str::to_string),
            });
        }
        Ok(())
    }

    /// Adds the scores of one sample, `[words, labels]`.
    fn tags(&mut self, scores: &Tensor, target: &Target) -> Result<()> {
        let Target::Tags(tags) = target else { return Ok(()) };
        self.samples += 1;
        let best = Vec::<i64>::try_from(scores.argmax(-1, false))?;
        let silent = Vec::<bool>::try_from(are_unanswered(scores))?;
        let counts = |at: usize| silent.get(at) == Some(&false);
        let truth: Vec<i64> = (0..silent.len())
            .map(|at| tags.get(at).filter(|_| counts(at)).map_or(IGNORED, |&tag| tag as i64))
            .collect();
        let answered = truth.iter().filter(|&&tag| tag != IGNORED).count();
        let stacked = Targets::from(Tensor::from_slice(&truth).unsqueeze(0));
        if answered > 0 {
            let loss = self.objective.loss(&scores.unsqueeze(0), None, &stacked);
            self.loss += loss.double_value(&[]) * answered as f64;
        }
        self.unanswered += tags.len() - answered;
        // What a model says nothing of is in no span.
        let outside = self.config.labels.iter().position(|label| label == OUTSIDE).unwrap_or(0);
        let mut found: Vec<usize> = best.into_iter().map(|tag| tag as usize).collect();
        found.resize(tags.len(), outside);
        self.tags.push([tags.clone(), found]);
        Ok(())
    }

    fn keep<'t>(
        &mut self,
        answers: &Tensor,
        targets: impl Iterator<Item = &'t Target>,
    ) -> Result<()> {
        self.answers.extend(Vec::<Vec<f64>>::try_from(answers.contiguous())?);
        self.truth.extend(targets.cloned());
        Ok(())
    }

    pub(crate) fn finish(self) -> Metrics {
        let loss = self.loss / self.samples.max(1) as f64;
        let column = |at: usize| self.answers.iter().map(|row| row[at]).collect::<Vec<_>>();
        let labels = self.config.labels;
        match self.config.task {
            Task::SingleLabel => {
                Metrics::SingleLabel(ClassificationMetrics::of(self.confusion, loss))
            }
            Task::MultiLabel => {
                let columns = labels.iter().enumerate().map(|(at, label)| {
                    let truth = self.truth.iter().map(|target| target.has(at)).collect();
                    (label.clone(), column(at), truth)
                });
                let columns = columns.collect::<Vec<_>>();
                Metrics::MultiLabel(MultiLabelMetrics::of(&columns, self.samples, loss))
            }
            Task::Regression => {
                let value = |target: &Target, at: usize| match target {
                    Target::Values(values) => values[at],
                    _ => f64::NAN,
                };
                let columns = labels.iter().enumerate().map(|(at, name)| {
                    let truth = self.truth.iter().map(|target| value(target, at)).collect();
                    (name.clone(), column(at), truth)
                });
                let columns = columns.collect::<Vec<_>>();
                Metrics::Regression(RegressionMetrics::of(&columns, self.samples, loss))
            }
            Task::Transcription => {
                Metrics::Transcription(TranscriptionMetrics::of(&self.texts, loss))
            }
            Task::Tagging => {
                let names = |tags: &[usize]| {
                    tags.iter().map(|&tag| labels.get(tag).map_or("O", String::as_str)).collect()
                };
                let sentences = self.tags.iter().map(|[a, b]| (names(a), names(b)));
                let words = self.tags.iter().map(|[truth, _]| truth.len()).sum::<usize>();
                let sentences = sentences.collect::<Vec<_>>();
                let loss = self.loss / (words - self.unanswered).max(1) as f64;
                Metrics::Tagging(TaggingMetrics::of(&sentences, loss, self.unanswered))
            }
        }
    }
}

#[cfg(test)]
mod tests;
