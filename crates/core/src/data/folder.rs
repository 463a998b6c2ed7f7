//! Folders of files: a folder per class, or labels in the files' names; with or without splits.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::found::{Found, RawTarget};
use super::item::{Input, Split};
use super::layout::Layout;
use super::manifest;
use super::split_names::splits;
use super::system::is_hidden;
use crate::error::{Error, Location, Result};
use crate::task::Task;

/// Everything that a folder holds.
pub(super) fn gather(root: &Path, layout: &Layout) -> Result<Vec<Found>> {
    let children = children(root)?;
    // Without a training split, such names are classes like any other.
    let named = |wanted: fn(&Path) -> bool, name: fn(&Path) -> Option<&OsStr>| {
        let wanted = children.iter().filter(|c| wanted(c));
        splits(wanted.map(|c| (name(c).and_then(OsStr::to_str), c.clone())).collect())
    };
    // The same where each folder holds samples directly, and one of them is named otherwise.
    let folders = named(Path::is_dir, Path::file_name).filter(|parts| {
        let all = children.iter().filter(|c| c.is_dir()).count();
        layout.label_pattern.is_some()
            || parts.len() == all
            || parts.iter().any(|(_, part)| !holds_samples_alone(part, layout))
    });
    let (parts, read): (_, fn(&Path, &Layout) -> _) = if let Some(folders) = folders {
        (folders, one_split)
    } else if let Some(tables) = named(manifest::is_table, Path::file_stem) {
        (tables, manifest::gather)
    } else if let Some(data) = data(&children) {
        return gather(data, layout);
    } else if let Some(inner) = unpacked(&children, layout) {
        return gather(inner, layout);
    } else {
        return one_split(root, layout);
    };
    let mut found = vec![];
    for (split, part) in parts {
        let part = read(&part, layout)?;
        found.extend(part.into_iter().map(|f| Found { split: Some(split), ..f }));
    }
    Ok(found)
}

/// The folder `data` of a repository on the Hugging Face hub: it alone, with tables in it.
fn data(children: &[PathBuf]) -> Option<&Path> {
    let mut folders = children.iter().filter(|c| c.is_dir());
    let data = folders.next().filter(|c| c.file_name() == Some(OsStr::new("data")))?;
    let tables = self::children(data).ok()?.iter().any(|c| manifest::is_table(c));
    (folders.next().is_none() && tables).then_some(data)
}

/// Whether a folder holds samples and neither folders nor tables.
fn holds_samples_alone(folder: &Path, layout: &Layout) -> bool {
    let children = children(folder).unwrap_or_default();
    children.iter().any(|c| layout.is_sample(c))
        && !children.iter().any(|c| c.is_dir() || manifest::is_table(c))
}

/// The one folder that there is, where it holds folders alone: an archive that was unpacked into a
/// folder of its own. As a class, it would be the only one.
fn unpacked<'a>(children: &'a [PathBuf], layout: &Layout) -> Option<&'a Path> {
    let [only] = children else { return None };
    let inside = self::children(only).ok().filter(|_| only.is_dir())?;
    (layout.task == Task::SingleLabel
        && layout.label_pattern.is_none()
        && !inside.is_empty()
        && inside.iter().all(|c| c.is_dir() || !layout.is_sample(c)))
    .then_some(only)
}

/// The samples of one folder that has no splits below it.
fn one_split(root: &Path, layout: &Layout) -> Result<Vec<Found>> {
    if let Some(pattern) = &layout.label_pattern {
        return by_pattern(root, layout, pattern);
    }
    let children = children(root)?;
    let tables: Vec<_> = children.iter().filter(|c| manifest::is_table(c)).collect();
    if tables.is_empty() || children.iter().any(|c| c.is_dir()) {
        return by_class(root, layout);
    }
    // Parts of one table, each with its own header.
    let parts: Vec<_> =
        tables.into_iter().map(|table| manifest::gather(table, layout)).collect::<Result<_>>()?;
    Ok(parts.into_iter().flatten().collect())
}

fn by_class(root: &Path, layout: &Layout) -> Result<Vec<Found>> {
    let data = |path: &Path, problem: String| Error::Data { path: path.to_path_buf(), problem };
    let classes: Vec<PathBuf> = children(root)?.into_iter().filter(|c| c.is_dir()).collect();
    if classes.is_empty() {
        return Err(data(
            root,
            format!(
                "holds no folders and no tables; make one folder per class, or give \
                 --label-pattern to find the labels in the names of the {}",
                layout.samples
            ),
        ));
    }
    let mut found = vec![];
    for class in classes {
        let label = RawTarget::of(&name(&class)?, layout);
        let files = files(&class, layout)?;
        if files.is_empty() {
            return Err(data(
                &class,
                format!(
                    "this class folder holds no {} ({}); fill it or remove it",
                    layout.samples,
                    layout.endings()
                ),
            ));
        }
        found.extend(files.into_iter().map(|path| file(path, label.clone(), None)));
    }
    Ok(found)
}

fn by_pattern(root: &Path, layout: &Layout, pattern: &regex::Regex) -> Result<Vec<Found>> {
    let data = |problem: String| Error::Data { path: root.to_path_buf(), problem };
    let files = files(root, layout)?;
    if files.is_empty() {
        return Err(data(format!("holds no {} ({})", layout.samples, layout.endings())));
    }
    let (mut found, mut unmatched) = (vec![], vec![]);
    for path in files {
        let name = name(&path)?;
        let label = pattern.captures(&name).and_then(|c| c.name("label").or_else(|| c.get(1)));
        let Some(label) = label.map(|m| RawTarget::of(m.as_str(), layout)) else {
            unmatched.push(name);
            continue;
        };
        let split = layout.test_pattern.as_ref().map(|test| match test.is_match(&name) {
            true => Split::Test,
            false => Split::Train,
        });
        found.push(file(path, label, split));
    }
    if let Some(first) = unmatched.first() {
        return Err(data(format!(
            "{} file names have no label by --label-pattern '{pattern}', {first:?} among them; \
             widen the pattern or move them away",
            unmatched.len()
        )));
    }
    Ok(found)
}

fn file(path: PathBuf, label: RawTarget, split: Option<Split>) -> Found {
    let place = Location { path: path.clone(), line: None };
    Found { input: Input::File(path), place, label, split, group: None }
}

/// The entries of a folder that are not hidden, in alphabetical order.
fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    for entry in folder.read_dir().map_err(Error::io(folder, "read"))? {
        let entry = entry.map_err(Error::io(folder, "read"))?;
        if !is_hidden(&entry.file_name()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// All samples below a folder, at any depth, in alphabetical order.
fn files(folder: &Path, layout: &Layout) -> Result<Vec<PathBuf>> {
    let visible = |e: &walkdir::DirEntry| e.depth() == 0 || !is_hidden(e.file_name());
    let mut found = vec![];
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(visible) {
        let entry = entry.map_err(|e| Error::Data {
            path: e.path().unwrap_or(folder).to_path_buf(),
            problem: match (e.loop_ancestor(), e.io_error()) {
                (Some(to), _) => format!("a link that leads back to {}", to.display()),
                (_, Some(io)) => format!("cannot be read ({io})"),
                _ => e.to_string(),
            },
        })?;
        if entry.file_type().is_file() && layout.is_sample(entry.path()) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// A file's or folder's name, which labels and patterns need as text.
fn name(path: &Path) -> Result<String> {
    path.file_name().and_then(|n| n.to_str()).map(str::to_string).ok_or_else(|| Error::Data {
        path: path.to_path_buf(),
        problem: "the name is not UTF-8; rename it".into(),
    })
}

/// For messages: the extensions of visible files that are neither samples nor tables that were
/// read, and how many there are of each.
pub(super) fn ignored(
    root: &Path,
    layout: &Layout,
    tables: &BTreeSet<&Path>,
) -> BTreeMap<String, usize> {
    let mut endings = BTreeMap::new();
    for entry in WalkDir::new(root).into_iter().flatten() {
        let path = entry.path();
        let hidden = is_hidden(entry.file_name());
        let used = layout.is_sample(path) || tables.contains(path);
        if entry.file_type().is_file() && !hidden && !used {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            *endings.entry(ending).or_default() += 1;
        }
    }
    endings
}
