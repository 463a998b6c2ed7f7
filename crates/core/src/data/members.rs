//! A sample of a tar file: which of its members, or of the fields in them, are its input and its target.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use super::archive::Member;
use super::cells::{self, Cells};
use super::columns::Columns;
use super::encoding;
use super::found::{Found, RawTarget};
use super::gathering::Purpose;
use super::item::{Input, Split};
use super::layout::{InputKind, Layout};
use super::names::{
    LABEL_NAMES, LABELS_NAMES, PAIR_NAMES, SPLIT_NAME, TAGS_NAMES, TEXT_NAMES, TRANSCRIPT_NAMES,
    VALUE_NAMES, WORDS_NAMES, WRITTEN_NAMES,
};
use super::stored::{LONGEST, Shard, Stored};
use super::table::Cell;
use crate::error::{Error, Location, Result};
use crate::task::Task;

/// WebDataset's ending of a class.
const CLASS: &str = "cls";

/// The ending of fields.
const FIELDS: &str = "json";

/// Which endings of members, or fields of a `.json`, have what is wanted, those first that win.
pub(super) struct Wanted {
    input: Option<String>,
    pair: Vec<String>,
    /// Of each label or value.
    labels: Vec<Vec<String>>,
    group: Option<String>,
    /// Whether inputs that are texts are read with their targets.
    read_texts: bool,
}

impl Wanted {
    pub(super) fn of(layout: &Layout, purpose: Purpose) -> Result<Self> {
        let all = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let labels = match (layout.task, &layout.text_column, &layout.label_column) {
            _ if purpose == Purpose::Unlabelled => vec![],
            // It is in the name of the file.
            _ if layout.label_pattern.is_some() => vec![vec![]],
            (Task::Transcription, Some(column), _) => vec![vec![column.clone()]],
            (Task::MultiLabel | Task::Regression, _, Some(columns)) => {
                columns.split(',').map(|column| vec![column.trim().to_string()]).collect()
            }
            (_, _, Some(column)) => vec![vec![column.clone()]],
            (Task::SingleLabel, ..) => vec![[&[CLASS][..], LABEL_NAMES].concat()].map_all(all),
            (Task::MultiLabel, ..) => vec![[LABELS_NAMES, &[CLASS]].concat()].map_all(all),
            (Task::Regression, ..) => vec![[VALUE_NAMES, &[CLASS]].concat()].map_all(all),
            (Task::Transcription, ..) if layout.inputs == InputKind::Texts => {
                vec![all(WRITTEN_NAMES)]
            }
            (Task::Transcription, ..) => {
                vec![[&["txt"][..], TRANSCRIPT_NAMES].concat()].map_all(all)
            }
            (Task::Tagging, ..) => vec![all(TAGS_NAMES)],
        };
        let pair = match &layout.pair_column {
            Some(column) => vec![column.clone()],
            None if layout.pairs && purpose == Purpose::Unlabelled => all(PAIR_NAMES),
            None => vec![],
        };
        if !pair.is_empty() && layout.inputs == InputKind::Files {
            let problem = format!("{} have no pairs", layout.samples);
            return Err(Error::setting("--pair-column", problem));
        }
        let read_texts = !pair.is_empty() || layout.task == Task::Tagging;
        let (input, group) = (layout.input_column.clone(), layout.group_column.clone());
        Ok(Self { input, pair, labels, group, read_texts })
    }

    /// Whether a member with this ending is read with its header.
    fn reads(&self, ending: &str, layout: &Layout) -> bool {
        let mut names = self.labels.iter().flatten().chain(&self.pair).chain(&self.group);
        ending == FIELDS
            || names.any(|name| name.eq_ignore_ascii_case(ending))
            || (self.read_texts && self.is_input(ending, layout))
    }

    fn is_input(&self, ending: &str, layout: &Layout) -> bool {
        match &self.input {
            Some(input) => input.eq_ignore_ascii_case(ending),
            None if layout.inputs == InputKind::Texts => ending == "txt",
            None => layout.extensions.contains(&ending),
        }
    }
}

/// Names of several columns, each as texts.
trait MapAll {
    fn map_all(self, f: impl Fn(&[&str]) -> Vec<String>) -> Vec<Vec<String>>;
}

impl MapAll for Vec<Vec<&str>> {
    fn map_all(self, f: impl Fn(&[&str]) -> Vec<String>) -> Vec<Vec<String>> {
        self.iter().map(|names| f(names)).collect()
    }
}

/// A sample as far as it was read.
pub(super) struct Sample {
    pub(super) key: String,
    /// The member that stands for it in messages.
    name: Option<String>,
    inputs: Vec<(String, u64, u64)>,
    /// By endings and by the names of fields.
    cells: BTreeMap<String, Cell>,
    endings: BTreeSet<String>,
    problem: Option<String>,
}

impl Sample {
    pub(super) fn new(key: &str) -> Self {
        let (cells, endings) = (BTreeMap::new(), BTreeSet::new());
        Self { key: key.into(), name: None, inputs: vec![], cells, endings, problem: None }
    }

    pub(super) fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.key)
    }

    pub(super) fn take(
        &mut self,
        name: &str,
        ending: String,
        member: &Member,
        contents: &mut dyn Read,
        wanted: &Wanted,
        layout: &Layout,
    ) {
        let is_input = wanted.is_input(&ending, layout);
        let reads = wanted.reads(&ending, layout);
        if is_input {
            self.name = Some(name.into());
        }
        if !self.endings.insert(ending.clone()) {
            self.problem.get_or_insert(format!("there are two members {name}"));
        }
        if !is_input && !reads {
            return;
        }
        if let Some(problem) = member.problem {
            self.problem.get_or_insert(format!("{name} {problem}"));
            return;
        }
        if reads {
            match said(contents, member.length, &ending, layout.longest_line) {
                Ok(cells) => {
                    for (name, cell) in cells {
                        self.cells.entry(name).or_insert(cell);
                    }
                }
                Err(problem) => drop(self.problem.get_or_insert(format!("{name}: {problem}"))),
            }
        } else if member.length > LONGEST {
            let (has, most) = (member.length >> 20, LONGEST >> 20);
            self.problem.get_or_insert(format!("{name} has {has} MiB: at most {most} are read"));
        } else {
            self.inputs.push((ending, member.at, member.length));
        }
    }

    /// The cell of the first of some names that the sample has.
    fn cell(&self, names: &[String]) -> Option<(&str, &Cell)> {
        names.iter().find_map(|name| {
            let has = |(key, cell): &(&String, &Cell)| {
                key.eq_ignore_ascii_case(name) && **cell != Cell::Missing
            };
            self.cells.iter().find(has).map(|(key, cell)| (key.as_str(), cell))
        })
    }

    /// The sample with its target, or what is wrong with it.
    pub(super) fn found(
        mut self,
        wanted: &Wanted,
        layout: &Layout,
        shard: &Arc<Shard>,
        place: Location,
    ) -> Result<Found, String> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        // Of the input, the second text and the labels.
        let (mut row, mut names) = (vec![Cell::Missing; 2], vec![String::new(); 2]);
        let mut labels = vec![];
        for columns in &wanted.labels {
            if let Some((name, cell)) = self.cell(columns) {
                labels.push(row.len());
                names.push(name.to_string());
                row.push(cell.clone());
            }
        }
        let stored = match &self.inputs[..] {
            [] => None,
            [(_, at, length)] => {
                let file = place.path.file_name().and_then(|name| name.to_str());
                let name = file.filter(|_| layout.group_pattern.is_some());
                Some(Input::Stored(Stored::new(shard, *at, *length, name)))
            }
            several => {
                let endings: Vec<_> = several.iter().map(|(end, ..)| format!(".{end}")).collect();
                return Err(format!(
                    "has several {} ({}); --input-column names the ending of one",
                    layout.samples,
                    endings.join(", ")
                ));
            }
        };
        let input_names = self.input_names(wanted, layout);
        if stored.is_none() {
            let Some((name, cell)) = self.cell(&input_names) else {
                return Err(self.no_input(wanted, layout));
            };
            (names[0], row[0]) = (name.to_string(), cell.clone());
        }
        if let Some((name, cell)) = self.cell(&wanted.pair) {
            (names[1], row[1]) = (name.to_string(), cell.clone());
        } else if !wanted.pair.is_empty() {
            return Err(format!("has no second text ({})", wanted.pair.join(", ")));
        }
        let columns = Columns {
            header: false,
            most: None,
            input: 0,
            pair: (!wanted.pair.is_empty()).then_some(1),
            label_names: labels.iter().map(|&at| label_name(&names[at], layout.task)).collect(),
            labels,
            split: None,
            group: None,
            unused_pair: None,
            unused_group: None,
            others: vec![],
        };
        let cells = Cells { cells: &row, names: Some(&names) };
        let input = match stored {
            Some(stored) => stored,
            None if layout.inputs == InputKind::Files => {
                return Err(self.no_input(wanted, layout));
            }
            None => cells::text(&cells, &columns, layout)?,
        };
        let label = match columns.labels.len() == wanted.labels.len() {
            true => cells::label(&cells, &columns, layout, &input)?,
            false => self.without_label(wanted, layout, &place),
        };
        let text = |name: &str| match self.cell(&[name.to_string()]) {
            Some((_, Cell::Text(text))) => Some(text.trim().to_string()),
            _ => None,
        };
        let split = match (text(SPLIT_NAME), &layout.test_pattern) {
            (Some(name), _) => Some(Split::named(&name).ok_or_else(|| {
                format!("the split is {name:?}, expected train, validation or test")
            })?),
            (None, Some(test)) => {
                let name =
                    place.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                Some(if test.is_match(name) { Split::Test } else { Split::Train })
            }
            (None, None) => None,
        };
        let group = match &wanted.group {
            None => None,
            Some(name) => Some(text(name).ok_or_else(|| format!("has no group {name}"))?),
        };
        Ok(Found { input, place, label, split, group })
    }

    /// What an input is called where it is a text.
    fn input_names(&self, wanted: &Wanted, layout: &Layout) -> Vec<String> {
        let known: Vec<&str> = match layout.task {
            Task::Tagging => WORDS_NAMES.iter().copied().chain(["txt"]).collect(),
            _ => ["txt"].into_iter().chain(TEXT_NAMES.iter().copied()).collect(),
        };
        match &wanted.input {
            Some(input) => vec![input.clone()],
            None => known.into_iter().map(str::to_string).collect(),
        }
    }

    /// The label in the name of its file, if it is to be found there.
    fn without_label(&self, wanted: &Wanted, layout: &Layout, place: &Location) -> RawTarget {
        let name = place.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let pattern = layout.label_pattern.as_ref().filter(|_| !wanted.labels.is_empty());
        let found = pattern.and_then(|pattern| pattern.captures(name));
        if let Some(label) = found.and_then(|c| c.name("label").or_else(|| c.get(1))) {
            return RawTarget::of(label.as_str(), layout);
        }
        if let Some(pattern) = pattern {
            return RawTarget::Missing(format!(
                "the name has no label by --label-pattern '{pattern}'"
            ));
        }
        let what = layout.task.answer();
        let names: Vec<String> = wanted.labels.iter().map(|names| names.join(", ")).collect();
        RawTarget::Missing(format!(
            "has no {what}: no member and no field of a .json called {}",
            names.join(" and ")
        ))
    }

    fn no_input(&self, wanted: &Wanted, layout: &Layout) -> String {
        let what = match (&wanted.input, layout.inputs) {
            (Some(input), _) => format!("called {input}"),
            (None, InputKind::Files) => layout.endings(),
            (None, InputKind::Texts) => self.input_names(wanted, layout).join(", "),
        };
        let endings: Vec<_> = self.endings.iter().map(|end| format!(".{end}")).collect();
        format!("has none of the {} ({what}), only {}", layout.samples, endings.join(", "))
    }
}

/// What a label or a value is called: not as the ending of any class is.
fn label_name(found: &str, task: Task) -> String {
    if found == CLASS { task.answer().into() } else { found.into() }
}

/// What a member says: the fields of a JSON object, or its text.
fn said(
    contents: &mut dyn Read,
    length: u64,
    ending: &str,
    longest: usize,
) -> Result<Vec<(String, Cell)>, String> {
    if length > longest as u64 {
        return Err(format!("it has {length} bytes: at most {longest} are read"));
    }
    let mut bytes = vec![];
    contents.take(length).read_to_end(&mut bytes).map_err(|e| format!("cannot be read ({e})"))?;
    if bytes.len() as u64 != length {
        return Err("is cut off".into());
    }
    let text = encoding::decode(&bytes).map_err(|e| e.to_string())?.trim();
    let is_fields = ending == FIELDS || ending.ends_with(".json");
    if is_fields && text.starts_with('{') {
        let fields: BTreeMap<String, Cell> =
            serde_json::from_str(text).map_err(|e| format!("not a JSON object ({e})"))?;
        return Ok(fields.into_iter().collect());
    }
    let cell = match is_fields {
        true => serde_json::from_str(text).map_err(|e| format!("not JSON ({e})"))?,
        false if text.is_empty() => Cell::Missing,
        false => Cell::Text(text.into()),
    };
    Ok(vec![(ending.to_string(), cell)])
}
