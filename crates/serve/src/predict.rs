//! `POST /v1/models/NAME/predict`: from a request to its answers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use crosstune_core::predict::{Asked, Said};
use crosstune_core::{Item, Modality};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::app::App;
use crate::body;
use crate::engine::{contained, refusal};
use crate::inputs::{self, Asking};
use crate::job::{Job, Reply, Room};
use crate::metrics::Metrics;
use crate::queue::Reading;
use crate::refusal::{Refusal, json_response};
use crate::served::Version;

/// Answers a request.
pub(crate) async fn predict<M: Modality>(
    State(app): State<Arc<App<M>>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let Some(version) = app.model(&name).map(|served| served.current()) else {
        body::discard(&headers, body).await;
        let known: Vec<_> = app.models.iter().map(|m| m.current().name.to_string()).collect();
        let problem = format!("no model {name:?}; there are: {}", known.join(", "));
        return Refusal::new(StatusCode::NOT_FOUND, problem).into_response();
    };
    let mut counted = Counted::new(&app.metrics, &version.name);
    let answered = match asked_top(query.as_deref()) {
        Ok(top) => answer(&app, &version, top, &headers, body).await,
        Err(refusal) => {
            body::discard(&headers, body).await;
            Err(refusal)
        }
    };
    let response = answered.unwrap_or_else(Refusal::into_response);
    counted.status = response.status().as_u16();
    response
}

/// How many classes are told, if the query says so.
fn asked_top(query: Option<&str>) -> Result<Option<NonZeroUsize>, Refusal> {
    let value = query.unwrap_or_default().split('&').find_map(|field| field.strip_prefix("top="));
    let number = |value: &str| {
        let refused = |_| Refusal::malformed(format!("top={value}: expected a number from 1"));
        value.parse().map_err(refused)
    };
    value.map(number).transpose()
}

async fn answer<M: Modality>(
    app: &Arc<App<M>>,
    version: &Arc<Version<M>>,
    top: Option<NonZeroUsize>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let options = &app.options;
    if app.queue.length() >= options.max_queue.get() {
        body::discard(headers, body).await;
        return Err(Refusal::queue_full());
    }
    let body::Read { bytes, room: held } =
        body::read(headers, body, options.max_body.get(), options.timeout, &app.bodies).await?;
    let most = options.max_queue.get();
    let Asking { items, top: said } = inputs::find(version, headers, bytes, most).await?;
    let top = said.or(top).unwrap_or(options.top).get();
    let room = app.queue.admit(items.len())?;
    let replies: Vec<_> = items.into_iter().map(|item| ask(app, version, item, &held)).collect();
    let lines = async {
        let mut lines = Vec::with_capacity(replies.len());
        for reply in replies {
            // A worker that has gone has left a panic behind.
            let gone = |_| Refusal::fault("the model has not answered; please report this");
            let (asked, said) = reply.await.map_err(gone)??;
            lines.push(line(version, asked, said, top).await?);
        }
        Ok(lines)
    };
    let lines: Result<Vec<Value>, Refusal> =
        timeout(options.timeout, lines).await.unwrap_or_else(|_| {
            let seconds = options.timeout.as_secs_f64();
            Err(Refusal::busy(format!("no answer within {seconds} seconds; ask again later")))
        });
    // What is not answered yet leaves the queue.
    drop(room);
    Ok(json_response(StatusCode::OK, &json!({"model": *version.name, "predictions": lines?})))
}

/// Lets an input be read and answered.
fn ask<M: Modality>(
    app: &Arc<App<M>>,
    version: &Arc<Version<M>>,
    item: Item,
    room: &Room,
) -> oneshot::Receiver<Reply> {
    let (reply, answered) = oneshot::channel();
    let (app, version, reading) = (app.clone(), version.clone(), app.queue.reading());
    let item = (item, room.clone());
    rayon::spawn_fifo(move || read(&app, version, item, reply, reading));
    answered
}

fn read<M: Modality>(
    app: &App<M>,
    version: Arc<Version<M>>,
    (item, room): (Item, Room),
    reply: oneshot::Sender<Reply>,
    reading: Reading<M>,
) {
    if reply.is_closed() {
        return;
    }
    let asked = contained(|| {
        within(&version.modality, &item, app.options.max_size)?;
        Asked::read(&version.modality, item).map_err(|bad| Refusal::input(bad.to_string()))
    });
    match asked.and_then(|asked| asked) {
        Ok(asked) => {
            let (together, arrived) = (app.together(), Instant::now());
            app.queue.push(Job { version, together, asked, arrived, _room: room, reply });
        }
        // Whoever asked may have gone.
        Err(refusal) => drop(reply.send(Err(refusal))),
    }
    drop(reading);
}

/// Refuses an input that is larger than the server takes, before it is read. What is wrong with one
/// whose size cannot be had, reading it tells.
fn within<M: Modality>(modality: &M, item: &Item, most: Option<f64>) -> Result<(), Refusal> {
    let Some(most) = most else { return Ok(()) };
    let Ok(size) = modality.size(&item.input) else { return Ok(()) };
    if size.iter().product::<f64>() <= most {
        return Ok(());
    }
    let unit = M::SIZE.first().and_then(|name| name.split_once(", ")).map_or("", |(_, unit)| unit);
    let size: Vec<_> = size.iter().map(|n| ((n * 10.).round() / 10.).to_string()).collect();
    Err(Refusal::large(format!(
        "{}: {} {unit}; this server takes at most {most}",
        item.place,
        size.join(" × ")
    )))
}

/// The answer to an input, as `predict --json` has it. To find the places of words, a text is read
/// again: not in a thread that others' requests need.
async fn line<M: Modality>(
    version: &Arc<Version<M>>,
    asked: Asked,
    said: Said,
    top: usize,
) -> Result<Value, Refusal> {
    let make = move |version: &Version<M>, asked: Asked, said: Said| {
        let config = version.model.spec().task_config();
        let line = asked.line(&version.modality, said, config, top, version.sigmoid);
        line.map_err(|e| refusal(&e))
    };
    if !version.model.spec().task.is_sequence() {
        return make(version, asked, said);
    }
    let (send, made) = oneshot::channel();
    let version = version.clone();
    rayon::spawn_fifo(move || {
        let line = contained(|| make(&version, asked, said));
        // Whoever asked may have gone.
        let _ = send.send(line.and_then(|line| line));
    });
    made.await.unwrap_or_else(|_| Err(Refusal::fault("the answer was lost; please report this")))
}

/// Counts a request when it ends, however it does.
struct Counted<'a> {
    metrics: &'a Metrics,
    model: &'a str,
    since: Instant,
    status: u16,
}

impl<'a> Counted<'a> {
    /// The status of a request whose client has gone: nginx's.
    const GONE: u16 = 499;

    fn new(metrics: &'a Metrics, model: &'a str) -> Self {
        Self { metrics, model, since: Instant::now(), status: Self::GONE }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.request(self.model, self.status, self.since.elapsed());
    }
}
