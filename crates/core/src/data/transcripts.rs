//! Folders of samples with the texts that are spoken or written in them: in tables, in LibriSpeech's
//! lists, or each in a file beside its sample.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

use super::encoding;
use super::folder::{self, at};
use super::found::{Found, RawTarget};
use super::gathering::Gathering;
use super::item::{Input, Split};
use super::layout::{InputKind, Layout};
use super::manifest;
use super::split_names::{SplitName, splits};
use super::system::is_hidden;
use super::table::Lines;
use crate::error::{Error, Location, Result};
use crate::files;

/// What the names of LibriSpeech's lists end in: a line is an ID and a text.
const LIST: &str = ".trans.txt";

/// The endings of files with the text of one sample, those that are preferred first.
const ENDINGS: &[&str] = &["normalized.txt", "txt", "lab"];

/// What files that speak of a data set are called, in lower case without their endings.
const ABOUT: &[&str] = &[
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "changelog",
    "citation",
    "speakers",
    "chapters",
    "books",
    "reader_info",
    "speaker-info",
    "requirements",
];

/// Everything that a folder holds. Tables that name their files win over the folders that those are in.
pub(super) fn gather(root: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let layout = all.layout;
    if layout.label_pattern.is_some() {
        return folder::gather(root, all);
    }
    let children = folder::children(root)?;
    let tables = tables(&children, layout);
    let stem = |table: &PathBuf| table.file_stem().and_then(OsStr::to_str).map(str::to_string);
    let stems: Vec<_> = tables.iter().map(stem).collect();
    let named = || stems.iter().map(Option::as_deref).zip(tables.iter().cloned());
    // What has nothing to train on may be evaluated.
    let certain = named().filter_map(|(stem, table)| Some((Split::of_stem(stem?)?, table)));
    let parts = splits(named().collect()).unwrap_or_else(|| certain.collect());
    if !parts.is_empty() {
        return each(parts, all, manifest::gather);
    }
    if let Some(data) = folder::data(&children, layout) {
        return gather(data, all);
    }
    let parts: Vec<_> = children.iter().filter_map(|c| Some((split_of(c)?, c.clone()))).collect();
    if parts.iter().any(|(_, part)| holds_texts(part, layout)) {
        return each(parts, all, one_split);
    }
    match &children[..] {
        // An archive that was unpacked into a folder of its own.
        [only] if only.is_dir() => gather(only, all),
        _ => one_split(root, all),
    }
}

fn each(
    parts: Vec<(Split, PathBuf)>,
    all: &mut Gathering<'_>,
    read: fn(&Path, &mut Gathering<'_>) -> Result<()>,
) -> Result<()> {
    for (split, part) in parts {
        all.part = Some(split);
        read(&part, all)?;
    }
    all.part = None;
    Ok(())
}

/// The split that a folder is named after: there are no classes here that could have such a name.
fn split_of(folder: &Path) -> Option<Split> {
    let name = folder.file_name().and_then(OsStr::to_str).filter(|_| folder.is_dir())?;
    SplitName::read(name).map(|name| name.split)
}

fn tables(children: &[PathBuf], layout: &Layout) -> Vec<PathBuf> {
    children.iter().filter(|c| manifest::is_table(c, layout)).cloned().collect()
}

/// Whether a folder holds tables, or texts of its samples.
fn holds_texts(root: &Path, layout: &Layout) -> bool {
    let children = folder::children(root).unwrap_or_default();
    !tables(&children, layout).is_empty()
        || folder::data(&children, layout).is_some()
        || layout.inputs == InputKind::Files
            && below(root).any(|path| {
                is_list(&path) || (layout.is_sample(&path) && text_beside(&path).is_some())
            })
}

/// The samples of a folder that has no splits below it, unless a table tells them.
fn one_split(root: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let children = folder::children(root)?;
    let tables = tables(&children, all.layout);
    if let (true, Some(data)) = (tables.is_empty(), folder::data(&children, all.layout)) {
        return one_split(data, all);
    }
    if tables.is_empty() {
        return beside(root, all);
    }
    let from = all.found.len();
    tables.iter().try_for_each(|table| manifest::gather(table, all))?;
    // `metadata.csv` above the folders of splits.
    for found in all.found[from..].iter_mut().filter(|found| found.split.is_none()) {
        let Input::File(path) = &found.input else { continue };
        let first = path.strip_prefix(root).ok().and_then(|path| path.iter().next());
        found.split = first.and_then(|name| split_of(&root.join(name)));
    }
    Ok(())
}

/// The samples below a folder that have their texts beside them.
fn beside(root: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let layout = all.layout;
    let lists: Vec<PathBuf> = match layout.inputs {
        InputKind::Files => below(root).filter(|path| is_list(path)).collect(),
        InputKind::Texts => vec![],
    };
    let samples = match layout.inputs {
        InputKind::Files => folder::files(root, all),
        InputKind::Texts => vec![],
    };
    if !lists.is_empty() {
        return listed(&lists, &samples, all);
    }
    let mut texts = BTreeMap::<PathBuf, PathBuf>::new();
    for path in below(root) {
        let Some((stem, _)) = text_of(&path).filter(|_| !layout.is_sample(&path)) else { continue };
        let preferred = texts.get(&stem).and_then(|other| text_of(other)).map(|(_, rank)| rank);
        if preferred.is_none_or(|other| text_of(&path).is_some_and(|(_, rank)| rank < other)) {
            texts.insert(stem, path);
        }
    }
    if !samples.iter().any(|sample| texts.contains_key(&sample.with_extension(""))) {
        let (samples, endings) = (layout.samples, layout.endings());
        let problem = match layout.inputs {
            InputKind::Texts => "holds no tables".to_string(),
            InputKind::Files => format!(
                "holds no texts of {samples} ({endings}): no table, no *{LIST}, no .txt beside one; \
                 --label-pattern finds texts in file names"
            ),
        };
        return Err(Error::Data { path: root.to_path_buf(), problem });
    }
    let mut folders = BTreeSet::new();
    for sample in &samples {
        let Some(text) = texts.remove(&sample.with_extension("")) else {
            let problem = match sample.file_stem().and_then(OsStr::to_str) {
                Some(stem) => format!("has no text beside it (expected {stem}.txt)"),
                None => "has no text beside it".into(),
            };
            all.refuse(at(sample), problem);
            continue;
        };
        folders.insert(text.parent().map(Path::to_path_buf));
        match read(&text, layout.longest_line) {
            Ok(label) => all.add(found(sample, at(sample), label)),
            Err(problem) => all.refuse(at(&text), problem),
        }
        all.tables.insert(text);
    }
    let is_about = |path: &Path| {
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
        // LibriTTS has the texts as they were printed, too.
        ABOUT.contains(&stem.as_str()) || stem.ends_with(".original")
    };
    for (_, text) in texts {
        if folders.contains(&text.parent().map(Path::to_path_buf)) && !is_about(&text) {
            all.refuse(at(&text), "has no file beside it that it is the text of");
        }
    }
    Ok(())
}

/// The samples that LibriSpeech's lists name: each line has the name of a file beside the list,
/// without its ending, and its text.
fn listed(lists: &[PathBuf], samples: &[PathBuf], all: &mut Gathering<'_>) -> Result<()> {
    // Each with whether a list has named it.
    let mut known: BTreeMap<PathBuf, (&Path, bool)> =
        samples.iter().map(|path| (path.with_extension(""), (path.as_path(), false))).collect();
    for list in lists {
        let file = files::open(list)?;
        let mut lines = Lines::new(BufReader::new(file), all.layout.longest_line);
        let folder = list.parent().unwrap_or(Path::new("."));
        let shared: Arc<Path> = list.as_path().into();
        loop {
            let malformed = |problem| Error::Malformed { path: list.clone(), problem };
            let line = match lines.next().map_err(|fault| malformed(fault.problem))? {
                None => break,
                Some(line) if line.text.trim().is_empty() && line.fault.is_none() => continue,
                Some(line) => match line.fault {
                    None => Ok(line.text.trim().to_string()),
                    Some(fault) => Err(fault.problem),
                },
            };
            let place = Location { path: shared.clone(), line: Some(lines.number) };
            let line = match line {
                Ok(line) => line,
                Err(problem) => {
                    all.refuse(place, problem);
                    continue;
                }
            };
            let (name, text) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
            let label = match text.trim() {
                "" => RawTarget::Missing(format!("the line has no text behind {name}")),
                text => RawTarget::Text(text.into()),
            };
            match known.get_mut(&folder.join(name)) {
                Some((_, named @ false)) => *named = true,
                Some((_, true)) => {
                    all.refuse(place, format!("names {name} a second time"));
                    continue;
                }
                None => {
                    let endings = all.layout.endings();
                    let problem = format!(
                        "names a file that is not there: {name} ({endings}) beside the list"
                    );
                    all.refuse(place, problem);
                    continue;
                }
            }
            let sample = known[&folder.join(name)].0;
            all.add(found(sample, place, label));
        }
        all.tables.insert(list.clone());
    }
    for (sample, _) in known.into_values().filter(|(_, named)| !named) {
        all.refuse(at(sample), format!("is in no list of texts (*{LIST}) beside it"));
    }
    Ok(())
}

fn found(sample: &Path, place: Location, label: RawTarget) -> Found {
    let input = Input::File(sample.to_path_buf());
    Found { input, place, label, split: None, group: None }
}

/// The text in a file.
fn read(path: &Path, longest: usize) -> Result<RawTarget, String> {
    let contents = files::read(path, longest as u64).map_err(|e| match e {
        Error::Malformed { problem, .. } => problem,
        other => other.to_string(),
    })?;
    let text = encoding::decode(&contents).map_err(|e| e.to_string())?;
    Ok(match text.trim() {
        "" => return Err("has no text in it".into()),
        text => RawTarget::Text(text.into()),
    })
}

fn is_list(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.to_ascii_lowercase().ends_with(LIST)
}

/// The text beside a sample, if there is one by an ending as it is usually written.
fn text_beside(sample: &Path) -> Option<PathBuf> {
    let mut texts = ENDINGS.iter().map(|ending| sample.with_extension(ending));
    texts.find(|text| text.is_file())
}

/// What the file of a text is called without its ending, and the place of that among those that are
/// preferred.
fn text_of(path: &Path) -> Option<(PathBuf, usize)> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    let lower = name.to_ascii_lowercase();
    let one = |(rank, ending): (usize, &&str)| {
        let stem = lower.strip_suffix(ending)?.strip_suffix('.').filter(|stem| !stem.is_empty())?;
        Some((path.with_file_name(&name[..stem.len()]), rank))
    };
    ENDINGS.iter().enumerate().find_map(one)
}

/// All files below a folder that are not hidden, in alphabetical order.
fn below(root: &Path) -> impl Iterator<Item = PathBuf> {
    let visible = |e: &walkdir::DirEntry| e.depth() == 0 || !is_hidden(e.file_name());
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    let files = walk.filter_entry(visible).flatten().filter(|e| e.file_type().is_file());
    files.map(walkdir::DirEntry::into_path)
}
