//! `inspect`: what a checkpoint or a run folder holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use crosstune_core::{
    Checkpoint, Entry, Metrics, Pretrained, Spec, Task,
    adapter::adapter_folder,
    error::{one_line, printable},
    families,
    files::read_json_within,
    run::RESULT,
};
use serde_json::{Value, json};

use crate::{
    args::ReadArgs,
    output::{
        format::{count, line, shape},
        metrics, print, print_json,
    },
    setup::weights,
};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A run folder, or a pretrained model: a file, a folder, an adapter of PEFT or
    /// hf://org/name[@revision][/file]
    #[arg(value_name = "MODEL", required_unless_present = "families")]
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// Print which families of pretrained models are known, instead
    #[arg(long, exclusive = true)]
    pub(crate) families: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn inspect(args: &InspectArgs) -> Result<()> {
    let InspectArgs { path, read, .. } = args;
    let Some(path) = path else {
        print(&families())?;
        return Ok(());
    };
    let local = weights::local(path)?;
    let asked = read.family.is_some() || read.base.is_some() || is_run_or_adapter(&local);
    let opened = match weights::open(&local, read) {
        Ok(source) if !source.has_weights() => return architecture(&source, args),
        Ok(source) => Ok(source),
        // An unknown family can be inspected all the same, unless more was asked for.
        Err(e) if asked => return Err(e),
        Err(e) => Err((Checkpoint::open_below(&local, read.weights_key.as_deref())?, e)),
    };
    let (checkpoint, family, trunk, origin) = match &opened {
        Ok(source) => {
            let config = source.config();
            let (family, trunk) = (config.name.as_str(), &config.trunk);
            (source.checkpoint(), Some(family), Some(trunk), origin(source)?)
        }
        Err((checkpoint, e)) => (checkpoint, None, None, one_line(e.as_ref())),
    };
    let run = Run::at(checkpoint.folder());
    let parameters: i64 = checkpoint.entries().map(|(_, e)| e.numel()).sum();
    if args.json {
        let tensors: BTreeMap<&str, _> = checkpoint
            .entries()
            .map(|(n, e)| (n, json!({"shape": e.shape, "dtype": dtype(e)})))
            .collect();
        print_json(&json!({
            "path": checkpoint.path(), "format": checkpoint.format().to_string(),
            "family": family, "trunk": trunk, "parameters": parameters, "tensors": tensors,
            "skipped": checkpoint.skipped().collect::<BTreeMap<_, _>>(),
            "run": run.as_ref().map(|run| json!({
                "task": run.spec.task, "labels": run.spec.labels,
                "validation": run.validation, "test": run.test,
                "temperature": run.temperature(),
            })),
        }))?;
        return Ok(());
    }
    let mut kinds = BTreeMap::<String, usize>::new();
    for (_, entry) in checkpoint.entries() {
        *kinds.entry(dtype(entry)).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, n)| format!("{n} of {kind}")).collect();
    let mut text = vec![line("path", checkpoint.path().display())];
    let files = checkpoint.files().len();
    let shards = if files > 1 { format!(" in {files} files") } else { String::new() };
    text.push(line("format", format!("{}{shards}", checkpoint.format())));
    text.push(line("family", format!("{} ({origin})", family.unwrap_or("unknown"))));
    if let Some(trunk) = trunk {
        text.push(line("trunk", shape(trunk)));
    }
    if let Some(run) = run {
        text.push(line("task", run.spec.task));
        if let Some(temperature) = run.temperature() {
            text.push(line("calibrated", format!("temperature {temperature:.3}")));
        }
        let figures = [("validation", run.validation), ("test", run.test)];
        let figures = figures.into_iter().filter_map(|(split, of)| Some((split, of?)));
        text.extend(figures.map(|(split, of)| line(split, metrics::summary(&of, "samples"))));
    }
    text.push(line("tensors", kinds.join(", ")));
    text.push(line("parameters", count(parameters as usize)));
    for (name, what) in checkpoint.skipped() {
        text.push(line("skipped", format!("{name} ({what})")));
    }
    text.push(String::new());
    let mut tree = Tree::default();
    for (name, entry) in checkpoint.entries() {
        tree.insert(&name.splitn(DEEPEST, '.').collect::<Vec<_>>(), entry);
    }
    tree.preview(0, &mut text);
    print(&(text.join("\n") + "\n"))?;
    Ok(())
}

/// Whether a path is a run folder or an adapter, whose family is known.
fn is_run_or_adapter(path: &Path) -> bool {
    Spec::is_at(path) || adapter_folder(path).is_some()
}

/// The most bytes of a `result.json`: it has a confusion matrix.
const MOST_RESULT: u64 = 1 << 30;

/// What a run folder tells of a training.
struct Run {
    spec: Spec,
    /// Its metrics, if it has a record of them.
    validation: Option<Metrics>,
    test: Option<Metrics>,
}

impl Run {
    fn at(folder: &Path) -> Option<Self> {
        let spec = Spec::is_at(folder).then(|| Spec::read(folder).ok()).flatten()?;
        let mut record: Value =
            read_json_within(&folder.join(RESULT), MOST_RESULT).unwrap_or_default();
        let mut metrics = |split: &str| serde_json::from_value(record[split].take()).ok();
        let (validation, test) = (metrics("validation"), metrics("test"));
        Some(Self { spec, validation, test })
    }

    /// The temperature of its calibration.
    fn temperature(&self) -> Option<f64> {
        self.spec.calibration.as_ref()?.temperature
    }
}

/// What a model was trained on.
fn origin(source: &Pretrained) -> Result<String> {
    let folder = source.checkpoint().folder();
    if !Spec::is_at(folder) {
        let adapted = source.adapter().map(|adapter| adapter.folder().display());
        let adapted = adapted.map(|folder| format!(", adapted by {folder}")).unwrap_or_default();
        return Ok(format!("pretrained on {}{adapted}", source.config().modality));
    }
    let spec = Spec::read(folder)?;
    let answers = match spec.task {
        Task::SingleLabel => "classes",
        Task::MultiLabel => "labels",
        Task::Regression => "values",
        Task::Transcription => "symbols",
        Task::Tagging => "labels of words",
    };
    Ok(format!("tuned on {}; {answers}: {}", spec.modality, spec.labels.join(", ")))
}

/// The architecture of a model without weights.
fn architecture(source: &Pretrained, args: &InspectArgs) -> Result<()> {
    let (path, family) = (source.checkpoint().path(), source.config());
    if args.json {
        print_json(&json!({"path": path, "family": family.name, "trunk": family.trunk}))?;
        return Ok(());
    }
    let text = [
        line("path", path.display()),
        line("family", format!("{} (an architecture without weights)", family.name)),
        line("trunk", shape(&family.trunk)),
    ];
    print(&(text.join("\n") + "\n"))?;
    Ok(())
}

fn dtype(entry: &Entry) -> String {
    format!("{:?}", entry.kind).to_lowercase()
}

/// The most levels that are told apart. Modules nest some ten deep; a name may have any number of
/// dots.
const DEEPEST: usize = 40;

/// Tensors by module.
#[derive(Default, PartialEq)]
struct Tree<'a> {
    children: BTreeMap<Word<'a>, Tree<'a>>,
    shape: Option<&'a [i64]>,
}

/// A word of a name; numbers sort by size.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Word<'a> {
    Index(usize),
    Name(&'a str),
}

impl<'a> Tree<'a> {
    fn insert(&mut self, words: &[&'a str], entry: &'a Entry) {
        match words.split_first() {
            None => self.shape = Some(&entry.shape),
            Some((word, rest)) => {
                let word = word.parse().map(Word::Index).unwrap_or(Word::Name(word));
                self.children.entry(word).or_default().insert(rest, entry);
            }
        }
    }

    fn numel(&self) -> i64 {
        let own = self.shape.map_or(0, |s| s.iter().product());
        own + self.children.values().map(Self::numel).sum::<i64>()
    }

    /// One line per module; equal blocks share their lines.
    fn preview(&self, depth: usize, out: &mut Vec<String>) {
        let children: Vec<_> = self.children.iter().collect();
        let mut at = 0;
        while at < children.len() {
            let (word, child) = children[at];
            let alike = children[at..].iter().take_while(|(w, c)| {
                matches!((w, word), (Word::Index(_), Word::Index(_))) && *c == child
            });
            let run = alike.count().max(1);
            let name = match (word, children[at + run - 1].0) {
                (Word::Index(a), Word::Index(b)) if run > 1 => format!("{a}…{b}"),
                (Word::Index(a), _) => a.to_string(),
                (Word::Name(name), _) => printable(name).into_owned(),
            };
            let name = format!("{:indent$}{name}", "", indent = 2 * depth);
            out.push(match child.shape {
                Some(shape) if child.children.is_empty() => format!("{name:<40} {shape:?}"),
                _ if run > 1 => format!("{name:<40} {run} × {}", count(child.numel() as usize)),
                _ => format!("{name:<40} {}", count(child.numel() as usize)),
            });
            child.preview(depth + 1, out);
            at += run;
        }
    }
}
