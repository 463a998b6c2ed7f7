//! What of a training goes into event files, for TensorBoard to show.
//!
//! The step of all values is the number of batches that were trained on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crosstune_core::error::{one_line, printable};
use crosstune_core::train::Update;
use crosstune_core::{
    EpochRecord, Error, Item, Metrics, Modality, Model, Preview, Progress, Result, Samples,
};
use serde_json::Value;

use super::histogram::histogram;
use super::worst::{Mistake, worst};
use crate::output::events::{Events, Session, is_event_file};
use crate::output::metrics::figures;
use crate::output::{confusion, note, sheet};

/// About how many points the curves of a whole training have, at most.
const POINTS: usize = 2000;
/// How many of the worst errors are shown.
const WORST: usize = 16;

/// What is known of a training before it begins.
pub(super) struct Plan {
    /// The folder of event files.
    pub(super) folder: PathBuf,
    /// Whether it goes on with one that another process began.
    pub(super) goes_on: bool,
    /// The batches of an epoch, and of the whole training.
    pub(super) batches: (usize, usize),
    /// The name of the run.
    pub(super) name: String,
    /// The options, by name.
    pub(super) options: BTreeMap<String, Value>,
}

/// Writes event files. Once it cannot, it says so and rests: no training ends because of it.
pub(super) struct Board {
    plan: Plan,
    events: Option<Events>,
    is_at_rest: bool,
    /// How many batches are done.
    step: i64,
    /// The sum and the number of the losses since the last point.
    losses: (f64, usize),
    update: Option<Update>,
}

impl Board {
    /// Begins, unless it is to go on: then where is known only when the training has found its checkpoint.
    ///
    /// # Errors
    /// If no file can be made there.
    pub(super) fn new(plan: Plan) -> Result<Self> {
        let mut board =
            Self { plan, events: None, is_at_rest: false, step: 0, losses: (0., 0), update: None };
        if !board.plan.goes_on {
            // What an earlier training wrote there is dropped.
            let held = holds_events(&board.plan.folder);
            board.begin(held.then_some(0))?;
        }
        Ok(board)
    }

    /// Begins a file; see [`Events::create`].
    fn begin(&mut self, purge: Option<i64>) -> Result<()> {
        let mut events = Events::create(&self.plan.folder, purge)?;
        let Plan { name, options, .. } = &self.plan;
        let metrics = ["train/loss", "validation/loss", "validation/accuracy"].map(String::from);
        events.session(&Session { name, options, metrics: &metrics })?;
        events.text(0, "options", &markdown(options))?;
        events.flush()?;
        self.events = Some(events);
        Ok(())
    }

    /// The file; one that goes on without a checkpoint begins anew.
    fn events(&mut self) -> Result<&mut Events> {
        if self.events.is_none() {
            self.begin(Some(self.step))?;
        }
        self.events.as_mut().ok_or_else(|| Error::setting("--tensorboard", "there is no file"))
    }

    /// Does something, unless it rests, and rests if that fails.
    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) {
        if self.is_at_rest {
            return;
        }
        if let Err(e) = work(self) {
            self.is_at_rest = true;
            note(&format!("warning: {}; nothing more is written for TensorBoard", one_line(&e)));
        }
    }

    /// Writes what a training tells.
    pub(super) fn told(&mut self, progress: &Progress<'_>, model: &Model) {
        self.attempt(|board| match progress {
            Progress::Resumed { epochs, step } => {
                board.step = (epochs.len() * board.plan.batches.0 + step) as i64;
                // What was written after the checkpoint is trained, and written, again.
                board.begin(Some(board.step + 1))
            }
            Progress::Step { epoch, step, steps, batch_loss, update, .. } => {
                board.step = ((epoch - 1) * steps + step) as i64;
                board.stepped(*batch_loss, *update)
            }
            Progress::Validated(metrics) => board.validated("validation", metrics, model),
            Progress::Epoch(record) => board.ended(record, model),
            Progress::Cached { .. } | Progress::Uncached { .. } | Progress::Unsaved { .. } => {
                Ok(())
            }
        });
    }

    fn stepped(&mut self, loss: f64, update: Option<&Update>) -> Result<()> {
        self.losses = (self.losses.0 + loss, self.losses.1 + 1);
        if let Some(update) = update {
            self.update = Some(update.clone());
        }
        let every = self.plan.batches.1.div_ceil(POINTS).max(1);
        match self.losses.1 >= every {
            true => self.point(),
            false => Ok(()),
        }
    }

    /// A point of the curves: the mean loss since the last, and what the optimizer did last.
    fn point(&mut self) -> Result<()> {
        let (sum, count) = std::mem::take(&mut self.losses);
        if count == 0 {
            return Ok(());
        }
        let mut values = vec![("train/loss".to_owned(), sum / count as f64)];
        if let Some(Update { gradient_norm, rates }) = self.update.take() {
            values.push(("train/gradient_norm".into(), gradient_norm));
            values.extend(
                rates.into_iter().map(|(name, rate)| (format!("learning_rate/{name}"), rate)),
            );
        }
        self.scalars(&values)
    }

    fn scalars(&mut self, values: &[(String, f64)]) -> Result<()> {
        let values: Vec<(&str, f64)> = values.iter().map(|(tag, x)| (tag.as_str(), *x)).collect();
        let step = self.step;
        self.events()?.scalars(step, &values)
    }

    /// The figures of a split, and which classes were taken for which.
    fn validated(&mut self, split: &str, metrics: &Metrics, model: &Model) -> Result<()> {
        let values = figures(metrics).into_iter().map(|(name, x)| (format!("{split}/{name}"), x));
        self.scalars(&values.collect::<Vec<_>>())?;
        let Metrics::SingleLabel(of) = metrics else { return Ok(()) };
        let labels = &model.spec().labels;
        let drawn = confusion::picture(&of.confusion, labels);
        if let Some(png) = drawn.map_err(Error::io(&self.plan.folder, "draw"))? {
            let step = self.step;
            self.events()?.image(step, &format!("{split}/confusion"), png)?;
        }
        Ok(())
    }

    /// The end of an epoch: its figures, and where the values of what trains lie.
    fn ended(&mut self, record: &EpochRecord, model: &Model) -> Result<()> {
        self.point()?;
        let mut values = vec![("train/epoch_loss".to_owned(), record.train_loss)];
        values.extend(record.train_accuracy.map(|x| ("train/accuracy".to_owned(), x)));
        values.push(("train/epoch_seconds".into(), record.seconds));
        self.scalars(&values)?;
        let mut trained: Vec<_> = model.store().variables().into_iter().collect();
        trained.retain(|(_, value)| value.requires_grad());
        trained.sort_by(|(a, _), (b, _)| a.cmp(b));
        let step = self.step;
        for (name, value) in trained {
            if let Some(of) = histogram(&value)? {
                // By the part of the model that it is in.
                self.events()?.histogram(step, &name.replacen('.', "/", 1), of)?;
            }
        }
        self.events()?.flush()
    }

    /// Ends a training that came to its end: the figures of the saved model on the test split, and its worst
    /// errors on `samples`, which were read from `items`.
    pub(super) fn finish<M: Modality>(
        &mut self,
        model: &Model,
        modality: &M,
        test: Option<&Metrics>,
        (items, samples): (&[Item], &Samples),
    ) {
        self.attempt(|board| {
            if let Some(metrics) = test {
                board.validated("test", metrics, model)?;
            }
            let mistakes = worst(model, modality, samples, 32, WORST)?;
            board.show(&mistakes, &model.spec().labels, modality, (items, samples))?;
            let events = board.events()?;
            events.end_session(true)?;
            events.flush()
        });
    }

    /// Errors as pictures, or as a table of texts.
    fn show<M: Modality>(
        &mut self,
        mistakes: &[Mistake],
        labels: &[String],
        modality: &M,
        (items, samples): (&[Item], &Samples),
    ) -> Result<()> {
        let (mut pictures, mut texts) = (vec![], String::new());
        for mistake in mistakes {
            let preview = mistake.item(items, samples).map(|item| modality.preview(&item.input));
            match preview {
                Some(Ok(Preview::Text(text))) => {
                    let (said, text) = (cell(&mistake.said(labels)), cell(&text));
                    texts += &format!("| {said} | {text} |\n");
                }
                Some(Ok(picture)) => pictures.push((picture, mistake.said(labels))),
                // What cannot be read now is not shown.
                Some(Err(_)) | None => {}
            }
        }
        let step = self.step;
        if !pictures.is_empty() {
            let png = sheet::captioned(pictures);
            let png = png.map_err(Error::io(&self.plan.folder, "draw"))?;
            self.events()?.image(step, "worst_errors", png)?;
        }
        if !texts.is_empty() {
            let table = format!("| true -> predicted | text |\n|---|---|\n{texts}");
            self.events()?.text(step, "worst_errors", &table)?;
        }
        Ok(())
    }

    /// Ends one that did not.
    pub(super) fn stop(&mut self) {
        self.attempt(|board| match &mut board.events {
            Some(events) => {
                events.end_session(false)?;
                events.flush()
            }
            None => Ok(()),
        });
    }
}

/// Whether a folder has event files.
pub(super) fn holds_events(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| is_event_file(&entry.file_name().to_string_lossy()))
}

/// Options as a table in Markdown.
fn markdown(options: &BTreeMap<String, Value>) -> String {
    let rows = options.iter().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("| {name} | {} |\n", cell(&value))
    });
    format!("| option | value |\n|---|---|\n{}", rows.collect::<String>())
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&line).replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_ends_no_row_and_opens_no_element() {
        assert_eq!(cell("a|b\n<i>"), "a\\|b &lt;i>");
        let options = BTreeMap::from([("lr".to_owned(), 0.5.into()), ("x".to_owned(), "y".into())]);
        assert_eq!(markdown(&options), "| option | value |\n|---|---|\n| lr | 0.5 |\n| x | y |\n");
    }
}
