//! The names of shards: `train-00003-of-00012.parquet`, `shard-{000000..000011}.tar`, `train-*.tar`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::error::{Error, Result};

/// As many files may be meant by one name.
const MOST: usize = 1_000_000;

/// The files that a name with braces, stars or question marks stands for, in order; `None`: it has none,
/// or is the name of a file that is there. Those in braces are all told, be they there or not.
///
/// # Errors
/// If the braces cannot be read, or no file has such a name.
pub(super) fn expand(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    let refused = |problem: &str| Error::Path { path: path.to_path_buf(), problem: problem.into() };
    let Some(name) = path.to_str().filter(|name| name.contains(['{', '*', '?'])) else {
        return Ok(None);
    };
    if path.exists() {
        return Ok(None);
    }
    let mut names = vec![];
    braces(name, &mut names).map_err(refused)?;
    let mut files = vec![];
    for name in names {
        match name.contains(['*', '?']) {
            true => files.extend(matching(Path::new(&name)).map_err(refused)?),
            false => files.push(PathBuf::from(name)),
        }
    }
    match files.is_empty() {
        true => Err(refused("no file has such a name")),
        false => Ok(Some(files)),
    }
}

/// Writes out `{000..011}` and `{a,b}`.
fn braces(name: &str, names: &mut Vec<String>) -> Result<(), &'static str> {
    let Some(open) = name.find('{') else {
        names.push(name.into());
        return if names.len() <= MOST {
            Ok(())
        } else {
            Err("stands for more than a million files")
        };
    };
    let behind = &name[open + 1..];
    let close = behind.find('}').ok_or("has a { without its }")?;
    let (inside, rest) = (&behind[..close], &behind[close + 1..]);
    let choices: Vec<String> = match inside.split_once("..") {
        Some((from, to)) => {
            let number = |text: &str| text.parse::<usize>().map_err(|_| NO_RANGE);
            let (first, last) = (number(from)?, number(to)?);
            if first > last || last - first >= MOST {
                return Err(NO_RANGE);
            }
            (first..=last).map(|at| format!("{at:0width$}", width = from.len())).collect()
        }
        None => inside.split(',').map(str::to_string).collect(),
    };
    for choice in choices {
        braces(&format!("{}{choice}{rest}", &name[..open]), names)?;
    }
    Ok(())
}

const NO_RANGE: &str =
    "has braces that are no range from a smaller number to a larger one, {000..011}";

/// The files of a folder whose names match, in alphabetical order.
fn matching(path: &Path) -> Result<Vec<PathBuf>, &'static str> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if folder.to_str().is_some_and(|folder| folder.contains(['*', '?'])) {
        return Err("has stars in the name of a folder; name one folder");
    }
    let pattern = regex::escape(name).replace(r"\*", ".*").replace(r"\?", ".");
    let pattern = Regex::new(&format!("^{pattern}$")).map_err(|_| "cannot be read as a pattern")?;
    let entries = folder.read_dir().map_err(|_| "is in a folder that cannot be read")?;
    let fits = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| pattern.is_match(name)) && path.is_file()
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(fits).collect();
    files.sort();
    Ok(files)
}

/// The shards that are not there, by the numbers in the names of those that are: of
/// `train-00000-of-00002.parquet` and no other, `train-00001-of-00002.parquet`.
pub(super) fn missing<'p>(there: impl Iterator<Item = &'p PathBuf>) -> Vec<PathBuf> {
    // By what is around the number, and how many there should be.
    let mut sets = BTreeMap::<(PathBuf, String, String), (usize, usize, BTreeSet<usize>)>::new();
    for path in there {
        let Some(shard) = path.file_name().and_then(|name| name.to_str()).and_then(numbered) else {
            continue;
        };
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let Numbered { before, number, width, count, behind } = shard;
        let key = (folder, before.to_string(), behind.to_string());
        sets.entry(key).or_insert((width, count, BTreeSet::new())).2.insert(number);
    }
    let absent = |((folder, before, behind), (width, count, there))| {
        let there: BTreeSet<usize> = there;
        (0..count).filter(move |number| !there.contains(number)).map(move |number: usize| {
            PathBuf::from(&folder).join(format!("{before}{number:0width$}{behind}"))
        })
    };
    sets.into_iter().flat_map(absent).take(MOST).collect()
}

/// A name with a number in it, `train-00003-of-00012.parquet`.
struct Numbered<'n> {
    before: &'n str,
    number: usize,
    /// Of the number, in digits.
    width: usize,
    count: usize,
    behind: &'n str,
}

fn numbered(name: &str) -> Option<Numbered<'_>> {
    let of = name.rfind("-of-")?;
    let dash = name[..of].rfind('-')?;
    let number = &name[dash + 1..of];
    let count = &name[of + 4..];
    let count = &count[..count.find(|c: char| !c.is_ascii_digit()).unwrap_or(count.len())];
    let (before, behind) = (&name[..=dash], &name[of..]);
    let (width, number, count) = (number.len(), number.parse().ok()?, count.parse().ok()?);
    // A number that is none of them says nothing of the others.
    (number < count && count <= MOST).then_some(Numbered { before, number, width, count, behind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf]) -> Vec<&str> {
        paths.iter().filter_map(|path| path.file_name()?.to_str()).collect()
    }

    #[test]
    fn braces_and_stars_stand_for_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a-00.tar", "a-01.tar", "b-00.tar", "a-00.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let of = |name: &str| expand(&folder.path().join(name));
        for (name, files) in [
            ("a-{00..02}.tar", vec!["a-00.tar", "a-01.tar", "a-02.tar"]),
            ("a-*.tar", vec!["a-00.tar", "a-01.tar"]),
            ("?-00.tar", vec!["a-00.tar", "b-00.tar"]),
            ("{b,a}-0*.tar", vec!["b-00.tar", "a-00.tar", "a-01.tar"]),
            ("a-{8..10}.tar", vec!["a-8.tar", "a-9.tar", "a-10.tar"]),
        ] {
            assert_eq!(names(&of(name).unwrap().unwrap()), files, "{name}");
        }
        assert_eq!(of("a-00.tar").unwrap(), None);
        for (name, said) in [
            ("c-*.tar", "no file has such a name"),
            ("a-{0..x}.tar", "no range"),
            ("a-{2..1}.tar", "no range"),
            ("a-{0..9999999}.tar", "no range"),
            ("a-{0.tar", "without its }"),
            ("x*/a.tar", "name one folder"),
        ] {
            let error = of(name).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn the_names_tell_which_are_missing() {
        let there = ["d/train-00000-of-00003.parquet", "d/train-00002-of-00003.parquet"];
        let there = there.map(PathBuf::from);
        assert_eq!(missing(there.iter()), [PathBuf::from("d/train-00001-of-00003.parquet")]);
        let whole = ["a-0-of-1.tar", "b-1-of-1.tar", "c.tar", "a-x-of-2.tar"].map(PathBuf::from);
        assert_eq!(missing(whole.iter()), Vec::<PathBuf>::new());
    }
}
