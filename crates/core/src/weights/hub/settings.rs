//! Settings from the environment, in the variables of Python's `huggingface_hub`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use ureq::http::Uri;

use crate::error::{Error, Result};
use crate::files;

/// The hub, unless the environment names another.
const HUGGING_FACE: &str = "https://huggingface.co";

/// The most bytes of a file with a token.
const MOST_TOKEN: u64 = 1 << 16;

/// The variable of the longest silence.
const PATIENCE: &str = "HF_HUB_DOWNLOAD_TIMEOUT";

/// Where the hub and the cache are, and how the hub may be used.
pub(super) struct Settings {
    /// The hub's address, without a `/` at its end.
    pub(super) endpoint: String,
    /// The folder of `models--org--name`.
    pub(super) cache: PathBuf,
    /// The access token.
    pub(super) token: Option<Token>,
    /// Whether the hub may be used at all.
    pub(super) network: Network,
    /// How long a connection may be silent before it counts as broken.
    pub(super) patience: Duration,
}

/// Whether the network may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// It may.
    Use,
    /// Only the cache, because this variable says so.
    Forbidden(&'static str),
}

/// An access token. It is never shown.
pub(super) struct Token {
    value: String,
    /// The variable or file that it comes from, for messages.
    pub(super) from: String,
}

impl Token {
    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.value)
    }
}

impl Settings {
    /// Reads this process's environment.
    ///
    /// # Errors
    /// If a variable has a value that cannot be used.
    pub(super) fn from_env() -> Result<Self> {
        Self::read(&|name| env::var_os(name), env::home_dir())
    }

    fn read(get: &dyn Fn(&str) -> Option<OsString>, user: Option<PathBuf>) -> Result<Self> {
        // An empty variable counts as unset.
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().into_owned());
        let folder = |name: &str| {
            let path = PathBuf::from(get(name)?);
            // A shell expands `~` only where it sees a path.
            let below = path.strip_prefix("~").ok().and_then(|p| Some(user.as_ref()?.join(p)));
            Some(below.unwrap_or(path))
        };
        let home = folder("HF_HOME").or_else(|| {
            let caches = folder("XDG_CACHE_HOME").or_else(|| Some(user.as_ref()?.join(".cache")));
            Some(caches?.join("huggingface"))
        });
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(home.as_ref()?.join("hub")))
            .ok_or_else(|| Error::Setting {
                setting: "HF_HOME",
                problem: "is not set, and there is no home folder; set it to the folder that \
                          models are to be kept in"
                    .into(),
            })?;
        // The first one that is set counts.
        let mut switches = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter();
        let network = match switches.find_map(|name| Some((name, text(name)?))) {
            Some((name, value)) if is_true(&value) => Network::Forbidden(name),
            _ => Network::Use,
        };
        let from_file = || {
            let path = folder("HF_TOKEN_PATH").or_else(|| Some(home.as_ref()?.join("token")))?;
            // What is no text, or no file, has no token.
            let text = String::from_utf8(files::read(&path, MOST_TOKEN).ok()?).ok()?;
            Some((text, path.display().to_string()))
        };
        let variable = |name: &str| text(name).map(|value| (value, name.to_owned()));
        let token = variable("HF_TOKEN")
            .or_else(|| variable("HUGGING_FACE_HUB_TOKEN"))
            .or_else(from_file)
            .map(|(value, from)| (value.trim().to_owned(), from))
            .filter(|(value, _)| !value.is_empty());
        let patience = match text(PATIENCE) {
            None => 60,
            Some(given) => {
                let seconds =
                    given.trim().parse().ok().filter(|seconds| (1..=3600).contains(seconds));
                let wrong = || format!("`{given}` is not a number of seconds from 1 to 3600");
                seconds.ok_or_else(|| Error::setting(PATIENCE, wrong()))?
            }
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| HUGGING_FACE.into());
        let settings = Self {
            endpoint: endpoint.trim_end_matches('/').into(),
            cache,
            token: token.map(|(value, from)| Token { value, from }),
            network,
            patience: Duration::from_secs(patience),
        };
        if network == Network::Use {
            settings.check()?;
        }
        Ok(settings)
    }

    /// Checks what only the network needs.
    fn check(&self) -> Result<()> {
        let uri: Option<Uri> = self.endpoint.parse().ok();
        let usable = |u: &Uri| {
            matches!(u.scheme_str(), Some("http" | "https"))
                && u.host().is_some_and(|host| !host.is_empty())
                && u.query().is_none()
        };
        if !uri.as_ref().is_some_and(usable) {
            return Err(Error::setting(
                "HF_ENDPOINT",
                format!(
                    "`{}` is not the URL of a hub, such as {HUGGING_FACE}",
                    self.endpoint.escape_debug()
                ),
            ));
        }
        if let Some(token) = &self.token
            && !token.value.chars().all(|c| c.is_ascii_graphic())
        {
            return Err(Error::setting(
                "HF_TOKEN",
                format!(
                    "the token from {} has characters that no token has; copy it again from \
                     {}/settings/tokens",
                    token.from, self.endpoint
                ),
            ));
        }
        Ok(())
    }
}

/// What `huggingface_hub` accepts as true.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The settings in an environment of these variables alone.
    fn with(variables: &[(&str, &str)]) -> Result<Settings> {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name);
        Settings::read(&|name| find(name).map(|(_, value)| value.into()), Some("/me".into()))
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        for (variables, cache) in [
            (&[][..], "/me/.cache/huggingface/hub"),
            (&[("HF_HOME", "")], "/me/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/h/hub"),
            (&[("HF_HOME", "~/h")], "/me/h/hub"),
            (&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HOME", "/h")], "/old"),
            (&[("HF_HUB_CACHE", "/c"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/c"),
        ] {
            assert_eq!(with(variables).unwrap().cache, Path::new(cache), "{variables:?}");
        }
        let error = Settings::read(&|_| None, None).err().unwrap();
        assert!(error.to_string().contains("HF_HOME: is not set"), "{error}");
    }

    #[test]
    fn the_token_is_the_variables_or_else_the_files() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        let token = |more: &[(&str, &str)]| {
            let settings = with(&[&[("HF_HOME", path)], more].concat()).unwrap();
            settings.token.map(|t| (t.header(), t.from))
        };
        assert_eq!(token(&[]), None);
        fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let file = home.path().join("token").display().to_string();
        assert_eq!(token(&[]), Some(("Bearer hf_file".into(), file)));
        let variable = Some(("Bearer hf_variable".into(), "HF_TOKEN".into()));
        assert_eq!(token(&[("HF_TOKEN", " hf_variable")]), variable);
        assert_eq!(token(&[("HF_TOKEN_PATH", "/nowhere")]), None);

        let error = with(&[("HF_TOKEN", "hf_a\nhf_secret")]).err().unwrap();
        assert!(error.to_string().contains("the token from HF_TOKEN has characters"), "{error}");
        assert!(!error.to_string().contains("secret") && error.is_usage_error());
    }

    #[test]
    fn patience_is_seconds() {
        assert_eq!(with(&[]).unwrap().patience, Duration::from_secs(60));
        assert_eq!(with(&[(PATIENCE, "5")]).unwrap().patience, Duration::from_secs(5));
        for wrong in ["0", "-1", "1e9", "3601", "nan", "a"] {
            let error = with(&[(PATIENCE, wrong)]).err().unwrap();
            assert!(error.to_string().contains("is not a number of seconds"), "{error}");
        }
    }

    #[test]
    fn an_endpoint_is_a_url() {
        for (given, endpoint) in
            [("http://127.0.0.1:80/", "http://127.0.0.1:80"), ("https://h/hf", "https://h/hf")]
        {
            assert_eq!(with(&[("HF_ENDPOINT", given)]).unwrap().endpoint, endpoint);
        }
        for wrong in
            ["localhost", "localhost:80", "ftp://h", "http://", "http://a b", "https://h?x"]
        {
            let error = with(&[("HF_ENDPOINT", wrong)]).err().unwrap();
            assert!(error.to_string().contains("is not the URL of a hub"), "{error}");
            assert!(error.is_usage_error());
            // Offline, nobody asks.
            assert!(with(&[("HF_ENDPOINT", wrong), ("HF_HUB_OFFLINE", "1")]).is_ok());
        }
    }

    #[test]
    fn offline_is_what_python_takes_for_it() {
        for name in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
            for (value, network) in [
                ("1", Network::Forbidden(name)),
                ("true", Network::Forbidden(name)),
                ("0", Network::Use),
                ("", Network::Use),
            ] {
                assert_eq!(with(&[(name, value)]).unwrap().network, network, "{name}={value}");
            }
        }
        let both = [("TRANSFORMERS_OFFLINE", "1"), ("HF_HUB_OFFLINE", "0")];
        assert_eq!(with(&both).unwrap().network, Network::Use);
    }
}
