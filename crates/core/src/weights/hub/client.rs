//! The hub's HTTP interface: what a repository holds, what a file is, and its bytes.
//!
//! `hf-hub` knows the hub's addresses and the form of its answers. The questions are asked here, with
//! the HTTP client that `hf-hub` itself uses: its own download puts a file into the cache before it
//! can be checked, and distinguishes neither a missing revision from a missing repository nor a
//! stalled connection from a slow one; and it sends the token to any port of the hub's host.

use std::time::Duration;

use hf_hub::api::RepoInfo;
use hf_hub::{Repo, RepoType};
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

use super::reference::{Reference, check_file, is_commit};
use super::settings::Settings;
use crate::error::{BoxError, Error, Result};

/// How long the hub may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(15);

/// The longest list of a repository's files that is read, in bytes.
const MOST_INFO: u64 = 64 << 20;

/// How often in a row the hub may point elsewhere.
const MOST_REDIRECTS: usize = 5;

/// One repository on the hub.
pub(super) struct Client<'a> {
    reference: &'a Reference,
    settings: &'a Settings,
    /// Knows the addresses.
    repo: Repo,
    agent: Agent,
}

/// Why there is no answer.
pub(super) enum Lost {
    /// The network failed.
    Network(ureq::Error),
    /// The hub points elsewhere, in a way that cannot be followed.
    Astray(Error),
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
    pub(super) fn new(reference: &'a Reference, settings: &'a Settings) -> Self {
        let name = reference.repository().to_owned();
        let revision = reference.revision().to_owned();
        let repo = Repo::with_revision(name, RepoType::Model, revision);
        let agent = Agent::config_builder()
            .user_agent(concat!("crosstune/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Where it points is followed here, with an eye on the token.
            .max_redirects(0)
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(settings.patience))
            .timeout_per_read(Some(settings.patience))
            .build()
            .into();
        Self { reference, settings, repo, agent }
    }

    /// The commit that the revision means, and its files.
    pub(super) fn list(&self) -> Result<Listing> {
        let url = format!("{}/api/{}", self.settings.endpoint, self.repo.api_url());
        let all = self.settings.patience * 5;
        let request = |url: &str| {
            let request = self.agent.get(url).header("Accept-Encoding", "identity");
            request.config().timeout_recv_body(Some(all)).build()
        };
        let answer = self.call(url, request, |_| false);
        let mut answer = answer.map_err(|lost| self.lost(lost))?;
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
        let request = |url: &str| self.agent.head(url).header("Accept-Encoding", "identity");
        // Large files are stored elsewhere, but it is the hub that knows what they are.
        let knows = |headers: &HeaderMap| header(headers, "X-Linked-Etag").is_some();
        let answer = self.call(self.url(file, commit), request, knows);
        let answer = answer.map_err(|lost| self.lost(lost))?;
        let status = answer.status();
        if !status.is_success() && !status.is_redirection() {
            return Err(self.refused(&answer, Some(file)));
        }
        self.announced(file, answer.headers(), status.is_redirection())
    }

    /// Asks, and follows where the hub points until `enough` of the headers. The token goes to the
    /// hub's own origin alone: its scheme, host and port.
    fn call(
        &self,
        mut url: String,
        request: impl Fn(&str) -> RequestBuilder<WithoutBody>,
        enough: impl Fn(&HeaderMap) -> bool,
    ) -> Result<Response<Body>, Lost> {
        let astray = |what: &str| Lost::Astray(self.no_hub(what, None));
        for _ in 0..=MOST_REDIRECTS {
            let mut request = request(&url);
            if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_ours(&url)) {
                request = request.header("Authorization", token.header());
            }
            let answer = request.call().map_err(Lost::Network)?;
            if !answer.status().is_redirection() || enough(answer.headers()) {
                return Ok(answer);
            }
            let to = header(answer.headers(), "Location").and_then(|to| absolute(&url, to));
            url = to.ok_or_else(|| astray("it points nowhere"))?;
        }
        Err(astray("it points elsewhere again and again"))
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
    ) -> Result<Response<Body>, Lost> {
        let request = |url: &str| {
            // With compression, neither lengths nor offsets would be the file's.
            let request = self.agent.get(url).header("Accept-Encoding", "identity");
            match from {
                0 => request,
                from => request.header("Range", format!("bytes={from}-")),
            }
        };
        self.call(self.url(file, commit), request, |_| false)
    }

    /// How long nothing may come.
    pub(super) fn patience(&self) -> Duration {
        self.settings.patience
    }

    /// The address of a file at a commit, which never changes, unlike a branch.
    fn url(&self, file: &str, commit: &str) -> String {
        let (endpoint, name) = (&self.settings.endpoint, self.reference.repository());
        format!("{endpoint}/{name}/resolve/{commit}/{}", percent_encoded(file))
    }

    /// Whether an address is of the hub's own origin, which may see the token.
    fn is_ours(&self, url: &str) -> bool {
        origin(url).is_some_and(|of| Some(of) == origin(&self.settings.endpoint))
    }

    /// An error that names the reference.
    pub(super) fn error(&self, problem: impl Into<String>, source: Option<BoxError>) -> Error {
        Error::Hub { reference: self.reference.to_string(), problem: problem.into(), source }
    }

    /// The error that there is no answer.
    fn lost(&self, lost: Lost) -> Error {
        match lost {
            Lost::Network(cause) => self.unreachable(cause),
            Lost::Astray(error) => error,
        }
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

/// The scheme, host and port of an address.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let usual = if scheme == "https" { 443 } else { 80 };
    Some((scheme.into(), uri.host()?.to_lowercase(), uri.port_u16().unwrap_or(usual)))
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

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let same = |url: &str| origin(url) == origin("https://hub");
        for url in ["https://hub/a/b", "https://HUB:443/a?b"] {
            assert!(same(url), "{url}");
        }
        for url in [
            "http://hub",
            "https://hub:8443",
            "https://hub.example",
            "https://cdn.hub",
            "hub",
            "/a",
        ] {
            assert!(!same(url), "{url}");
        }
        assert!(!same("https://hub@elsewhere/a"), "the host stands behind the name");
    }
}
