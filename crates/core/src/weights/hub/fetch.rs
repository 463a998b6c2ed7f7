//! Providing a model from a hub, or what the cache has of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::client::Client;
use super::download;
use super::event::Event;
use super::reference::{Reference, SCHEME, check_file};
use super::settings::{Network, Settings};
use crate::error::{Error, Result};
use crate::files;
use crate::weights::adapter::{ADAPTER_CONFIG, ADAPTERS};
use crate::weights::checkpoint::{self, CONFIG, PREPROCESSOR, PUBLISHED};

/// The end of an index's name.
const INDEX: &str = ".index.json";

/// What prepares inputs: tokenizers in all their forms, and settings for pictures and sound; and what
/// says how an adapter is added.
const PREPARATION: [&str; 8] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "merges.txt",
    "vocab.json",
    "special_tokens_map.json",
    PREPROCESSOR,
    ADAPTER_CONFIG,
];

/// Provides a model from a hub: the folder with its architecture, weights and what prepares its
/// inputs, in Hugging Face layout, and nothing else. If the reference names a file, that file (of
/// an index, its shards too) with the `config.json` beside it. What the cache has is not fetched
/// again, but the hub is asked what the revision means now.
///
/// # Errors
/// If the hub cannot be reached or refuses; if there is no such model, revision or file; if what
/// comes is not what was announced; if the cache cannot be written; in offline mode, if the cache
/// lacks the model.
pub fn fetch(reference: &Reference, observe: &mut dyn FnMut(Event)) -> Result<PathBuf> {
    let settings = Settings::from_env()?;
    let cache = Cache::new(reference, &settings.cache);
    if let Network::Forbidden(by) = settings.network {
        return cached(reference, &cache, by);
    }
    let client = Client::new(reference, &settings);
    let listing = client.list()?;
    let has = |file: &str| listing.files.iter().any(|f| f == file);
    let commit = &listing.commit;
    let mut get = |file: &str| download::provide(&client, &cache, commit, file, observe);

    let weights = match reference.file() {
        Some(file) if has(file) => file,
        Some(file) => {
            let seen = shown(&listing.files);
            return Err(client.error(format!("the repository has no file `{file}`; {seen}"), None));
        }
        None => *PUBLISHED.iter().chain(&ADAPTERS).find(|file| has(file)).ok_or_else(|| {
            let seen = shown(&listing.files);
            let problem =
                format!("the repository has neither {} nor {}; {seen}", PUBLISHED[0], PUBLISHED[2]);
            client.error(problem, None)
        })?,
    };
    // The small ones first: if what follows fails, then it fails early, and a snapshot with
    // weights has all.
    let config = sibling(weights, CONFIG);
    let whole = reference.file().is_none();
    let small = PREPARATION.iter().filter(|_| whole).map(|file| file.to_string());
    for file in [config].into_iter().chain(small).filter(|file| has(file)) {
        get(&file)?;
    }
    if weights.ends_with(INDEX) {
        let index = get(weights)?;
        for shard in shards(&index)? {
            get(&sibling(weights, &shard))?;
        }
    }
    let path = get(weights)?;
    cache.note(commit)?;
    Ok(if whole { cache.snapshot(commit) } else { path })
}

/// A path as it is, or what [`fetch`] provides if it is a reference.
///
/// # Errors
/// If it is a reference, and malformed or not to be had.
pub fn local(path: &Path, observe: &mut dyn FnMut(Event)) -> Result<PathBuf> {
    match path.to_str().filter(|text| text.starts_with(SCHEME)) {
        Some(text) => fetch(&text.parse()?, observe),
        None => Ok(path.to_path_buf()),
    }
}

/// What the cache has of a model, without a word to the hub.
fn cached(reference: &Reference, cache: &Cache, forbidden_by: &str) -> Result<PathBuf> {
    let found = cache.commit().map(|commit| cache.snapshot(&commit));
    let found = found.and_then(|folder| match reference.file() {
        Some(file) => Some(folder.join(file)).filter(|path| is_whole(path)),
        None => {
            let mut whole = PUBLISHED.iter().chain(&ADAPTERS);
            whole.any(|file| is_whole(&folder.join(file))).then_some(folder)
        }
    });
    found.ok_or_else(|| Error::Hub {
        reference: reference.to_string(),
        problem: format!(
            "not (or not wholly) in the cache {}, and {forbidden_by} forbids to fetch it; unset \
             {forbidden_by}, or point HF_HOME to a cache that has it",
            cache.root().display()
        ),
        source: None,
    })
}

/// Whether a file is there, and if it is an index, all its shards.
fn is_whole(path: &Path) -> bool {
    path.is_file()
        && (!path.to_string_lossy().ends_with(INDEX)
            || shards(path).is_ok_and(|all| all.iter().all(|s| path.with_file_name(s).is_file())))
}

/// The files that an index of weights names, beside it.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let malformed = |problem: String| Error::Malformed { path: index.to_path_buf(), problem };
    let text = files::read(index, files::MOST_JSON)?;
    let shards = checkpoint::shards(&text).map_err(malformed)?;
    for shard in shards.keys() {
        check_file(shard).map_err(malformed)?;
    }
    Ok(shards.into_keys().collect())
}

/// A file beside another of a repository.
fn sibling(file: &str, name: &str) -> String {
    file.rsplit_once('/').map_or(name.into(), |(folder, _)| format!("{folder}/{name}"))
}

/// The files that a person may have meant.
fn shown(files: &[String]) -> String {
    const MOST: usize = 8;
    let weights = [".safetensors", ".bin", ".pt", ".pth", ".th", INDEX];
    let mut of_use: Vec<_> = files
        .iter()
        .filter(|file| weights.iter().any(|end| file.ends_with(end)))
        .map(String::as_str)
        .collect();
    if of_use.is_empty() {
        return "it has no weights that can be read".into();
    }
    let more = of_use.len().saturating_sub(MOST);
    of_use.truncate(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("it has {}{more}", of_use.join(", "))
}
