//! What is done of a comparison, kept beside its report until that is written: whoever is stopped goes
//! on where they were.

use std::cell::RefCell;
use std::fs;

use anyhow::Result;
use crosstune_core::run::WorkFolder;
use crosstune_core::{Checkpoints, EpochRecord, Error, Pretrained, Splits, files::digest};
use crosstune_report::Point;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::args::CompareArgs;
use crate::args::{CheckpointArgs, ModalityArgs, setting};
use crate::output::say;
use crate::process::signals;

/// What was asked for, in a file of the folder.
const ASKED: &str = "asked.json";

/// Of the training under way: its name, the folder of its checkpoints, and its learning curve.
const UNDER_WAY: &str = "under-way.json";
const CHECKPOINTS: &str = "checkpoints";
const CURVE: &str = "curve.json";

/// What is done of a comparison.
#[derive(Debug)]
pub(super) struct Progressing {
    work: WorkFolder,
    checkpoint: CheckpointArgs,
    /// The points of the training under way.
    curve: RefCell<Vec<Point>>,
}

/// What decides the figures of a comparison.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Asked {
    version: String,
    threads: i32,
    /// Options, a line each.
    options: String,
}

impl Asked {
    fn of<A: ModalityArgs>(args: &CompareArgs<A>, source: &Pretrained) -> Result<Self> {
        let weights = source.checkpoint().path();
        let digest = weights.is_file().then(|| digest(weights)).transpose()?;
        let CompareArgs { source, samples, per_class, seeds, controls, rates, .. } = args;
        let CompareArgs { held_out, points, errors, skip_bad, .. } = args;
        let CompareArgs { transfer, layout, fit, modality, .. } = args;
        let options = format!(
            "weights: {digest:?}\n{source:#?}\n{samples:#?}\nper-class: {per_class:?}\nseeds: {seeds}\n\
             controls: {controls:?}\nrates: {rates:?}\nheld-out: {held_out}\npoints: {points}\n\
             errors: {errors}\nskip-bad: {skip_bad}\n{transfer:#?}\n{layout:#?}\n{fit:#?}\n{modality:#?}"
        );
        let version = env!("CARGO_PKG_VERSION").into();
        Ok(Self { version, threads: tch::get_num_threads(), options })
    }

    /// The first difference to what is asked now.
    fn difference(&self, now: &Self) -> String {
        if self.version != now.version {
            return format!("of version {}, and this is {}", self.version, now.version);
        }
        let mut lines = self.options.lines().zip(now.options.lines());
        match lines.find(|(then, now)| then != now) {
            Some((then, now)) => format!("with `{}`, not `{}`", option(then), option(now)),
            None => format!("in {} threads, not in {}", self.threads, now.threads),
        }
    }
}

/// An option, as a line of a structure's shows it.
fn option(line: &str) -> &str {
    line.trim().trim_end_matches([',', '{', '(', ' '])
}

/// The figures of a training, with what they were measured on.
#[derive(Debug, Serialize, Deserialize)]
struct Done<T> {
    samples: [String; 3],
    figures: T,
}

impl Progressing {
    /// Claims the folder, and looks for what another process has done of the same comparison.
    ///
    /// # Errors
    /// If another process is at it, or if what is there is of another comparison.
    pub(super) fn claim<A: ModalityArgs>(
        args: &CompareArgs<A>,
        source: &Pretrained,
    ) -> Result<Self> {
        let checkpoint = args.checkpoint.clone();
        let destination = args.out.join(crosstune_report::NAMES[0]);
        let asked = Asked::of(args, source)?;
        let work = WorkFolder::claim(&destination, args.overwrite)?;
        match work.read::<Asked>(ASKED) {
            Ok(None) => work.write(ASKED, &asked)?,
            Ok(Some(then)) if then == asked => {
                say("resumed", format!("what is done of {} is kept", args.out.display()));
            }
            Ok(Some(then)) => {
                work.leave();
                let problem = format!(
                    "{} is an unfinished comparison {}; go on with what it was begun with, or replace \
                     it with --overwrite",
                    args.out.display(),
                    then.difference(&asked)
                );
                return Err(setting("--out", problem));
            }
            Err(e) => {
                work.leave();
                return Err(e.into());
            }
        }
        Ok(Self { work, checkpoint, curve: RefCell::default() })
    }

    /// Leaves what is done for another process.
    pub(super) fn leave(self) {
        self.work.leave();
    }

    /// The same, if anything is done; whether it is.
    pub(super) fn leave_if_worth_it(self) -> bool {
        let folder = self.work.file("");
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        let done = |name: String| {
            name == CHECKPOINTS || name.starts_with("trial-") || name.starts_with("run-")
        };
        let is_worth_it = names.any(done);
        if is_worth_it {
            self.leave();
        }
        is_worth_it
    }

    /// The figures of a training: those that are there, or those that `train` comes to, which are kept.
    ///
    /// # Errors
    /// [`Error::Interrupted`], if the process was asked to end; if the figures that are there are of
    /// other samples; or what `train` says.
    pub(super) fn done<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        splits: &Splits,
        train: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let name = format!("{name}.json");
        let samples = [&splits.train, &splits.validation, &splits.test].map(|s| s.digest());
        if let Some(done) = self.work.read::<Done<T>>(&name)? {
            if done.samples != samples {
                let problem = "the samples are not those that this comparison was begun with; put them \
                               back, or begin anew with --overwrite";
                return Err(setting("--data", problem));
            }
            return Ok(done.figures);
        }
        if signals::asked().is_some() {
            return Err(Error::Interrupted { checkpoint: self.work.file(CHECKPOINTS) }.into());
        }
        if self.work.read::<String>(UNDER_WAY)?.as_deref() != Some(&name) {
            // They are another training's.
            let _ = fs::remove_dir_all(self.work.file(CHECKPOINTS));
            let _ = fs::remove_file(self.work.file(CURVE));
            self.work.write(UNDER_WAY, &name)?;
        }
        self.curve.replace(self.work.read(CURVE)?.unwrap_or_default());
        let figures = train()?;
        self.work.write(&name, &Done { samples, figures: &figures })?;
        Ok(figures)
    }

    /// The checkpoints of the training under way, whose figures go by a name.
    ///
    /// # Errors
    /// If the name cannot be written as JSON.
    pub(super) fn checkpoints(&self, name: &str) -> Result<Checkpoints<'static>, Error> {
        let checkpoints = Checkpoints::new(self.work.file(CHECKPOINTS))
            .every(self.checkpoint.checkpoint_every)
            .conditions(&name)?;
        Ok(checkpoints.stop_when(|| signals::asked().is_some()))
    }

    /// The points of the learning curve so far, of a training that goes on after so many epochs.
    pub(super) fn curve(&self, epochs: &[EpochRecord]) -> Vec<Point> {
        let mut curve = self.curve.borrow().clone();
        curve.retain(|point| point.epoch <= epochs.len());
        curve
    }

    /// Keeps the learning curve so far.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn keep_curve(&self, curve: &[Point]) -> Result<(), Error> {
        self.work.write(CURVE, &curve)
    }
}
