//! Folders of files: a folder per class, or labels in the files' names; with or without splits.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use regex::Regex;
use walkdir::WalkDir;

use super::found::{Found, RawTarget};
use super::gathering::Gathering;
use super::item::{Input, Split};
use super::layout::Layout;
use super::manifest;
use super::split_names::splits;
use super::system::is_hidden;
use super::tagged;
use super::webdataset;
use crate::error::{Error, Location, Result};
use crate::task::Task;

/// Everything that a folder holds.
pub(super) fn gather(root: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let layout = all.layout;
    let is_table = |path: &Path| manifest::is_table(path, layout);
    let children = children(root)?;
    if tagged::gather_folder(&children, all)? {
        return Ok(());
    }
    // Without a training split, such names are classes like any other.
    let named = |wanted: &dyn Fn(&Path) -> bool, name: fn(&Path) -> Option<&OsStr>| {
        let wanted = children.iter().filter(|c| wanted(c));
        splits(wanted.map(|c| (name(c).and_then(OsStr::to_str), c.clone())).collect())
    };
    // The same where each folder holds samples directly, and one of them is named otherwise.
    let folders = named(&Path::is_dir, Path::file_name).filter(|parts| {
        let all = children.iter().filter(|c| c.is_dir()).count();
        layout.label_pattern.is_some()
            || parts.len() == all
            || parts.iter().any(|(_, part)| !holds_samples_alone(part, layout))
    });
    let (parts, read): (_, fn(&Path, &mut Gathering<'_>) -> _) = if let Some(folders) = folders {
        (folders, one_split)
    } else if let Some(tables) = named(&is_table, Path::file_stem) {
        (tables, manifest::gather)
    } else if let Some(data) = data(&children, layout) {
        return gather(data, all);
    } else if let Some(inner) = unpacked(&children, layout) {
        return gather(inner, all);
    } else {
        return one_split(root, all);
    };
    for (split, part) in parts {
        all.part = Some(split);
        read(&part, all)?;
    }
    all.part = None;
    Ok(())
}

/// Everything that some tables hold: they are splits, if they are named so, else parts of one.
pub(super) fn gather_files(files: &[PathBuf], all: &mut Gathering<'_>) -> Result<()> {
    let (there, absent): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.is_file());
    for file in absent {
        all.refuse(at(file), "no such file");
    }
    let stem = |file: &Path| file.file_stem().and_then(OsStr::to_str).map(str::to_string);
    let stems: Vec<_> = there.iter().map(|file| stem(file)).collect();
    let named = stems.iter().map(Option::as_deref).zip(&there).collect();
    let Some(parts) = splits::<&&PathBuf>(named) else {
        return there.into_iter().try_for_each(|file| manifest::gather(file, all));
    };
    for (split, part) in parts {
        all.part = Some(split);
        manifest::gather(part, all)?;
    }
    all.part = None;
    Ok(())
}

/// Everything that a folder holds to ask a model about: its tables, or else all samples below it.
pub(super) fn inputs(root: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let layout = all.layout;
    let children = children(root)?;
    if tagged::gather_folder(&children, all)? {
        return Ok(());
    }
    if let Some(data) = data(&children, layout) {
        return inputs(data, all);
    }
    let tables: Vec<_> = children.iter().filter(|c| manifest::is_table(c, layout)).collect();
    let split = |c: &&PathBuf| c.file_stem().and_then(|s| s.to_str()).and_then(Split::of_stem);
    let splits = tables.iter().any(|c| split(c).is_some());
    if splits || (!tables.is_empty() && !children.iter().any(|c| c.is_dir())) {
        return tables.into_iter().try_for_each(|table| manifest::gather(table, all));
    }
    let files = files(root, all);
    if files.is_empty() && all.bad.is_empty() {
        let problem = format!("holds no {} ({}) and no tables", layout.samples, layout.endings());
        return Err(Error::Data { path: root.to_path_buf(), problem });
    }
    files.iter().for_each(|path| all.add(file(path, RawTarget::Missing(String::new()), None)));
    Ok(())
}

/// The folder `data` of a repository on the Hugging Face hub: it alone, with tables in it.
pub(super) fn data<'a>(children: &'a [PathBuf], layout: &Layout) -> Option<&'a Path> {
    let mut folders = children.iter().filter(|c| c.is_dir());
    let data = folders.next().filter(|c| c.file_name() == Some(OsStr::new("data")))?;
    let tables = self::children(data).ok()?.iter().any(|c| manifest::is_table(c, layout));
    (folders.next().is_none() && tables).then_some(data)
}

/// Whether a folder holds samples and neither folders nor tables.
fn holds_samples_alone(folder: &Path, layout: &Layout) -> bool {
    let children = children(folder).unwrap_or_default();
    children.iter().any(|c| layout.is_sample(c))
        && !children.iter().any(|c| c.is_dir() || manifest::is_table(c, layout))
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
fn one_split(root: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let layout = all.layout;
    if let Some(pattern) = &layout.label_pattern {
        return by_pattern(root, all, pattern);
    }
    let children = children(root)?;
    let tables: Vec<_> = children.iter().filter(|c| manifest::is_table(c, layout)).collect();
    if tables.is_empty() || children.iter().any(|c| c.is_dir()) {
        return by_class(root, all);
    }
    // Parts of one table, each with its own header.
    tables.into_iter().try_for_each(|table| manifest::gather(table, all))
}

fn by_class(root: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let layout = all.layout;
    let data = |path: &Path, problem: String| Error::Data { path: path.to_path_buf(), problem };
    let classes: Vec<PathBuf> = children(root)?.into_iter().filter(|c| c.is_dir()).collect();
    if layout.task == Task::Tagging {
        let problem = "holds no CoNLL files and no tables with lists of words and of their labels";
        return Err(data(root, problem.into()));
    }
    if classes.is_empty() {
        let files = self::children(root)?;
        if let Some((file, problem)) =
            files.iter().find_map(|file| Some((file, webdataset::compressed(file)?)))
        {
            return Err(data(file, problem));
        }
        return Err(data(
            root,
            format!(
                "holds no folders and no tables; make one folder per class, or give \
                 --label-pattern to find the labels in the names of the {}",
                layout.samples
            ),
        ));
    }
    for class in classes {
        let named = match name(&class) {
            Ok(name) => name,
            Err(problem) => {
                all.refuse(at(&class), problem);
                continue;
            }
        };
        let label = RawTarget::of(named, layout);
        let bad = all.bad.len();
        let files = files(&class, all);
        if files.is_empty() && all.bad.len() == bad {
            let (samples, endings) = (layout.samples, layout.endings());
            let inside = self::children(&class)?;
            let what = match inside.iter().find(|c| manifest::is_table(c, layout)) {
                Some(table) => format!("it holds a table; give that as --data {}", table.display()),
                None => "fill it or remove it".into(),
            };
            let problem = format!("this class folder holds no {samples} ({endings}); {what}");
            return Err(data(&class, problem));
        }
        files.iter().for_each(|path| all.add(file(path, label.clone(), None)));
    }
    Ok(())
}

fn by_pattern(root: &Path, all: &mut Gathering<'_>, pattern: &Regex) -> Result<()> {
    let layout = all.layout;
    let data = |problem: String| Error::Data { path: root.to_path_buf(), problem };
    let files = files(root, all);
    if files.is_empty() && all.bad.is_empty() {
        return Err(data(format!("holds no {} ({})", layout.samples, layout.endings())));
    }
    let mut unmatched = vec![];
    for path in &files {
        let name = match name(path) {
            Ok(name) => name,
            Err(problem) => {
                all.refuse(at(path), problem);
                continue;
            }
        };
        let label = pattern.captures(name).and_then(|c| c.name("label").or_else(|| c.get(1)));
        let Some(label) = label.map(|m| RawTarget::of(m.as_str(), layout)) else {
            unmatched.push(path);
            continue;
        };
        let split = layout.test_pattern.as_ref().map(|test| match test.is_match(name) {
            true => Split::Test,
            false => Split::Train,
        });
        all.add(file(path, label, split));
    }
    if layout.skip_bad {
        let problem = format!("the name has no label by --label-pattern '{pattern}'");
        unmatched.iter().for_each(|path| all.refuse(at(path), &*problem));
    } else if let Some(first) = unmatched.first().and_then(|path| path.file_name()) {
        return Err(data(format!(
            "{} file names have no label by --label-pattern '{pattern}', {first:?} among them; \
             widen the pattern or move them away, or let --skip-bad leave them out",
            unmatched.len()
        )));
    }
    Ok(())
}

/// A file, or a folder, as a place.
pub(super) fn at(path: &Path) -> Location {
    Location { path: path.into(), line: None }
}

fn file(path: &Path, label: RawTarget, split: Option<Split>) -> Found {
    let input = Input::File(path.to_path_buf());
    Found { input, place: at(path), label, split, group: None }
}

/// The entries of a folder that are not hidden, in alphabetical order.
pub(super) fn children(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// All samples below a folder, at any depth, in alphabetical order. Links that lead nowhere cannot
/// be used.
pub(super) fn files(folder: &Path, all: &mut Gathering<'_>) -> Vec<PathBuf> {
    let visible = |e: &walkdir::DirEntry| e.depth() == 0 || !is_hidden(e.file_name());
    let mut found = vec![];
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(visible) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && all.layout.is_sample(entry.path()) => {
                found.push(entry.into_path());
            }
            Ok(_) => {}
            // Whatever it was, it was no sample.
            Err(e) if is_dangling(&e) && !e.path().is_some_and(|p| all.layout.is_sample(p)) => {}
            Err(e) => {
                let problem = match (e.loop_ancestor(), e.io_error()) {
                    (Some(to), _) => format!("a link that leads back to {}", to.display()),
                    (_, Some(io)) => format!("cannot be read ({io})"),
                    _ => e.to_string(),
                };
                all.refuse(at(e.path().unwrap_or(folder)), problem);
            }
        }
    }
    found
}

fn is_dangling(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|io| io.kind() == io::ErrorKind::NotFound)
}

/// A file's or folder's name, which labels and patterns need as text.
fn name(path: &Path) -> Result<&str, &'static str> {
    path.file_name().and_then(|n| n.to_str()).ok_or("the name is not UTF-8; rename it")
}

/// For messages: the extensions of visible files that are neither samples nor tables that were
/// read, and how many there are of each.
pub(super) fn ignored(
    root: &Path,
    layout: &Layout,
    tables: &BTreeSet<PathBuf>,
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
