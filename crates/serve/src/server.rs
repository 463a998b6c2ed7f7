//! A server, from its first model to its last answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crosstune_core::{Error, Modality, Result, SharedTensors};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::app::App;
use crate::connections::Connections;
use crate::event::{Event, Tell};
use crate::options::Options;
use crate::replace::Keeper;
use crate::router::router;
use crate::served::{Named, Open, Opened, Served};
use crate::signals::{Signal, Signals};
use crate::worker;

/// How a server has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to, and has answered all that it had taken.
    Drained,
    /// It was asked twice, the second time by this signal: what waited has no answer.
    AtOnce(i32),
}

/// Answers requests for models, each opened by `open`, until SIGINT or SIGTERM. The first of them lets
/// it take no more requests and answer those that it has; the second ends it. SIGHUP lets it open all
/// models anew, beside the old ones, which go on where a new one cannot be opened.
///
/// # Errors
/// If a name is taken twice or is no part of a path, a model cannot be opened, or the address cannot be
/// had.
pub fn serve<M: Modality>(
    models: Vec<Named>,
    open: impl Fn(&std::path::Path, &SharedTensors) -> Result<Opened<M>> + Send + Sync + 'static,
    options: Options,
    tell: Box<Tell>,
) -> Result<Ended> {
    check(&models)?;
    let open: Arc<Open<M>> = Arc::new(open);
    let models = Served::open(models, &*open)?;
    let app = Arc::new(App::new(models, options, tell)?);
    // They hand on; what takes time has threads of its own.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Error::io("a thread", "start"))?;
    let workers = worker::start(&app.options, &app.queue, &app.metrics)?;
    let ended = runtime.block_on(run(&app, open));
    app.queue.close();
    if let Ok(Ended::Drained) = ended {
        workers.into_iter().for_each(|worker| drop(JoinHandle::join(worker)));
    }
    runtime.shutdown_background();
    ended
}

/// Names are parts of paths, and each is one model's.
fn check(models: &[Named]) -> Result<()> {
    for (at, Named { name, path }) in models.iter().enumerate() {
        let refused = |problem: String| Err(Error::setting("NAME=RUN", problem));
        if !Named::is_plain(name) {
            let path = path.display();
            return refused(format!(
                "{name:?} cannot be the name of a model: use letters, digits and -_.~, and give it \
                 one, NAME={path}"
            ));
        }
        if models[..at].iter().any(|other| other.name == *name) {
            let path = path.display();
            return refused(format!(
                "two models are called {name}; give {path} another name, NAME={path}"
            ));
        }
    }
    Ok(())
}

async fn run<M: Modality>(app: &Arc<App<M>>, open: Arc<Open<M>>) -> Result<Ended> {
    let options = &app.options;
    let asked = options.listen;
    let failed = || Error::io(PathBuf::from(asked.to_string()), "listen");
    let listener = TcpListener::bind(asked).await.map_err(failed())?;
    let address = listener.local_addr().map_err(failed())?;
    let mut signals = Signals::new()?;
    let keeper = Keeper::start(app.clone(), open)?;
    let connections = Connections::new(router(app.clone()), options);
    if !address.ip().is_loopback() && options.token.is_none() {
        app.tell(&Event::Exposed(address));
    }
    app.tell(&Event::Listening(address));
    loop {
        tokio::select! {
            taken = connections.take(&listener) => if let Err(problem) = taken {
                app.tell(&Event::Refused { problem: &problem.to_string() });
            },
            signal = signals.next() => match signal {
                Signal::Replace => keeper.replace_all(),
                Signal::Stop(_) => break,
            },
        }
    }
    drop(listener);
    app.drain();
    app.tell(&Event::Draining);
    let stopped = async {
        loop {
            if let Signal::Stop(number) = signals.next().await {
                return number;
            }
        }
    };
    // A body may take the time that it has, and so may an answer, and its client may be slow.
    let most = 2 * options.timeout + options.idle() + Duration::from_secs(1);
    tokio::select! {
        _ = connections.drain() => Ok(Ended::Drained),
        number = stopped => Ok(Ended::AtOnce(number)),
        _ = tokio::time::sleep(most) => Ok(Ended::Drained),
    }
}
