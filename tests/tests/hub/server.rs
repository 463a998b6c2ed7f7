//! A hub on this computer: one repository, in the ways that huggingface.co answers.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// The commit that `main` means.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of the repository.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Vec<u8>,
    /// Without the quotes.
    pub(crate) etag: String,
    /// Large files lie elsewhere, and their ETag is the SHA-256.
    pub(crate) large: bool,
    /// The length that is announced, if it is not that of the bytes.
    pub(crate) announced: Option<usize>,
}

/// What the hub does; a test changes it while the hub runs.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<String, Stored>,
    /// How many bytes of a large file come before the connection is cut, for each answer in turn.
    pub(crate) cuts: Vec<usize>,
    /// What large files answer to a `Range`.
    pub(crate) ranges: Ranges,
    /// Answers everything so instead: a status, and headers as they are written.
    pub(crate) refusal: Option<(&'static str, String)>,
    /// Whether [`State::refusal`] counts for files alone.
    pub(crate) refuse_files_only: bool,
    /// The name that the repository had before, which now redirects.
    pub(crate) renamed: bool,
    /// Where everything is now, if not here.
    pub(crate) moved: Option<String>,
    /// The time from one byte to the next of what is slow.
    pub(crate) trickle: Duration,
    /// What is slow.
    pub(crate) slow: Slow,
    /// The requests so far, each a line and its headers.
    pub(crate) requests: Vec<String>,
    /// Runs before the next large file is sent, while others are served.
    pub(crate) before_large: Option<Box<dyn FnOnce() + Send>>,
}

/// What comes byte by byte.
#[derive(Default, Clone, Copy, PartialEq)]
pub(crate) enum Slow {
    #[default]
    Nothing,
    /// All answers, heads included.
    Answers,
    /// The bodies of large files.
    Bodies,
}

/// Sends byte by byte.
struct Trickle<'a> {
    to: &'a TcpStream,
    pause: Duration,
}

impl Write for Trickle<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let most = if self.pause.is_zero() { bytes.len() } else { bytes.len().min(1) };
        thread::sleep(self.pause);
        self.to.write(&bytes[..most])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

#[derive(Default, Clone, Copy, PartialEq)]
pub(crate) enum Ranges {
    #[default]
    Served,
    /// All is sent, whatever was asked for.
    Ignored,
}

/// A hub that runs until the test ends.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start(files: BTreeMap<String, Stored>) -> Self {
        let state = Arc::new(Mutex::new(State { files, ..State::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (shared, root) = (Arc::clone(&state), endpoint.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, root) = (Arc::clone(&shared), root.clone());
                thread::spawn(move || {
                    // A client that goes away is no fault of the hub.
                    let _ = serve(&stream.unwrap(), &state, &root);
                });
            }
        });
        Self { endpoint, state }
    }

    /// Changes what the hub does.
    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

/// Answers one request; every answer closes its connection.
fn serve(stream: &TcpStream, state: &Mutex<State>, root: &str) -> std::io::Result<()> {
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
    }
    let mut words = request.split_whitespace();
    let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
    let (method, from) = (method.to_owned(), range(&request));
    let mut state = state.lock().unwrap();
    state.requests.push(request.trim_end().replace("\r\n", "\n"));
    let pause = |slow| if state.slow == slow { state.trickle } else { Duration::ZERO };
    let mut body = Trickle { to: stream, pause: pause(Slow::Bodies) };
    let mut out = Trickle { to: stream, pause: pause(Slow::Answers) };
    let mut answer = |status: &str, headers: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        out.write_all(head.as_bytes())?;
        if method == "HEAD" { Ok(()) } else { out.write_all(body) }
    };

    let path = path.as_str();
    let of_file = path.contains("/resolve/") || path.starts_with("/large/");
    if let Some((status, headers)) = &state.refusal
        && (of_file || !state.refuse_files_only)
    {
        return answer(status, headers, b"refused");
    }
    if let Some(elsewhere) = &state.moved {
        return answer("307 Temporary Redirect", &format!("Location: {elsewhere}{path}\r\n"), b"");
    }
    if state.renamed && path.contains("/org/old") {
        let to = path.replace("/org/old", "/org/tiny-bert");
        return answer("307 Temporary Redirect", &format!("Location: {to}\r\n"), b"");
    }
    if let Some(revision) = path.strip_prefix("/api/models/org/tiny-bert/revision/") {
        if !["main", COMMIT, "refs%2Fpr%2F3"].contains(&revision) {
            let headers = "X-Error-Code: RevisionNotFound\r\nX-Error-Message: Invalid rev id\r\n";
            return answer("404 Not Found", headers, b"{}");
        }
        let files = state.files.keys().map(|f| format!(r#"{{"rfilename":"{f}"}}"#));
        let files = files.collect::<Vec<_>>().join(",");
        let info = format!(r#"{{"sha":"{COMMIT}","siblings":[{files}],"private":false}}"#);
        return answer("200 OK", "Content-Type: application/json\r\n", info.as_bytes());
    }
    if let Some(name) = path.strip_prefix(&format!("/org/tiny-bert/resolve/{COMMIT}/")) {
        let Some(file) = state.files.get(name) else {
            return answer("404 Not Found", "X-Error-Code: EntryNotFound\r\n", b"");
        };
        let etag = &file.etag;
        if !file.large {
            let headers = format!("ETag: \"{etag}\"\r\nX-Repo-Commit: {COMMIT}\r\n");
            return answer("200 OK", &headers, &file.bytes);
        }
        let size = file.announced.unwrap_or(file.bytes.len());
        // Another host name, as a content network has: it must not see the token.
        let elsewhere = root.replace("127.0.0.1", "localhost");
        let headers = format!(
            "Location: {elsewhere}/large/{name}\r\nX-Repo-Commit: {COMMIT}\r\n\
             X-Linked-Etag: \"{etag}\"\r\nX-Linked-Size: {size}\r\nETag: \"other\"\r\n"
        );
        return answer("302 Found", &headers, b"");
    }
    if let Some(name) = path.strip_prefix("/large/") {
        let act = state.before_large.take();
        let bytes = state.files[name].bytes.clone();
        let from = from.filter(|_| state.ranges == Ranges::Served);
        let start = from.unwrap_or(0);
        if start > 0 && start >= bytes.len() {
            return answer("416 Range Not Satisfiable", "", b"");
        }
        let most = if state.cuts.is_empty() { usize::MAX } else { state.cuts.remove(0) };
        drop(state);
        if let Some(act) = act {
            act();
        }
        let (status, range) = match from {
            Some(at) => {
                let range = format!("bytes {at}-{}/{}", bytes.len() - 1, bytes.len());
                ("206 Partial Content", format!("Content-Range: {range}\r\n"))
            }
            None => ("200 OK", String::new()),
        };
        let length = bytes.len() - start;
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{range}\r\n");
        out.write_all(head.as_bytes())?;
        return body.write_all(&bytes[start..][..length.min(most)]);
    }
    // As the hub answers a stranger, who is not to learn what exists.
    answer("401 Unauthorized", "X-Error-Code: RepoNotFound\r\n", b"{}")
}

/// The first byte that a request asks for.
fn range(request: &str) -> Option<usize> {
    let line = request.lines().find(|l| l.to_lowercase().starts_with("range: bytes="))?;
    line.split_once('=')?.1.trim_end_matches('-').parse().ok()
}
