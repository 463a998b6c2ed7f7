//! A hub with one model and an empty cache, and how the binaries are run against them.

use std::{collections::BTreeMap, ffi::OsString, fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::server::{COMMIT, Server, Stored};
use crate::support::{Ran, command, ran, tiny_bert, words};

/// The SHA-256 of the weights of [`tiny_bert`].
pub(super) const SHA256: &str = "e60527ec70a1d5cd56e400123cdf8c3cfc4472c56331af723ad5847059982942";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const MODEL: &str = "hf://org/tiny-bert";

/// A hub with [`tiny_bert`], and an empty cache.
pub(super) struct Hub {
    pub(super) server: Server,
    pub(super) home: TempDir,
}

impl Hub {
    pub(super) fn new() -> Self {
        let small = |name: &str, etag: &str| {
            let bytes = fs::read(tiny_bert().join(name)).unwrap();
            (name.to_owned(), Stored { bytes, etag: etag.into(), large: false, announced: None })
        };
        let mut files = BTreeMap::from([small("config.json", "c0"), small("tokenizer.json", "70")]);
        let unasked = Stored {
            bytes: b"not for us".into(),
            etag: "aa".into(),
            large: false,
            announced: None,
        };
        files.insert("README.md".into(), unasked.clone());
        files.insert("pytorch_model.bin".into(), unasked);
        let bytes = weights();
        files.insert(
            WEIGHTS.into(),
            Stored { bytes, etag: SHA256.into(), large: true, announced: None },
        );
        Self { server: Server::start(files), home: tempfile::tempdir().unwrap() }
    }

    /// `crosstune-text WORDS…` with nothing in its environment that leads out of the test.
    pub(super) fn command(&self, words: &[OsString]) -> Command {
        let mut command = command("text");
        for name in [
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_TOKEN_PATH",
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
            "ALL_PROXY",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "all_proxy",
            "https_proxy",
            "http_proxy",
        ] {
            command.env_remove(name);
        }
        command.env("HF_HOME", self.home.path()).env("HF_ENDPOINT", &self.server.endpoint);
        command.args(words);
        command
    }

    pub(super) fn inspect(&self, model: &str) -> Ran {
        ran(&mut self.command(&words!["inspect", model]))
    }

    pub(super) fn inspect_with(&self, model: &str, variables: &[(&str, &str)]) -> Ran {
        ran(self.command(&words!["inspect", model]).envs(variables.iter().copied()))
    }

    /// The one line that a failed `inspect` says.
    pub(super) fn fails(&self, model: &str, code: i32, variables: &[(&str, &str)]) -> String {
        let message = self.inspect_with(model, variables).error(code);
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.home.path().join("hub/models--org--tiny-bert")
    }

    pub(super) fn blob(&self) -> PathBuf {
        self.folder().join("blobs").join(SHA256)
    }

    pub(super) fn part(&self) -> PathBuf {
        self.folder().join("blobs").join(format!("{SHA256}.incomplete"))
    }

    pub(super) fn snapshot(&self, file: &str) -> PathBuf {
        self.folder().join("snapshots").join(COMMIT).join(file)
    }

    /// The same hub at another port.
    pub(super) fn other_port(&self) -> Server {
        let mut files = BTreeMap::new();
        self.server.set(|hub| files = hub.files.clone());
        Server::start(files)
    }

    /// Changes the weights on the hub.
    pub(super) fn set_weights(&self, change: impl FnOnce(&mut Stored)) {
        self.server.set(|hub| change(hub.files.get_mut(WEIGHTS).unwrap()));
    }
}

pub(super) fn weights() -> Vec<u8> {
    fs::read(tiny_bert().join(WEIGHTS)).unwrap()
}

/// The requests for the bytes of the weights, where they lie.
pub(super) fn of_weights(requests: &[String]) -> Vec<&String> {
    requests.iter().filter(|r| r.starts_with("GET /large/")).collect()
}

pub(super) fn says_all(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}
