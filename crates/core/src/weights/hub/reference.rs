//! `hf://org/name[@revision][/file]`: the address of a model on a hub.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The prefix of a reference.
pub const SCHEME: &str = "hf://";

/// The revision of a reference without one.
const MAIN: &str = "main";

/// A model on a hub, optionally with a revision or a file.
///
/// ```
/// use crosstune_core::hub::Reference;
///
/// let reference: Reference = "hf://org/name@refs%2Fpr%2F3/onnx/config.json".parse()?;
/// assert_eq!(reference.repository(), "org/name");
/// assert_eq!(reference.revision(), "refs/pr/3");
/// assert_eq!(reference.file(), Some("onnx/config.json"));
/// # Ok::<(), crosstune_core::Error>(())
/// ```
///
/// A revision is a branch, a tag or a commit; a `/` in it is written `%2F`, since the first plain
/// one begins the file. A few old models have a name and no organisation (`hf://gpt2`); a file of
/// such a model needs the revision before it (`hf://gpt2@main/model.safetensors`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    repository: String,
    revision: Option<String>,
    file: Option<String>,
}

impl Reference {
    /// The repository: `org/name`, or `name` alone.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The branch, tag or commit; `main` if the reference has none.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(MAIN)
    }

    /// The file, as a path in the repository.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|problem| Error::Path {
            path: text.into(),
            problem: format!("{problem}; expected {SCHEME}org/name[@revision][/file]"),
        })
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    let rest = text.strip_prefix(SCHEME).ok_or_else(|| format!("does not begin with {SCHEME}"))?;
    // The `@` of a revision follows the name; one in a file's name has no meaning.
    let name_end = rest.match_indices('/').nth(1).map_or(rest.len(), |(at, _)| at);
    let (repository, revision, file) = match rest[..name_end].find('@') {
        Some(at) => {
            let behind = &rest[at + 1..];
            let (revision, file) = split(behind, behind.find('/'));
            (&rest[..at], Some(revision.replace("%2F", "/").replace("%2f", "/")), file)
        }
        None => {
            let (repository, file) = split(rest, Some(name_end).filter(|&at| at < rest.len()));
            (repository, None, file)
        }
    };
    check_repository(repository)?;
    if let Some(revision) = &revision {
        check_revision(revision)?;
    }
    if let Some(file) = file {
        check_file(file)?;
    }
    Ok(Reference { repository: repository.into(), revision, file: file.map(Into::into) })
}

/// The text before an index, and the text after the character there.
fn split(text: &str, at: Option<usize>) -> (&str, Option<&str>) {
    at.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])))
}

/// The hub's rules for names. `--` is what the cache writes for a `/`.
fn check_repository(repository: &str) -> Result<(), String> {
    if repository.is_empty() {
        return Err("names no model".into());
    }
    if let Some(sort) = ["datasets", "spaces", "models"].iter().find(|s| {
        repository.strip_prefix(**s).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }) {
        return Err(format!("`{sort}` is no organisation, and only models can be named"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    for word in repository.split('/') {
        let edge = |c: char| ['-', '.'].contains(&c);
        let wrong = word.is_empty()
            || word.len() > 96
            || !word.chars().all(allowed)
            || word.starts_with(edge)
            || word.ends_with(edge)
            || word.contains("--")
            || word.contains("..")
            || word.ends_with(".git");
        if wrong {
            return Err(format!("`{word}` cannot be a name on the hub"));
        }
    }
    Ok(())
}

/// What git allows and a URL can hold unescaped. It becomes a path in the cache.
fn check_revision(revision: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+/".contains(c);
    let words = |word: &str| !word.is_empty() && !word.starts_with('.') && !word.contains("..");
    if revision.chars().all(allowed) && revision.split('/').all(words) {
        return Ok(());
    }
    Err(format!("`{revision}` cannot be a revision"))
}

/// A path that stays in the repository, and in its cache folder.
pub(super) fn check_file(file: &str) -> Result<(), String> {
    let plain = |word: &str| !["", ".", ".."].contains(&word);
    if file.split('/').all(plain) && !file.contains(['\\', ':', '\0', '\n', '\r']) {
        return Ok(());
    }
    Err(format!("`{}` cannot be a file of a model", file.escape_debug()))
}

/// Whether a revision is the full hash of a commit, which never changes.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// The text that parses to this reference.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.repository)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{}", revision.replace('/', "%2F"))?;
        }
        if let Some(file) = &self.file {
            write!(f, "/{file}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_a_repository_and_perhaps_more() {
        for (text, repository, revision, file) in [
            ("hf://org/name", "org/name", "main", None),
            ("hf://gpt2", "gpt2", "main", None),
            ("hf://gpt2@v1.0", "gpt2", "v1.0", None),
            ("hf://gpt2@main/a.safetensors", "gpt2", "main", Some("a.safetensors")),
            ("hf://org/n_a-m.e@refs%2Fpr%2F3", "org/n_a-m.e", "refs/pr/3", None),
            ("hf://org/name@v1/sub/a b.bin", "org/name", "v1", Some("sub/a b.bin")),
            ("hf://org/name/a@2x.bin", "org/name", "main", Some("a@2x.bin")),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.repository(), repository, "{text}");
            assert_eq!(reference.revision(), revision, "{text}");
            assert_eq!(reference.file(), file, "{text}");
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_says_why() {
        for (text, said) in [
            ("org/name", "does not begin with hf://"),
            ("hf://", "names no model"),
            ("hf://@main", "names no model"),
            ("hf:///name", "`` cannot be a name"),
            ("hf://org/", "`` cannot be a name"),
            ("hf://org/na me", "`na me` cannot be a name"),
            ("hf://../name", "`..` cannot be a name"),
            ("hf://org/a--b", "`a--b` cannot be a name"),
            ("hf://org/.name", "`.name` cannot be a name"),
            ("hf://org/name.git", "`name.git` cannot be a name"),
            ("hf://datasets/org/name", "only models"),
            ("hf://models", "only models"),
            ("hf://org/name@", "`` cannot be a revision"),
            ("hf://org/name@..%2F..%2Fx", "cannot be a revision"),
            ("hf://org/name@a%20b", "cannot be a revision"),
            ("hf://org/name/", "`` cannot be a file"),
            ("hf://org/name/../x", "`../x` cannot be a file"),
            ("hf://org/name/a//b", "`a//b` cannot be a file"),
            ("hf://org/name@main/a\\b", "cannot be a file"),
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.to_string().contains(said), "{error} does not say {said}");
            assert!(error.is_usage_error(), "{text}");
        }
    }

    #[test]
    fn a_commit_is_a_whole_hash() {
        assert!(is_commit("0123456789abcdef0123456789abcdef01234567"));
        for other in ["main", "0123456", "0123456789ABCDEF0123456789abcdef01234567"] {
            assert!(!is_commit(other), "{other}");
        }
    }
}
