//! What should be said of a data set that was read, because it may not be what was meant.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::alike::alike;
use super::item::{Input, Item, Split};
use super::layout::Layout;
use super::manifest;
use super::split_names::SplitName;
use super::system::is_hidden;
use crate::task::Task;

/// How many names one note lists.
const LISTED: usize = 10;

/// From how many labels on, and from how many for a sample, they may not be labels at all.
const MANY_LABELS: (usize, f64) = (50, 0.5);

/// The notes on a data set read from `path`, of which these `tables` were read, a line each.
pub(super) fn notes(
    path: &Path,
    tables: &BTreeSet<PathBuf>,
    layout: &Layout,
    labels: &[String],
    items: &[(Split, &Item)],
) -> Vec<String> {
    let mut notes = vec![];
    // Symbols are what they are.
    if !matches!(layout.task, Task::Regression | Task::Transcription) {
        notes.extend(labels_alike(labels, items));
    }
    // A limit leaves few of each class.
    if layout.task == Task::SingleLabel && layout.limit_per_class.is_none() {
        notes.extend(many_labels(layout, labels, items));
    }
    if path.is_dir() {
        notes.extend(named_as_splits(path, labels, items));
        notes.extend(unread(path, tables, layout, items));
    }
    notes
}

/// Labels that may be meant to be one, with the numbers of their samples.
fn labels_alike(labels: &[String], items: &[(Split, &Item)]) -> Option<String> {
    let groups = alike(labels);
    let samples = |label: usize| items.iter().filter(|(_, item)| item.target.has(label)).count();
    let one = |group: &Vec<usize>| {
        let shown = |&at: &usize| format!("{:?} ({})", labels[at], samples(at));
        group.iter().map(shown).collect::<Vec<_>>().join(" and ")
    };
    (!groups.is_empty()).then(|| {
        format!(
            "labels that differ only in case, spaces, Unicode form or the way a number is written: \
             {}; if they are meant to be one, write them alike or give --map-labels",
            listed(groups.iter().map(one))
        )
    })
}

/// That nearly every sample has a label of its own.
fn many_labels(layout: &Layout, labels: &[String], items: &[(Split, &Item)]) -> Option<String> {
    let train = items.iter().filter(|(split, _)| *split == Split::Train).count();
    let (least, fraction) = MANY_LABELS;
    (labels.len() > least && labels.len() as f64 > fraction * train as f64).then(|| {
        let column = match items.iter().any(|(_, item)| item.place.line.is_some()) {
            true => "; is it the right column? --label-column names another",
            false => "",
        };
        format!(
            "{} classes for {train} {}: nearly every one has a class of its own{column}",
            labels.len(),
            layout.samples
        )
    })
}

/// Classes and parts of a table whose names are like those of splits.
fn named_as_splits(root: &Path, labels: &[String], items: &[(Split, &Item)]) -> Vec<String> {
    let mut notes = vec![];
    let folder = |label: &&String| {
        SplitName::read(label).is_some()
            && items
                .iter()
                .any(|(_, item)| item.place.line.is_none() && is_below(&item.place.path, label))
    };
    let classes: Vec<_> = labels.iter().filter(folder).map(|label| format!("{label:?}")).collect();
    if !classes.is_empty() {
        notes.push(format!(
            "folders that are named like splits are taken as classes: {}; splits are recognised by \
             names such as train, validation and test, one of them for training",
            listed(classes.into_iter())
        ));
    }
    // Where tables are splits, each name is certain or like the others.
    let tables: BTreeMap<&Path, BTreeSet<Split>> = items
        .iter()
        .filter(|(_, item)| item.place.line.is_some())
        .fold(BTreeMap::new(), |mut tables, (split, item)| {
            tables.entry(&*item.place.path).or_default().insert(*split);
            tables
        });
    let stem = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).map(str::to_string);
    let odd = |(path, splits): (&&Path, &BTreeSet<Split>)| {
        let named = SplitName::read(&stem(path)?)?.split;
        (splits.len() == 1 && !splits.contains(&named)).then(|| shown(root, path))
    };
    let odd: Vec<_> = tables.iter().filter_map(odd).collect();
    if !odd.is_empty() {
        notes.push(format!(
            "tables that are named like splits are read as parts of one: {}; splits are recognised \
             by names such as train, validation and test, one of them for training",
            listed(odd.into_iter())
        ));
    }
    notes
}

/// Whether a folder of this name is on the way to a file.
fn is_below(file: &Path, name: &str) -> bool {
    file.parent().is_some_and(|folder| folder.iter().any(|part| part == name))
}

/// Tables and whole folders of samples that nobody read.
fn unread(
    root: &Path,
    tables: &BTreeSet<PathBuf>,
    layout: &Layout,
    items: &[(Split, &Item)],
) -> Option<String> {
    let mut read: HashSet<PathBuf> = tables.iter().map(|table| plain(table)).collect();
    // What lies in a shard is in one of the tables.
    for (_, item) in items.iter().filter(|(_, item)| !matches!(item.input, Input::Stored(_))) {
        read.insert(plain(&item.place.path));
        if let Input::File(path) = &item.input {
            read.insert(plain(path));
        }
    }
    let used: HashSet<&Path> = read.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    // Of each folder, how many samples lie directly in it, and whether one of them was read.
    let mut folders = BTreeMap::<PathBuf, (usize, bool)>::new();
    let mut names = vec![];
    let visible = |e: &walkdir::DirEntry| e.depth() == 0 || !is_hidden(e.file_name());
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(visible).flatten().filter(|e| e.file_type().is_file()) {
        let path = plain(entry.path());
        if manifest::is_table(&path, layout) {
            if !read.contains(&path) {
                names.push(format!("the table {}", shown(root, &path)));
            }
        } else if layout.limit_per_class.is_none()
            && layout.is_sample(&path)
            && let Some(folder) = path.parent()
        {
            let (samples, is_read) = folders.entry(folder.to_path_buf()).or_default();
            *samples += 1;
            *is_read |= read.contains(&path);
        }
    }
    let mut whole = BTreeMap::<PathBuf, usize>::new();
    for (folder, (samples, _)) in folders.iter().filter(|(_, (_, is_read))| !is_read) {
        let inside = folder.ancestors().take_while(|above| above.starts_with(plain(root)));
        let top = inside.take_while(|above| !used.contains(above)).last().unwrap_or(folder);
        *whole.entry(top.to_path_buf()).or_default() += samples;
    }
    names.extend(whole.iter().map(|(folder, samples)| {
        let like = folder.file_name().and_then(|name| SplitName::read(name.to_str()?));
        let like = like.map_or(String::new(), |name| format!(", which may be for {}", name.split));
        let place = match used.contains(folder.as_path()) {
            true => format!("directly in {}", shown(root, folder)),
            false => format!("in the folder {}", shown(root, folder)),
        };
        format!("{samples} {} {place}{like}", layout.samples)
    }));
    (!names.is_empty()).then(|| format!("not read: {}", listed(names.into_iter())))
}

/// A path as a data set's folder shows it.
fn shown(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(plain(root)).unwrap_or(path);
    match below.as_os_str().is_empty() {
        true => root.display().to_string(),
        false => below.display().to_string(),
    }
}

/// A path without the steps that lead nowhere, so that equal ones are the same.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The first of some names, and how many more there are.
pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let shown = names.take(LISTED).collect::<Vec<_>>().join("; ");
    if more == 0 { shown } else { format!("{shown}; … and {more} more") }
}
