//! `train --resume`: the options of an unfinished training, from where it was begun.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{env, path};

use anyhow::{Context, Result};
use clap::{ArgMatches, Command, parser::ValueSource};
use crosstune_core::Modality;
use crosstune_core::run::{Unfinished, unfinished};
use serde::{Deserialize, Serialize};

use super::args::TrainArgs;
use crate::args::{ModalityArgs, setting};
use crate::output::say;

/// How a training was begun: what another process needs to go on with it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begun {
    version: String,
    modality: String,
    /// The command line; nothing, where it is no text.
    words: Vec<String>,
    /// The working folder, which paths are relative to.
    folder: PathBuf,
    /// Threads that libtorch computes in: sums differ in their last bits with others.
    threads: i32,
}

impl Begun {
    /// This process.
    pub(super) fn now<M: Modality>() -> Result<Self> {
        let words: Result<Vec<_>, _> = env::args_os().map(|word| word.into_string()).collect();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            modality: M::NAME.into(),
            words: words.unwrap_or_default(),
            folder: env::current_dir().context("the working folder")?,
            threads: tch::get_num_threads(),
        })
    }
}

/// What `train --resume` comes to.
#[derive(Debug)]
pub(crate) enum Resume {
    /// The training is done.
    Finished,
    /// To be gone on with.
    Training(Box<Unended>),
}

/// An unfinished training.
#[derive(Debug)]
pub(crate) struct Unended {
    /// The options that it was begun with.
    pub(crate) options: ArgMatches,
    run: PathBuf,
    threads: i32,
}

/// The command line without what `--resume` finds in the training's folder.
pub(crate) fn relaxed(command: Command) -> Command {
    command.mut_subcommand("train", |train| {
        ["weights", "data"].into_iter().fold(train, |train, name| {
            train.mut_arg(name, |arg| arg.required(false).required_unless_present("resume"))
        })
    })
}

impl Resume {
    /// The training that a command line asks to go on with, if it does; `command` is all commands. The
    /// process then works in the folder in which the training was begun.
    ///
    /// # Errors
    /// If there is none, or if an option differs.
    pub(crate) fn asked<A: ModalityArgs>(
        given: &ArgMatches,
        command: impl Fn() -> Command,
    ) -> Result<Option<Self>> {
        let Some(given) = given.subcommand_matches("train") else { return Ok(None) };
        let Some(run) = given.get_one::<PathBuf>("resume") else { return Ok(None) };
        let shown = run.display();
        let begun: Begun = match unfinished(run)? {
            Unfinished::Training(begun) => begun,
            Unfinished::Finished => {
                say("finished", format!("{shown} is a finished training: nothing is left to do"));
                return Ok(Some(Self::Finished));
            }
            Unfinished::Nothing => {
                let problem = format!("there is no unfinished training at {shown}; name its --out");
                return Err(setting("--resume", problem));
            }
        };
        let problem = if begun.modality != A::Modality::NAME {
            Some(format!("{shown} was begun with crosstune-{}", begun.modality))
        } else if begun.version != env!("CARGO_PKG_VERSION") {
            let (then, now) = (&begun.version, env!("CARGO_PKG_VERSION"));
            Some(format!("{shown} was begun with version {then}, and this is {now}"))
        } else if begun.words.is_empty() {
            Some(format!("{shown} was begun with words that are no text"))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(setting("--resume", problem));
        }
        let parsed = command().try_get_matches_from(&begun.words);
        let options = parsed.context("the options that the training was begun with")?;
        let then = options.subcommand_matches("train").context("the command was not train")?;
        let train = command();
        let train = train.find_subcommand("train").context("there is no train")?;
        if let Some(problem) = difference(train, then, given, run) {
            return Err(setting("--resume", format!("{shown} {problem}")));
        }
        let mut run = run.clone();
        if env::current_dir().ok().as_ref() != Some(&begun.folder) {
            run = path::absolute(run).context("the working folder")?;
            let folder = begun.folder.display();
            env::set_current_dir(&begun.folder)
                .with_context(|| format!("{folder}, in which the training was begun"))?;
        }
        let threads = begun.threads;
        Ok(Some(Self::Training(Box::new(Unended { options, run, threads }))))
    }
}

impl Unended {
    /// Turns the options that the training was begun with to those of going on with it. `given` is
    /// what was typed now.
    pub(crate) fn apply<A: ModalityArgs>(self, given: &ArgMatches, args: &mut TrainArgs<A>) {
        let typed = |name| given.value_source(name) == Some(ValueSource::CommandLine);
        if typed("checkpoint_every")
            && let Some(every) = given.get_one("checkpoint_every")
        {
            args.checkpoint.checkpoint_every = *every;
        }
        args.verbose |= typed("verbose");
        if let (true, Some(folder)) = (typed("tensorboard"), given.get_one("tensorboard")) {
            args.watch.tensorboard = Some(PathBuf::clone(folder));
        }
        if let (true, Some(format)) = (typed("log_format"), given.get_one("log_format")) {
            args.watch.log_format = *format;
        }
        args.out = Some(self.run.clone());
        args.resume = Some(self.run);
        args.threads = Some(self.threads);
    }
}

/// Options that change nothing in what a training comes to.
const FREE: [&str; 5] = ["resume", "checkpoint_every", "verbose", "tensorboard", "log_format"];

/// The first option that is given now, and was given otherwise then.
fn difference(
    train: &Command,
    then: &ArgMatches,
    given: &ArgMatches,
    run: &Path,
) -> Option<String> {
    let typed = |name: &&clap::Arg| {
        let name = name.get_id().as_str();
        !FREE.contains(&name) && given.value_source(name) == Some(ValueSource::CommandLine)
    };
    train.get_arguments().filter(typed).find_map(|arg| {
        let name = arg.get_id().as_str();
        let values = |of: &ArgMatches| -> Option<String> {
            let raw = of.try_get_raw(name).ok().flatten()?;
            Some(raw.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(","))
        };
        let (before, now) = (values(then), values(given));
        let is_run = name == "out" && given.get_one::<PathBuf>("out").is_some_and(|out| out == run);
        if before == now || is_run {
            return None;
        }
        let option = arg.get_long().unwrap_or(name);
        let is_flag = !arg.get_action().takes_values();
        Some(match before {
            _ if is_flag => format!("was begun without --{option}; leave it out"),
            Some(before) => format!(
                "was begun with --{option} {before}, not {}; leave it out",
                now.unwrap_or_default()
            ),
            None => format!("was begun without --{option}; leave it out"),
        })
    })
}

/// The command that goes on with a training.
pub(super) fn command_line<M: Modality>(run: &Path) -> String {
    format!("crosstune-{} train --resume {}", M::NAME, quoted(&run.to_string_lossy()))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it_otherwise() {
        assert_eq!(quoted("runs/see-1.2"), "runs/see-1.2");
        assert_eq!(quoted("my runs/$HOME"), "'my runs/$HOME'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
