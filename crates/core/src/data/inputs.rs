//! What a model is asked about: the same notion of an input as that of a data set, without targets.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::mem;
use std::path::Path;
use std::sync::Arc;

use super::folder;
use super::found::{Found, RawTarget};
use super::gathering::{Gathering, Purpose};
use super::item::{Input, Item};
use super::layout::{InputKind, Layout};
use super::manifest;
use super::shard_names;
use super::table::Lines;
use super::tagged;
use super::unusable::Unusable;
use super::webdataset;
use crate::error::{Error, Location, Result};
use crate::task::Target;

/// Items that were read, and what there is to say about it.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// The items, in order.
    pub items: Vec<Item>,
    /// What is named and cannot be had; empty unless [`Layout::skip_bad`] leaves it out.
    pub bad: Vec<Unusable>,
    /// What should be said of how it was read, a line each.
    pub notes: Vec<String>,
    /// Files of a folder that are not inputs: their extensions, and how many there are of each.
    pub ignored: Vec<(String, usize)>,
}

/// Reads the inputs that a file or folder stands for, with unknown targets:
///
/// - a table, as [`Dataset::open`](super::Dataset::open) reads it, with or without labels: an input
///   for each row;
/// - a tar file in WebDataset's layout, or several of these or of tables, named with braces or stars;
/// - a folder: its tables, or else all samples below it;
/// - a text, where inputs are texts: each line that is not blank, or with [`Layout::pairs`] the two
///   sentences in it that a tab separates;
/// - any other file: itself.
///
/// What a file is, its contents tell first, and its name second.
///
/// # Errors
/// If there is nothing there, a table cannot be read, or an input cannot be used.
pub fn inputs(path: &Path, layout: &Layout) -> Result<Gathered> {
    let mut all = Gathering::new(layout, Purpose::Unlabelled);
    let shards = shard_names::expand(path)?;
    if !path.exists() && shards.is_none() {
        let problem = "no such file or folder".into();
        return Err(Error::Path { path: path.to_path_buf(), problem });
    }
    if let Some(shards) = shards {
        folder::gather_files(&shards, &mut all)?;
    } else if path.is_dir() {
        folder::inputs(path, &mut all)?;
        all.refuse_missing_shards();
    } else if layout.format.is_none() && webdataset::is_tar(path) {
        webdataset::gather(path, &mut all)?;
    } else if let Some(problem) = webdataset::compressed(path) {
        return Err(Error::Path { path: path.to_path_buf(), problem });
    } else if tagged::is_conll(path, layout, Purpose::Unlabelled)? {
        tagged::gather(path, &mut all)?;
    } else if manifest::format(path, layout)?.is_some() {
        manifest::gather(path, &mut all)?;
    } else if layout.inputs == InputKind::Texts {
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        lines(BufReader::new(file), path, &mut all, usize::MAX)?;
    } else {
        let input = Input::File(path.to_path_buf());
        let place = Location { path: path.into(), line: None };
        all.add(asked(input, place));
    }
    let ignored = match path.is_dir() {
        true => folder::ignored(path, layout, &all.tables).into_iter().collect(),
        false => vec![],
    };
    let bad = all.bad(path)?;
    let notes = mem::take(&mut all.notes);
    Ok(Gathered { items: unlabelled(all), bad, notes, ignored })
}

/// The texts in the contents of a file, which is called `name`: each line that is not blank, or with
/// [`Layout::pairs`] the two sentences in it, as [`inputs`] reads a text. If there are more than `most`,
/// one more than that: what is behind it is not read.
///
/// # Errors
/// If it is no text, all its lines are blank, or one cannot be used.
pub fn text_lines(name: &Path, contents: &[u8], layout: &Layout, most: usize) -> Result<Gathered> {
    let mut all = Gathering::new(layout, Purpose::Unlabelled);
    lines(contents, name, &mut all, most)?;
    let bad = all.bad(name)?;
    let notes = mem::take(&mut all.notes);
    Ok(Gathered { items: unlabelled(all), bad, notes, ignored: vec![] })
}

fn unlabelled(all: Gathering<'_>) -> Vec<Item> {
    let item =
        |Found { input, place, group, .. }| Item { input, place, target: Target::Unknown, group };
    all.found.into_iter().map(item).collect()
}

fn asked(input: Input, place: Location) -> Found {
    Found { input, place, label: RawTarget::Missing(String::new()), split: None, group: None }
}

/// The lines of a text that are not blank, until there are more than `most`.
fn lines(text: impl BufRead, path: &Path, all: &mut Gathering<'_>, most: usize) -> Result<()> {
    let shared: Arc<Path> = path.into();
    let malformed = |problem: String| Error::Malformed { path: path.to_path_buf(), problem };
    let mut lines = Lines::new(text, all.layout.longest_line);
    let mut found = 0_usize;
    while found <= most {
        let (input, fault) = match lines.next().map_err(|e| malformed(e.problem))? {
            None => break,
            Some(line) if line.text.trim().is_empty() && line.fault.is_none() => continue,
            Some(line) => (input(line.text, all.layout.pairs), line.fault),
        };
        found += 1;
        let place = Location { path: shared.clone(), line: Some(lines.number) };
        match fault.map_or(input, |fault| Err(fault.problem)) {
            Ok(input) => all.add(asked(input, place)),
            Err(problem) => all.refuse(place, problem),
        }
    }
    match found {
        0 => Err(malformed("there is no sentence in it: all lines are empty".into())),
        _ => Ok(()),
    }
}

/// The sentence in a line, or both.
fn input(line: &str, pairs: bool) -> Result<Input, String> {
    if !pairs {
        return Ok(Input::Text(line.to_string()));
    }
    match line.split('\t').map(str::trim).collect::<Vec<_>>()[..] {
        [first, second] if !first.is_empty() && !second.is_empty() => {
            Ok(Input::Pair([first.into(), second.into()]))
        }
        _ => {
            Err("the model was trained on pairs: write two sentences in a line, with a tab between"
                .into())
        }
    }
}
