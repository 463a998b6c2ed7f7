//! The processes that `--processes` asks for: started, listened to, and ended together.

use std::io::{self, BufRead, BufReader};
use std::num::NonZeroUsize;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, mem};

use anyhow::Result;
use crosstune_core::Error;
use crosstune_core::distributed::{Environment, Host, Launcher};

use crate::args::setting;
use crate::output::note;
use crate::process::{self, children};

/// The exit code of a process that has lost another, whose parent knows which.
pub(crate) const LOST_OTHERS: u8 = 3;

/// Whether an error is that another process has gone, which the first need not say: whoever has started
/// both knows more.
pub(crate) fn is_told(error: &Error) -> bool {
    let is_launched = || {
        let here = Environment::read().ok().flatten();
        here.is_some_and(|here| here.launcher == Launcher::Crosstune && here.rank == 0)
    };
    matches!(error, Error::PeerLost { .. }) && is_launched()
}

/// The most processes for each core: more are a mistake, and take the machine's memory.
const MOST_PER_CORE: usize = 4;

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long the others have to end by themselves when one has failed.
const GRACE: Duration = Duration::from_secs(10);

/// Runs this very command in as many processes as are asked for, and returns what came of it; `None`: this
/// process is to do it.
///
/// # Errors
/// If they are started already, or cannot be.
pub(crate) fn launch(processes: Option<NonZeroUsize>) -> Result<Option<ExitCode>> {
    let size = match (processes, Environment::read()?) {
        (None, _) => return Ok(None),
        (Some(_), Some(here)) if here.launcher == Launcher::Crosstune => return Ok(None),
        (Some(_), Some(_)) => {
            let problem = "torchrun has started the processes already; leave it out";
            return Err(setting("--processes", problem));
        }
        (Some(size), None) => size.get(),
    };
    if size == 1 {
        return Ok(None);
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = MOST_PER_CORE * cores;
    if size > most {
        let problem = format!("{size}: must be at most {most}, on {cores} cores");
        return Err(setting("--processes", problem));
    }
    let host = Host::new()?;
    children::listen();
    let mut all = vec![];
    for rank in 0..size {
        match Process::start(rank, size, host.port()) {
            Ok(process) => all.push(process),
            Err(e) => {
                all.iter_mut().for_each(Process::kill);
                let problem = format!("process {} of {size} cannot be started: {e}", rank + 1);
                return Err(setting("--processes", problem));
            }
        }
    }
    watch(&mut all)?;
    Ok(Some(outcome(&mut all)))
}

/// One of them.
#[derive(Debug)]
struct Process {
    rank: usize,
    child: Child,
    /// What it says, but for the first, which speaks for all.
    said: Option<JoinHandle<String>>,
    ended: Option<ExitStatus>,
    /// Whether it was ended because of another.
    killed: bool,
}

impl Process {
    fn start(rank: usize, size: usize, port: u16) -> io::Result<Self> {
        let place = Environment {
            rank,
            size,
            local_rank: rank,
            local_size: size,
            address: Host::ADDRESS.into(),
            port,
            agent_store: true,
            restarts: 0,
            launcher: Launcher::Crosstune,
        };
        let mut command = Command::new(env::current_exe()?);
        command.args(env::args_os().skip(1)).envs(place.variables());
        // `--resume` may have gone to another.
        if let Some(folder) = process::first_folder() {
            command.current_dir(folder);
        }
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for variable in ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"] {
            if env::var_os(variable).is_none() {
                command.env(variable, (cores / size).max(1).to_string());
            }
        }
        if rank > 0 {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        }
        children::alone(&mut command);
        let mut child = command.spawn()?;
        let said =
            child.stderr.take().map(|said| thread::spawn(move || last(BufReader::new(said))));
        Ok(Self { rank, child, said, ended: None, killed: false })
    }

    /// Whether it has ended.
    fn has_ended(&mut self) -> io::Result<bool> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended.is_some())
    }

    fn kill(&mut self) {
        self.killed = self.ended.is_none();
        let _ = self.child.kill();
    }

    /// Whether it has failed by itself, not because of another.
    fn is_cause(&self) -> bool {
        let code = self.ended.map(|status| status.code());
        !self.killed && code.is_some_and(|code| code != Some(0) && code != Some(LOST_OTHERS.into()))
    }
}

/// The last lines that are said.
fn last(said: impl BufRead) -> String {
    const LINES: usize = 32;
    let mut lines = vec![];
    for line in said.lines().map_while(Result::ok) {
        if lines.len() == LINES {
            lines.remove(0);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Waits until all have ended. If one fails, the others have [some time](GRACE) to do so, and are then
/// ended. Signals are handed on to all.
fn watch(all: &mut [Process]) -> Result<()> {
    let mut until = None;
    loop {
        let mut ended = 0;
        for process in all.iter_mut() {
            ended += usize::from(process.has_ended().map_err(Error::io("/proc", "wait in"))?);
            // Whoever has been asked to end has time for a checkpoint.
            if process.ended.is_some_and(|status| !status.success()) && !children::asked() {
                until.get_or_insert_with(|| Instant::now() + GRACE);
            }
        }
        if ended == all.len() {
            return Ok(());
        }
        if let Some(signal) = children::received() {
            let others = all.iter().filter(|process| process.ended.is_none());
            others.for_each(|process| children::send(process.child.id(), signal));
        }
        if until.is_some_and(|until| Instant::now() > until) {
            all.iter_mut().filter(|process| process.ended.is_none()).for_each(Process::kill);
        }
        thread::sleep(LOOK);
    }
}

/// What came of them, in one line where the first has not said it already.
fn outcome(all: &mut [Process]) -> ExitCode {
    let size = all.len();
    let said: Vec<String> = all
        .iter_mut()
        .map(|p| p.said.take().and_then(|s| s.join().ok()).unwrap_or_default())
        .collect();
    let causes: Vec<usize> = all.iter().filter(|p| p.is_cause()).map(|p| p.rank).collect();
    let status = |rank: usize| all[rank].ended;
    let Some(&cause) = causes.first() else {
        if all.iter().all(|process| process.ended.is_some_and(|status| status.success())) {
            return ExitCode::SUCCESS;
        }
        let why = said.into_iter().find(|said| !said.is_empty());
        note(&why.unwrap_or_else(|| "error: the processes lost each other".into()));
        return ExitCode::FAILURE;
    };
    if let Some(signal) = status(cause).and_then(children::signal_of) {
        if !children::was_sent(signal) {
            note(&format!(
                "error: rank {cause} of {size} was killed by {}: the training has ended",
                children::name(signal)
            ));
        }
        return ExitCode::FAILURE;
    }
    // The first one's own is on the screen.
    if cause > 0 {
        note(&said[cause]);
    }
    let code = status(cause).and_then(|status| status.code()).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

impl Drop for Process {
    fn drop(&mut self) {
        if mem::take(&mut self.ended).is_none() {
            let _ = self.child.kill();
        }
    }
}
