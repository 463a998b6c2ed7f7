//! `serve`: a model's answers over HTTP.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use crosstune_core::error::printable;
use crosstune_core::{Device, Error, Modality, Precision, SharedTensors, Spec, Task};
use crosstune_serve::{Ended, Event, Opened, serve as answer_requests};

use super::args::ServeArgs;
use crate::{
    args::{DecodeArgs, ReadArgs, SourceArgs},
    output::{format::count, note, say, say_error},
    process,
    setup::open::open_at,
};

pub(crate) fn serve<M: Modality>(args: ServeArgs) -> Result<ExitCode> {
    let models = args.named()?;
    let place = args.place.place()?;
    let options = args.options::<M>(place.0)?;
    let ServeArgs { read, decode, .. } = args;
    let open = move |path: &Path, shared: &SharedTensors| {
        opened::<M>(path, (&read, &decode), place, shared).map_err(known)
    };
    let ended = answer_requests(models, open, options, Box::new(tell))?;
    match ended {
        // What is computed or opened meanwhile has to be left where it is: libtorch's own end would come
        // under it.
        Ended::Drained => process::leave(0),
        Ended::AtOnce(signal) => process::leave(128 + signal as u8),
    }
}

fn opened<M: Modality>(
    path: &Path,
    (read, decode): (&ReadArgs, &DecodeArgs),
    place: (Device, Precision),
    shared: &SharedTensors,
) -> Result<Opened<M>> {
    let source = SourceArgs { path: path.to_path_buf(), read: read.clone() };
    // As transformers calls them.
    let unnamed = |_, classes| Ok((0..classes).map(|at| format!("LABEL_{at}")).collect());
    let (model, modality) = open_at::<M>(&source, unnamed, place, Some(shared))?;
    let spec = model.spec();
    let decoder = decode.decoder(spec.task_config())?;
    // As `predict` has it.
    let sigmoid = spec.task == Task::Regression && spec.labels.len() == 1 && !Spec::is_at(path);
    say(
        "model",
        format!(
            "{}: {}, {}, {} labels",
            path.display(),
            spec.family,
            spec.task,
            count(spec.labels.len())
        ),
    );
    Ok(Opened { model, modality, decoder, sigmoid })
}

/// The error of the library that it is.
fn known(error: anyhow::Error) -> Error {
    let other = |e: anyhow::Error| Error::Modality { context: "open".into(), source: e.into() };
    error.downcast().unwrap_or_else(other)
}

/// What happens, on stderr.
fn tell(event: &Event<'_>) {
    match event {
        Event::Listening(address) => {
            say("listening", format!("http://{address}; Ctrl-C or SIGTERM ends it"));
        }
        Event::Exposed(address) => {
            say("warning", format!("anyone who reaches {address} may ask: give it a --token-file"))
        }
        Event::Sharing { models, parts, bytes, alone } => {
            let mib = |bytes: &usize| *bytes as f64 / f64::from(1 << 20);
            let (once, each) = (mib(bytes), mib(alone));
            say(
                "sharing",
                format!(
                    "{} are tunings of one base, and go through its first {parts} blocks together: \
                     {once:.1} MiB of parameters instead of {each:.1} MiB",
                    models.join(", ")
                ),
            );
        }
        Event::Replaced { model, version } => {
            say("replaced", format!("{model}, version {version}"));
        }
        Event::Kept { model, problem } => {
            say("kept", format!("{model}, as it cannot be opened anew: {problem}"));
        }
        Event::Apart { model, problem } => {
            say("warning", format!("{model} answers by itself: {problem}"));
        }
        Event::Request { method, path, status, took, peer } => {
            let peer = peer.map(|peer| format!(" {peer}")).unwrap_or_default();
            let took = took.as_secs_f64() * 1e3;
            note(&format!("{method} {} {status} {took:.1} ms{peer}", printable(path)));
        }
        Event::Refused { problem } => say_error(&format!("no more connections: {problem}")),
        Event::Draining => say("ending", "no more requests; those that are here are answered"),
        _ => {}
    }
}
