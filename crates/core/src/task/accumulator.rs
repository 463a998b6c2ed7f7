//! From predictions, batch by batch, to metrics.

use tch::{Kind, Tensor};

use super::config::TaskConfig;
use super::ctc::Decoder;
use super::forecasts::{self, sigmoid};
use super::judged::{Answers, Exact, Judged, rows_of};
use super::loss::Objective;
use super::metrics::{
    CalibrationMetrics, ClassificationMetrics, Confusion, Metrics, MultiLabelMetrics,
    RegressionMetrics, ReliabilitySums, TaggingMetrics, TranscriptionMetrics, Utterance,
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
    /// Of classes: the model's own forecasts, and the calibrated ones.
    forecasts: [ReliabilitySums; 2],
    /// Of labels or values: the log odds or the predictions, a row for each sample.
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
            forecasts: Default::default(),
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
        let judged = self.judge(scores, targets.clone())?;
        self.take(judged, targets, groups);
        Ok(())
    }

    /// What is to be added of the scores of some samples.
    pub(crate) fn judge<'t>(
        &self,
        scores: &Scores,
        targets: impl Iterator<Item = &'t Target> + Clone,
    ) -> Result<Judged> {
        let answers = match (scores, self.config.vocabulary) {
            (Scores::Rows(answers), _) => answers,
            (Scores::Sequences(all), Some(vocabulary)) => {
                return self.texts(all, targets, vocabulary);
            }
            (Scores::Sequences(all), None) => {
                let (mut judged, mut found) = (Judged::default(), vec![]);
                for (one, target) in all.iter().zip(targets) {
                    found.extend(self.tags(one, target, &mut judged)?);
                }
                return Ok(Judged { answers: Answers::Tags(found), ..judged });
            }
        };
        let stacked = Targets::stack(targets);
        let rows = answers.size()[0];
        let loss = self.objective.loss(answers, None, &stacked).double_value(&[]);
        let mut forecasts = [vec![], vec![]];
        let answers = match self.config.task {
            Task::SingleLabel => {
                // In f32 the probabilities of a sure model would not add up to 1.
                let own = answers.log_softmax(-1, Kind::Double);
                let fitted = self.config.calibration.filter(|fitted| fitted.temperature.is_some());
                let fitted = fitted.map(|fitted| fitted.log_probabilities(answers));
                for (found, logs) in forecasts.iter_mut().zip([Some(own), fitted]) {
                    let logs = logs.iter().map(|logs| forecasts::of_classes(logs, &stacked.x));
                    found.extend(logs.collect::<Result<Vec<_>>>()?.into_iter().flatten());
                }
                let answers = Vec::<i64>::try_from(answers.argmax(-1, false))?;
                Answers::Classes(answers.into_iter().map(|class| class as usize).collect())
            }
            Task::MultiLabel => rows_of(&answers.to_kind(Kind::Double))?,
            Task::Regression => rows_of(&self.config.in_units(answers))?,
            Task::Transcription | Task::Tagging => Answers::Classes(vec![]),
        };
        let losses = vec![Exact(loss * rows as f64)];
        let forecasts = forecasts.map(|all| all.into_iter().map(Into::into).collect());
        Ok(Judged { samples: rows as usize, losses, unanswered: 0, answers, forecasts })
    }

    /// Adds what [was judged](Self::judge) of some samples.
    pub(crate) fn take<'t>(
        &mut self,
        judged: Judged,
        targets: impl Iterator<Item = &'t Target>,
        groups: impl Iterator<Item = Option<&'t str>>,
    ) {
        self.samples += judged.samples;
        self.unanswered += judged.unanswered;
        // One by one: a sum of sums would be another.
        judged.losses.iter().for_each(|loss| self.loss += loss.0);
        for (sums, forecasts) in self.forecasts.iter_mut().zip(judged.forecasts) {
            forecasts.into_iter().for_each(|forecast| sums.add(forecast.into()));
        }
        match judged.answers {
            Answers::Classes(answers) => {
                for (truth, answer) in targets.zip(answers) {
                    self.confusion.add(truth.class().unwrap_or(0), answer);
                }
            }
            Answers::Rows(rows) => {
                self.answers.extend(rows.into_iter().map(|row| row.iter().map(|x| x.0).collect()));
                self.truth.extend(targets.cloned());
            }
            Answers::Texts(heard) => {
                let Some(vocabulary) = self.config.vocabulary else { return };
                let said = targets.zip(groups).filter_map(|(target, group)| match target {
                    Target::Text { text, .. } => Some((vocabulary.case.apply(text), group)),
                    _ => None,
                });
                self.texts.extend(said.zip(heard).map(|((said, group), hypothesis)| Utterance {
                    reference: said.split_whitespace().collect::<Vec<_>>().join(" "),
                    hypothesis,
                    group: group.map(str::to_string),
                }));
            }
            Answers::Tags(found) => {
                let truth = targets.filter_map(|target| match target {
                    Target::Tags(tags) => Some(tags.clone()),
                    _ => None,
                });
                self.tags.extend(truth.zip(found).map(|(truth, found)| [truth, found]));
            }
        }
    }

    /// Of the scores of some samples, each `[positions, symbols]`.
    fn texts<'t>(
        &self,
        scores: &[Tensor],
        targets: impl Iterator<Item = &'t Target>,
        vocabulary: &Vocabulary,
    ) -> Result<Judged> {
        let symbols = self.config.labels;
        let heard = self.decoder.decode(scores, vocabulary, symbols)?;
        let (mut judged, mut texts) = (Judged::default(), vec![]);
        for ((scores, heard), target) in scores.iter().zip(heard).zip(targets) {
            let Target::Text { .. } = target else { continue };
            judged.samples += 1;
            let stacked = Targets::stack([target]);
            let loss = self.objective.loss(&scores.unsqueeze(0), None, &stacked);
            judged.losses.push(Exact(loss.double_value(&[])));
            let heard: Vec<usize> = heard.iter().map(|emission| emission.symbol).collect();
            texts.push(vocabulary.decode(&heard, symbols));
        }
        Ok(Judged { answers: Answers::Texts(texts), ..judged })
    }

    /// Of the scores of one sample, `[words, labels]`; returns the labels that a model gives it.
    fn tags(
        &self,
        scores: &Tensor,
        target: &Target,
        judged: &mut Judged,
    ) -> Result<Option<Vec<usize>>> {
        let Target::Tags(tags) = target else { return Ok(None) };
        judged.samples += 1;
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
            judged.losses.push(Exact(loss.double_value(&[]) * answered as f64));
        }
        judged.unanswered += tags.len() - answered;
        // What a model says nothing of is in no span.
        let outside = self.config.labels.iter().position(|label| label == OUTSIDE).unwrap_or(0);
        let mut found: Vec<usize> = best.into_iter().map(|tag| tag as usize).collect();
        found.resize(tags.len(), outside);
        Ok(Some(found))
    }

    pub(crate) fn finish(self) -> Metrics {
        let loss = self.loss / self.samples.max(1) as f64;
        let column = |at: usize| self.answers.iter().map(|row| row[at]).collect::<Vec<_>>();
        let labels = self.config.labels;
        match self.config.task {
            Task::SingleLabel => {
                let calibration = self.calibration(&self.forecasts);
                let of = ClassificationMetrics::of(self.confusion, loss);
                Metrics::SingleLabel(ClassificationMetrics { calibration, ..of })
            }
            Task::MultiLabel => {
                let temperature = self.config.calibration.and_then(|fitted| fitted.temperature);
                let scaled = temperature.unwrap_or(1.);
                let columns = labels.iter().enumerate().map(|(at, label)| {
                    let truth = self.truth.iter().map(|target| target.has(at)).collect();
                    let p = column(at).into_iter().map(|log_odds| sigmoid(log_odds / scaled));
                    (label.clone(), p.collect(), self.config.threshold(at), truth)
                });
                let columns = columns.collect::<Vec<_>>();
                let of = MultiLabelMetrics::of(&columns, self.samples, loss);
                let calibration = self.calibration(&self.forecasts_of_labels(temperature));
                Metrics::MultiLabel(MultiLabelMetrics { calibration, ..of })
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
                Metrics::Tagging(TaggingMetrics::of(labels, &sentences, loss, self.unanswered))
            }
        }
    }

    /// Of labels: the model's own forecasts, and those with a temperature, if there is one.
    fn forecasts_of_labels(&self, temperature: Option<f64>) -> [ReliabilitySums; 2] {
        [Some(1.), temperature].map(|temperature| {
            let mut sums = ReliabilitySums::default();
            let Some(temperature) = temperature else { return sums };
            for (row, target) in self.answers.iter().zip(&self.truth) {
                for (at, log_odds) in row.iter().enumerate() {
                    sums.add(forecasts::of_label(log_odds / temperature, target.has(at)));
                }
            }
            sums
        })
    }

    fn calibration(&self, forecasts: &[ReliabilitySums; 2]) -> Option<CalibrationMetrics> {
        let [uncalibrated, calibrated] = forecasts.each_ref().map(ReliabilitySums::finish);
        let temperature = self.config.calibration.and_then(|fitted| fitted.temperature);
        Some(CalibrationMetrics { uncalibrated: uncalibrated?, calibrated, temperature })
    }
}

#[cfg(test)]
mod tests;
