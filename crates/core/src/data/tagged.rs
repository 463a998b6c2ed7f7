//! Sentences whose words are labelled, in CoNLL files and in folders of those.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::encoding;
use super::found::{Found, RawTarget};
use super::gathering::{Gathering, Purpose};
use super::item::{Input, Split};
use super::layout::Layout;
use super::marks;
use super::split_names::{SplitName, splits};
use super::table::{ConllLayout, Fault, Lines, START, Sentence, TableFormat, conll};
use crate::error::{Error, Location, Result};
use crate::task::{Task, tags};

/// The endings of such files.
const ENDINGS: &[&str] = &[
    "conll",
    "conllu",
    "conllx",
    "conll2003",
    "bio",
    "bio2",
    "iob",
    "iob1",
    "iob2",
    "ioe",
    "ioe2",
    "iobes",
    "bioes",
    "bilou",
    "bmes",
];

/// Whether a file of words with labels is expected, and this is one by its name.
pub(super) fn is_named(path: &Path, layout: &Layout) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let known = ENDINGS.iter().any(|known| ending == *known);
    layout.task == Task::Tagging
        && match layout.format {
            Some(format) => format == TableFormat::Conll && (known || ending == "txt"),
            None => known,
        }
}

/// Whether a file that a person named is to be read as one: by its ending, by what it holds, or, where
/// labels are needed, because it is no table.
pub(super) fn is_conll(path: &Path, layout: &Layout, purpose: Purpose) -> Result<bool> {
    if layout.task != Task::Tagging || !path.is_file() {
        return Ok(false);
    }
    if let Some(format) = layout.format {
        return Ok(format == TableFormat::Conll);
    }
    let start = start(path)?;
    let text = encoding::decode(&start).unwrap_or_default();
    let table = TableFormat::of(path, &start);
    Ok(match table {
        Some(TableFormat::Parquet | TableFormat::JsonLines) => false,
        _ if is_named(path, layout) || conll::looks_like(text, tags::is_placed) => true,
        // A header of names has commas; sentences have blank lines between them.
        Some(_) if TableFormat::of_ending(path).is_some() => false,
        Some(TableFormat::Csv) => false,
        _ => purpose == Purpose::Labelled,
    })
}

/// Whole lines at the beginning of a file.
fn start(path: &Path) -> Result<Vec<u8>> {
    let mut start = vec![];
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    file.take(START as u64).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    if start.len() == START {
        let end = start.iter().rposition(|&byte| byte == b'\n').map_or(start.len(), |at| at + 1);
        start.truncate(end);
    }
    Ok(start)
}

/// Everything that a folder with such files holds; `false`: there are none.
pub(super) fn gather_folder(children: &[PathBuf], all: &mut Gathering<'_>) -> Result<bool> {
    let layout = all.layout;
    if layout.task != Task::Tagging || layout.format.is_some_and(|f| f != TableFormat::Conll) {
        return Ok(false);
    }
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(split_name);
    let split = |path: &Path| SplitName::read(&name(path)?).map(|name| name.split);
    let mut files = vec![];
    for path in children.iter().filter(|path| path.is_file()) {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        let prose = ["md", "rst", "html", "json", "yaml", "yml", "py"].iter().any(|e| ending == *e);
        // What is called as a split is one; of other files, only what is certain.
        let purpose = match split(path) {
            Some(_) => all.purpose,
            None => Purpose::Unlabelled,
        };
        if !prose && is_conll(path, layout, purpose)? {
            files.push(path.clone());
        }
    }
    if files.is_empty() {
        return Ok(false);
    }
    let names: Vec<Option<String>> = files.iter().map(|path| name(path)).collect();
    let named = names.iter().map(Option::as_deref).zip(files.iter().cloned()).collect();
    let certain = splits::<PathBuf>(named);
    let loose: Vec<_> =
        files.iter().filter_map(|path| Some((split(path)?, path.clone()))).collect();
    let training = loose.iter().filter(|(split, _)| *split == Split::Train).count();
    let parts = match (certain, training) {
        // Names may differ in more than the split: `emerging.dev.conll`, `wnut17train.conll`.
        (_, 1) => loose,
        (Some(parts), _) => parts,
        (None, _) => {
            // Parts of one set.
            files.iter().try_for_each(|path| gather(path, all))?;
            return Ok(true);
        }
    };
    for (split, part) in parts {
        all.part = Some(split);
        gather(&part, all)?;
    }
    all.part = None;
    Ok(true)
}

/// A file's name as those of splits are: CoNLL 2003 has `testa` to choose by and `testb`.
fn split_name(name: &str) -> String {
    let name = name.to_lowercase();
    name.replace("testa", "valid").replace("testb", "test")
}

/// Everything that such a file holds.
pub(super) fn gather(path: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let layout = all.layout;
    let shared: Arc<Path> = path.into();
    let place = |line| Location { path: shared.clone(), line };
    let labelled = all.purpose == Purpose::Labelled;
    let asked = ConllLayout {
        word: column(&layout.input_column, "--input-column", path)?,
        label: column(&layout.label_column, "--label-column", path)?,
        labelled,
        is_label: tags::is_placed,
    };
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    let mut lines = Lines::new(BufReader::new(file), layout.longest_line);
    let (mut sentences, mut bad) = (vec![], 0u64);
    let mut each = |read: Result<Sentence, Fault>| match read {
        Ok(sentence) => sentences.push(sentence),
        Err(Fault { line, problem }) => {
            bad += 1;
            all.refuse(place(line), problem);
        }
    };
    let columns = conll::read(&mut lines, asked, &mut each);
    let columns = columns.map_err(|Fault { line, problem }| Error::Data {
        path: place(line).to_string().into(),
        problem,
    })?;
    if sentences.is_empty() && bad == 0 {
        let problem = "there is no sentence in it: no line has a word".into();
        return Err(Error::Data { path: path.to_path_buf(), problem });
    }
    let mut words: Vec<&mut Vec<String>> = sentences.iter_mut().map(|s| &mut s.words).collect();
    let mut notes: Vec<String> = marks::strip(&mut words).into_iter().collect();
    if let Some(columns) = columns.filter(|columns| columns.numbered) {
        let what = if columns.is_universal() { "CoNLL-U" } else { "its first column counts words" };
        let label = match labelled {
            true => format!(", labels of column {}", columns.label + 1),
            false => String::new(),
        };
        notes.push(format!("{what}: words of column {}{label}", columns.word + 1));
    }
    for note in notes {
        // The splits of a data set are written alike.
        if !all.notes.contains(&note) {
            all.notes.push(note);
        }
    }
    for Sentence { line, words, labels } in sentences {
        let label = match labelled {
            true => RawTarget::Tags(labels),
            false => RawTarget::Missing(String::new()),
        };
        let (input, place) = (Input::Words(words), place(Some(line)));
        all.add(Found { input, place, label, split: None, group: None });
    }
    all.tables.insert(path.to_path_buf());
    Ok(())
}

/// A column that a person gave, counted from 0.
fn column(given: &Option<String>, option: &'static str, path: &Path) -> Result<Option<usize>> {
    let Some(given) = given else { return Ok(None) };
    match given.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
        Some(at) => Ok(Some(at)),
        None => {
            let path = path.display();
            let problem =
                format!("{given:?}: the columns of {path} have no names; give a number from 1");
            Err(Error::setting(option, problem))
        }
    }
}
