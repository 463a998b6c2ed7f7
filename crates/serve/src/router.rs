//! What is where, and who may ask.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use crosstune_core::Modality;
use serde_json::json;

use crate::app::App;
use crate::body;
use crate::event::Event;
use crate::refusal::{Refusal, json_response};
use crate::{openapi, page, predict};

/// Who asks, as the connection knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// All that can be asked.
pub(crate) fn router<M: Modality>(app: Arc<App<M>>) -> Router {
    let open = page::routes()
        .route("/health", get(health::<M>))
        .route("/openapi.json", get(|| async { openapi::response::<M>() }));
    let closed = Router::new()
        .route("/v1/models", get(models::<M>))
        .route("/v1/models/{name}", get(model::<M>))
        .route("/v1/models/{name}/predict", post(predict::predict::<M>))
        .route("/metrics", get(metrics::<M>))
        .route_layer(middleware::from_fn_with_state(app.clone(), authorised::<M>));
    closed
        .merge(open)
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .layer(middleware::from_fn_with_state(app.clone(), known_host::<M>))
        .layer(middleware::from_fn_with_state(app.clone(), logged::<M>))
        .with_state(app)
}

/// Whether it takes requests.
async fn health<M: Modality>(State(app): State<Arc<App<M>>>) -> Response {
    match app.is_draining() {
        true => Refusal::busy("the server is ending").into_response(),
        false => json_response(StatusCode::OK, &json!({"status": "ok"})),
    }
}

async fn models<M: Modality>(State(app): State<Arc<App<M>>>) -> Response {
    let all: Vec<_> = app.models.iter().map(|served| served.current().description()).collect();
    json_response(StatusCode::OK, &json!({"models": all}))
}

async fn model<M: Modality>(
    State(app): State<Arc<App<M>>>,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    match app.model(&name) {
        Some(served) => json_response(StatusCode::OK, &served.current().description()),
        None => Refusal::new(StatusCode::NOT_FOUND, format!("no model {name:?}")).into_response(),
    }
}

async fn metrics<M: Modality>(State(app): State<Arc<App<M>>>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (headers, app.metrics.text(app.queue.length())).into_response()
}

/// Leaves the body of a request that is not answered.
async fn refuse(request: Request) {
    let (head, body) = request.into_parts();
    body::discard(&head.headers, body).await;
}

async fn nowhere(request: Request) -> Response {
    let problem = format!("nothing is at {:?}; /openapi.json tells what is", request.uri().path());
    refuse(request).await;
    Refusal::new(StatusCode::NOT_FOUND, problem).into_response()
}

async fn not_so(request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_string());
    refuse(request).await;
    let problem = format!("{path} cannot be asked with {method}; /openapi.json tells how");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, problem).into_response()
}

/// Lets requests through that bring the token.
async fn authorised<M: Modality>(
    State(app): State<Arc<App<M>>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let is_right = match &app.options.token {
        Some(token) => token.is_in(given.map_or(b"", |given| given.as_bytes())),
        None => true,
    };
    if is_right {
        return next.run(request).await;
    }
    refuse(request).await;
    let problem = "this server wants the header Authorization: Bearer TOKEN, with its own token";
    Refusal::new(StatusCode::UNAUTHORIZED, problem).into_response()
}

/// A server on a loopback address without a token is this machine's own. A web page from elsewhere may
/// have its visitors' browsers ask, under its own name if that was given this address (DNS rebinding), or
/// under this address, without hearing the answer. What the first calls the host, nobody here does; the
/// second says where it comes from.
async fn known_host<M: Modality>(
    State(app): State<Arc<App<M>>>,
    request: Request,
    next: Next,
) -> Response {
    let options = &app.options;
    let guarded = options.listen.ip().is_loopback() && options.token.is_none();
    let refusal = if !guarded {
        None
    } else if request.headers().get_all(header::HOST).iter().any(|host| !is_local(host)) {
        let problem = "the request is for a host of another name; ask http://localhost or the \
                       address itself, or give the server a --token-file";
        Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, problem))
    } else if is_from_elsewhere(request.headers()) {
        let problem = "a web page from elsewhere asks; give the server a --token-file, or ask from its \
                       own page";
        Some(Refusal::new(StatusCode::FORBIDDEN, problem))
    } else {
        None
    };
    match refusal {
        Some(refusal) => {
            refuse(request).await;
            refusal.into_response()
        }
        None => next.run(request).await,
    }
}

/// Whether a browser asks for a page that this server has not sent: it says so of all that is not merely
/// looked at (Fetch, §3.2).
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    let is_own = |origin: &HeaderValue| origin.as_bytes().strip_prefix(b"http://") == Some(host);
    !headers.get_all(header::ORIGIN).iter().all(is_own)
}

/// Whether the value of the header `Host` is an address, or this machine's name for itself.
fn is_local(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok()
}

/// Tells of each request, if that is wanted.
async fn logged<M: Modality>(
    State(app): State<Arc<App<M>>>,
    request: Request,
    next: Next,
) -> Response {
    if !app.options.log_requests {
        return next.run(request).await;
    }
    let mut told = Told {
        app: &app,
        method: request.method().to_string(),
        path: request.uri().path().to_string(),
        peer: request.extensions().get::<Peer>().map(|peer| peer.0),
        since: Instant::now(),
        status: Told::<M>::GONE,
    };
    let response = next.run(request).await;
    told.status = response.status().as_u16();
    response
}

/// Tells of a request when it ends, however it does.
struct Told<'a, M: Modality> {
    app: &'a App<M>,
    method: String,
    path: String,
    peer: Option<SocketAddr>,
    since: Instant,
    status: u16,
}

impl<M: Modality> Told<'_, M> {
    /// The status of a request whose client has gone: nginx's.
    const GONE: u16 = 499;
}

impl<M: Modality> Drop for Told<'_, M> {
    fn drop(&mut self) {
        let Self { app, method, path, peer, since, status } = self;
        let (took, peer, status) = (since.elapsed(), *peer, *status);
        app.tell(&Event::Request { method, path, status, took, peer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_hosts_are_addresses_and_localhost() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:80", "[::1]", "a.localhost"]
        {
            assert!(is_local(&HeaderValue::from_static(host)), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8080", "localhost.evil.example", "", "127.0.0.1.x"]
        {
            assert!(!is_local(&HeaderValue::from_static(host)), "{host}");
        }
        assert!(!is_local(&HeaderValue::from_bytes(b"localhost\xff").unwrap()));
    }

    #[test]
    fn pages_from_elsewhere_are_told_by_their_origin() {
        let of = |origin: Option<&'static str>| {
            let origin = origin.map(|o| (header::ORIGIN, HeaderValue::from_static(o)));
            let host = (header::HOST, HeaderValue::from_static("127.0.0.1:8080"));
            is_from_elsewhere(&[host].into_iter().chain(origin).collect())
        };
        assert!(!of(None) && !of(Some("http://127.0.0.1:8080")));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:3000", ""] {
            assert!(of(Some(origin)), "{origin}");
        }
    }
}
