//! `plot`: the curves of finished trainings in one picture.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use crosstune_core::{EpochRecord, Error, Spec, Task, error::printable, files};

use super::curves::{Curve, Line, html, svg};
use crate::{
    args::{refuse_existing, setting},
    output::{save, say},
};

#[derive(Debug, Args)]
pub(crate) struct PlotArgs {
    /// Run folders
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// File to write: a picture, .svg, or a page with it, .html
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// The file of a run folder with a line per epoch.
const METRICS: &str = "metrics.jsonl";

/// Draws them.
///
/// # Errors
/// If a folder is no run, or if the file cannot be written.
pub(crate) fn plot(args: &PlotArgs) -> Result<()> {
    let ending = args.out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let is_page = match ending.as_deref() {
        Some("svg") => false,
        Some("html" | "htm") => true,
        _ => {
            let problem = format!("{}: end its name in .svg or .html", args.out.display());
            return Err(setting("--out", problem));
        }
    };
    refuse_existing("--out", &args.out, args.overwrite)?;
    let runs: Vec<Run> = args.runs.iter().map(|folder| Run::read(folder)).collect::<Result<_>>()?;
    let picture = svg(&losses(&runs), &scores(&runs));
    save(&args.out, if is_page { html(&picture) } else { picture }, args.overwrite)?;
    say("plotted", args.out.display());
    Ok(())
}

/// What is drawn of a run.
struct Run {
    name: String,
    task: Task,
    epochs: Vec<EpochRecord>,
}

impl Run {
    fn read(folder: &Path) -> Result<Self> {
        let task = Spec::read(folder)?.task;
        let path = folder.join(METRICS);
        let text = String::from_utf8_lossy(&files::read(&path, files::MOST_JSON)?).into_owned();
        let malformed = |at: usize, problem: String| Error::Malformed {
            path: path.clone(),
            problem: format!("line {}: {problem}", at + 1),
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let record =
            |(at, line)| serde_json::from_str(line).map_err(|e| malformed(at, e.to_string()));
        let epochs: Vec<EpochRecord> = lines.map(record).collect::<Result<_, _>>()?;
        if epochs.is_empty() {
            return Err(malformed(0, "there is no epoch in it".into()).into());
        }
        // A name like `.` says nothing.
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let name = whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy();
        Ok(Self { name: printable(&name).into_owned(), task, epochs })
    }

    fn line(&self, of: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<(usize, f64)> {
        let points = self.epochs.iter().filter_map(|epoch| Some((epoch.epoch, of(epoch)?)));
        points.filter(|(_, value)| value.is_finite()).collect()
    }

    /// The epoch whose parameters the run has: of the best score, of equals the one with the lower loss.
    fn best(&self) -> Option<usize> {
        let sign = if self.task.lower_is_better() { -1. } else { 1. };
        let key = |epoch: &EpochRecord| {
            Some((sign * epoch.validation_score?, -epoch.validation_loss?, epoch.epoch))
        };
        let mut best: Option<(f64, f64, usize)> = None;
        for key in self.epochs.iter().filter_map(key) {
            if best.is_none_or(|best| (key.0, key.1) > (best.0, best.1)) {
                best = Some(key);
            }
        }
        best.map(|(.., epoch)| epoch)
    }
}

/// The losses, in training and in validation.
fn losses(runs: &[Run]) -> Curve {
    let lines = runs.iter().map(|run| Line {
        name: run.name.clone(),
        validation: run.line(|epoch| epoch.validation_loss),
        training: run.line(|epoch| Some(epoch.train_loss)),
        best: run.best(),
    });
    Curve { title: "Loss".into(), is_share: false, lines: lines.collect() }
}

/// What the best epoch is chosen by; and the accuracy in training, where that is the same.
fn scores(runs: &[Run]) -> Curve {
    let mut names: Vec<&str> = runs.iter().map(|run| run.task.primary_metric()).collect();
    names.dedup();
    let mut title = names.join(", ");
    if let Some(first) = title.get(..1) {
        title = first.to_uppercase() + &title[1..];
    }
    let lines = runs.iter().map(|run| Line {
        name: run.name.clone(),
        validation: run.line(|epoch| epoch.validation_score),
        training: match run.task {
            Task::SingleLabel => run.line(|epoch| epoch.train_accuracy),
            _ => vec![],
        },
        best: run.best(),
    });
    let is_share = runs.iter().all(|run| run.task != Task::Regression);
    Curve { title, is_share, lines: lines.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize, score: Option<f64>) -> EpochRecord {
        EpochRecord {
            epoch,
            train_loss: 1. / epoch as f64,
            train_accuracy: Some(0.5),
            validation_loss: score.map(|score| 1. - score),
            validation_accuracy: score,
            validation_score: score,
            seconds: 1.,
        }
    }

    fn run(task: Task, scores: &[Option<f64>]) -> Run {
        let epochs = scores.iter().enumerate().map(|(at, score)| epoch(at + 1, *score)).collect();
        Run { name: "see".into(), task, epochs }
    }

    #[test]
    fn the_best_epoch_is_the_one_that_was_kept() {
        let scores = [Some(0.5), Some(0.8), Some(0.7)];
        assert_eq!(run(Task::SingleLabel, &scores).best(), Some(2));
        assert_eq!(run(Task::Transcription, &scores).best(), Some(1));
        assert_eq!(run(Task::SingleLabel, &[None, None]).best(), None);
    }

    #[test]
    fn what_was_not_measured_is_no_point() {
        let of = run(Task::Regression, &[Some(0.2), None, Some(f64::NAN)]);
        let curve = scores(std::slice::from_ref(&of));
        assert_eq!((&*curve.title, curve.is_share), ("R²", false));
        assert_eq!(curve.lines[0].validation, [(1, 0.2)]);
        assert!(curve.lines[0].training.is_empty());
        assert_eq!(losses(&[of]).lines[0].training.len(), 3);
    }
}
