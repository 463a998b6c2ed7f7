//! The hub's HTTP interface: what a repository holds, what a file is, and its bytes.
//!
//! `hf-hub` says how the hub is addressed and asks what a repository holds. The bytes are fetched
//! `hf-hub` knows the hub's addresses and lists a repository. The bytes are fetched here, with the
//! HTTP client that `hf-hub` itself uses: its own download puts a file into the cache before it can
//! be checked, and distinguishes neither a missing revision from a missing repository nor a stalled
//! connection from a slow one.

use std::time::Duration;

use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};

use super::reference::{Reference, check_file, is_commit};
use super::settings::Settings;
use crate::error::{BoxError, Error, Result};

/// How long the hub may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(15);

/// How long a connection may be silent before it counts as broken.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest list of a repository's files that is read, in bytes.
const MOST_INFO: u64 = 64 << 20;

/// The most redirections before the hub says what a file is.
const MOST_REDIRECTS: usize = 5;

/// One repository on the hub.
pub(super) struct Client<'a> {
    reference: &'a Reference,
    settings: &'a Settings,
    /// Knows the addresses.
    repo: ApiRepo,
    agent: Agent,
}

/// A commit and the files in it.
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) files: Vec<String>,
}

/// What the hub announces of a file before it is fetched.
pub(super) struct Announced {
    /// Its name in the cache: a hash of its bytes, and free of `/`.
    pub(super) etag: String,
    /// Its length in bytes.
    pub(super) size: u64,
    /// The SHA-256 of its bytes in hex, which the hub knows of large files.
    pub(super) sha256: Option<String>,
}

impl<'a> Client<'a> {
    pub(super) fn new(reference: &'a Reference, settings: &'a Settings) -> Result<Self> {
        let name = reference.repository().to_owned();
        let revision = reference.revision().to_owned();
        let failed = |e: ApiError| Error::Hub {
            reference: reference.to_string(),
            problem: "cannot prepare to ask the hub".into(),
            source: Some(e.into()),
        };
        let api = ApiBuilder::from_cache(Cache::new(settings.cache.clone()))
            .with_endpoint(settings.endpoint.clone())
            .with_token(settings.token.as_ref().map(|token| token.value().to_owned()))
            .with_user_agent("crosstune", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(failed)?;
        let repo = api.repo(Repo::with_revision(name, RepoType::Model, revision));
        let agent = Agent::config_builder()
            .user_agent(concat!("crosstune/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .build()
            .into();
        Ok(Self { reference, settings, repo, agent })
    }

    /// The commit that the revision means, and its files.
    pub(super) fn list(&self) -> Result<Listing> {
        let request = self.repo.info_request().config().http_status_as_error(false);
        let request = request.timeout_connect(Some(CONNECT)).timeout_per_read(Some(SILENCE));
        let mut answer = request.build().call().map_err(|e| self.unreachable(e))?;
        if !answer.status().is_success() {
            return Err(self.refused(&answer, None));
        }
        let body = answer.body_mut().with_config().limit(MOST_INFO);
        let info: RepoInfo = body.read_json().map_err(|e| {
            self.no_hub("its answer is no description of a repository", Some(e.into()))
        })?;
        if !is_commit(&info.sha) {
            return Err(self.no_hub("it names no commit", None));
        }
        let files = info.siblings.into_iter().map(|file| file.rfilename);
        Ok(Listing {
            commit: info.sha,
            // Others would lead out of the cache; nothing needs them.
            files: files.filter(|file| check_file(file).is_ok()).collect(),
        })
    }

    /// The announcement of a file of a commit, without its bytes.
    pub(super) fn announce(&self, file: &str, commit: &str) -> Result<Announced> {
        let mut url = self.url(file, commit);
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.agent.head(&url).header("Accept-Encoding", "identity");
            if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_ours(&url)) {
                request = request.header("Authorization", token.header());
            }
            let answer = request.config().max_redirects(0).build().call();
            let answer = answer.map_err(|e| self.unreachable(e))?;
            let status = answer.status();
            let header = |name: &str| header(answer.headers(), name);
            // Large files are stored elsewhere, but it is the hub that knows what they are.
            if status.is_redirection() && header("X-Linked-Etag").is_none() {
                let to = header("Location").and_then(|to| absolute(&url, to));
                url = to.ok_or_else(|| self.no_hub("it points nowhere", None))?;
                continue;
            }
            if !status.is_success() && !status.is_redirection() {
                return Err(self.refused(&answer, Some(file)));
            }
            return self.announced(file, answer.headers(), status.is_redirection());
        }
        Err(self.no_hub("it points elsewhere again and again", None))
    }

    fn announced(&self, file: &str, headers: &HeaderMap, elsewhere: bool) -> Result<Announced> {
        let linked = header(headers, "X-Linked-Etag").map(bare);
        let etag = linked.or_else(|| header(headers, "ETag").map(bare)).filter(|etag| {
            // It becomes a name in the cache.
            !etag.is_empty() && etag.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        });
        let etag = etag.ok_or_else(|| self.no_hub(&format!("no usable ETag of {file}"), None))?;
        let length = || header(headers, "Content-Length").filter(|_| !elsewhere);
        let size = header(headers, "X-Linked-Size").or_else(length).and_then(|n| n.parse().ok());
        let size = size.ok_or_else(|| self.no_hub(&format!("no length of {file}"), None))?;
        let hash = |etag: &&str| etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit());
        let sha256 = linked.filter(hash).map(str::to_lowercase);
        Ok(Announced { etag: etag.to_owned(), size, sha256 })
    }

    /// The bytes of a file from `from` on, from wherever the hub stores them. A server may ignore
    /// the range and send everything: the status tells.
    pub(super) fn bytes(
        &self,
        file: &str,
        commit: &str,
        from: u64,
    ) -> Result<Response<Body>, ureq::Error> {
        // With compression, neither lengths nor offsets would be the file's.
        let mut request = self.agent.get(self.url(file, commit));
        request = request.header("Accept-Encoding", "identity");
        if let Some(token) = &self.settings.token {
            // The agent does not send it to other hosts.
            request = request.header("Authorization", token.header());
        }
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        request.call()
    }

    /// The address of a file at a commit, which never changes, unlike a branch.
    fn url(&self, file: &str, commit: &str) -> String {
        let (endpoint, name) = (&self.settings.endpoint, self.reference.repository());
        format!("{endpoint}/{name}/resolve/{commit}/{}", percent_encoded(file))
    }

    /// Whether an address is the hub's own, which may see the token.
    fn is_ours(&self, url: &str) -> bool {
        let place = |url: &str| {
            let uri: Uri = url.parse().ok()?;
            Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_lowercase()))
        };
        place(url).is_some_and(|p| Some(p) == place(&self.settings.endpoint))
    }

    /// An error that names the reference.
    pub(super) fn error(&self, problem: impl Into<String>, source: Option<BoxError>) -> Error {
        Error::Hub { reference: self.reference.to_string(), problem: problem.into(), source }
    }

    /// The error that the hub cannot be reached, or went silent.
    fn unreachable(&self, cause: ureq::Error) -> Error {
        let problem = format!(
            "cannot reach {}; check the network and HF_ENDPOINT, or set HF_HUB_OFFLINE=1 if the \
             cache has the model",
            self.settings.endpoint
        );
        self.error(problem, Some(cause.into()))
    }

    /// The error that the answer is not a hub's.
    fn no_hub(&self, what: &str, cause: Option<BoxError>) -> Error {
        let endpoint = &self.settings.endpoint;
        self.error(format!("{endpoint} does not answer as a hub does: {what}; check HF_ENDPOINT and the network"), cause)
    }

    /// The error that the hub refuses a file or everything.
    pub(super) fn refused(&self, answer: &Response<Body>, file: Option<&str>) -> Error {
        let (hub, name) = (&self.settings.endpoint, self.reference.repository());
        let header = |name: &str| header(answer.headers(), name);
        let (status, code) = (answer.status().as_u16(), header("X-Error-Code").unwrap_or_default());
        let token = self.settings.token.as_ref().map(|token| token.from.as_str());
        let tokens = format!("{hub}/settings/tokens");
        self.error(
            match (status, code, token) {
                (401 | 403, "GatedRepo", None) => format!(
                    "gated: accept its licence at {hub}/{name}, then set HF_TOKEN to a token from \
                     {tokens}"
                ),
                (401 | 403, "GatedRepo", Some(from)) => format!(
                    "gated: accept its licence at {hub}/{name} as the user whose token {from} has"
                ),
                (401, _, Some(from)) => {
                    format!("the hub does not accept the token from {from}; make one at {tokens}")
                }
                (403, _, Some(from)) => format!(
                    "the token from {from} may not read it; ask for access at {hub}/{name}, or \
                     give the token the right to read at {tokens}"
                ),
                (401 | 403, _, None) => format!(
                    "no such repository at {hub}, or a private one: check the name, or set \
                     HF_TOKEN to a token that may read it, from {tokens}"
                ),
                (404, "RevisionNotFound", _) => format!(
                    "the repository has no revision `{}`; {hub}/{name}/tree/main shows them",
                    self.reference.revision()
                ),
                (404, _, _) if file.is_some() => format!(
                    "the repository has no file `{}`; {hub}/{name}/tree/main shows them",
                    file.unwrap_or_default()
                ),
                (404, _, None) => format!(
                    "no such repository at {hub}: check the name, or set HF_TOKEN if it is private"
                ),
                (404, _, Some(from)) => format!(
                    "no such repository at {hub}, or one that the token from {from} may not see: \
                     check the name"
                ),
                (429, _, None) => {
                    "the hub has had too many requests; wait a while, or set HF_TOKEN".into()
                }
                (429, _, _) => "the hub has had too many requests; wait a while".into(),
                (500.., _, _) => format!("the hub at {hub} fails ({status}); try again later"),
                _ => format!("the hub at {hub} refuses ({status}); check HF_ENDPOINT"),
            },
            // The server's own message, where there is one.
            header("X-Error-Message")
                .map(|words| words.chars().take(200).collect::<String>().into()),
        )
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// An ETag without its quotes.
fn bare(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

/// The absolute address of a redirection, which may be relative.
fn absolute(url: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.into());
    }
    let uri: Uri = url.parse().ok()?;
    let root = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    location.starts_with('/').then(|| root + location)
}

/// A percent-encoded path.
fn percent_encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            text.push(byte.into());
        } else {
            text += &format!("%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encoded_and_joined() {
        assert_eq!(percent_encoded("sub/a b+é.bin"), "sub/a%20b%2B%C3%A9.bin");
        let url = "https://hub/org/name/resolve/main/x";
        assert_eq!(absolute(url, "/new/name").as_deref(), Some("https://hub/new/name"));
        assert_eq!(absolute(url, "http://cdn/x").as_deref(), Some("http://cdn/x"));
        assert_eq!(absolute(url, "elsewhere"), None);
        assert_eq!(bare("W/\"abc\""), "abc");
    }
}
