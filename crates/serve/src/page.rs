//! The page for people at `/`, and what it consists of.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// The files of the page: where each is, its type and what it holds.
const FILES: [(&str, &str, &str); 11] = [
    ("/", HTML, include_str!("../page/index.html")),
    ("/style.css", CSS, include_str!("../page/style.css")),
    ("/icon.svg", PICTURE, include_str!("../page/icon.svg")),
    ("/answers.js", SCRIPT, include_str!("../page/answers.js")),
    ("/api.js", SCRIPT, include_str!("../page/api.js")),
    ("/app.js", SCRIPT, include_str!("../page/app.js")),
    ("/elements.js", SCRIPT, include_str!("../page/elements.js")),
    ("/inputs.js", SCRIPT, include_str!("../page/inputs.js")),
    ("/recorder.js", SCRIPT, include_str!("../page/recorder.js")),
    ("/sound.js", SCRIPT, include_str!("../page/sound.js")),
    ("/spectrogram.js", SCRIPT, include_str!("../page/spectrogram.js")),
];

/// What the page may do: run its own scripts and ask this server. Pictures and sounds that it was given
/// it draws and plays itself, so that it may load none.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Where the files are.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |routes, &(path, media, text)| {
        routes.route(path, get(move || async move { file(media, text) }))
    })
}

fn file(media: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the server has another page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
