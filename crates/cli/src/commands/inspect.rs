//! `inspect`: what a checkpoint or a run folder holds.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use crosstune_core::{
    Checkpoint, Entry, Pretrained, PretrainedConfig, Spec, Task,
    error::{one_line, printable},
};
use serde_json::json;

use crate::{
    args::SourceArgs,
    output::{
        format::{count, line, shape},
        print, print_json,
    },
    setup::weights,
};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn inspect(args: &InspectArgs) -> Result<()> {
    let local = weights::local(&args.source.path)?;
    if let Some(source) = Pretrained::architecture(&local, args.source.family.as_deref())? {
        return architecture(&source, args);
    }
    let checkpoint = Checkpoint::open(local)?;
    let (family, trunk, origin) = if Spec::is_at(checkpoint.folder()) {
        let spec = Spec::read(checkpoint.folder())?;
        let answers = match spec.task {
            Task::SingleLabel => "classes",
            Task::MultiLabel => "labels",
            Task::Regression => "values",
        };
        let (modality, labels) = (&spec.modality, spec.labels.join(", "));
        let origin = format!("tuned on {modality}; {answers}: {labels}");
        (Some(spec.family), Some(spec.trunk), origin)
    } else {
        match PretrainedConfig::of(&checkpoint, args.source.family.as_deref()) {
            Ok(family) => (
                Some(family.name),
                Some(family.trunk),
                format!("pretrained on {}", family.modality),
            ),
            // An unknown family can be inspected all the same, unless one was asked for.
            Err(e) if args.source.family.is_some() => return Err(e.into()),
            Err(e) => (None, None, one_line(&e)),
        }
    };
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
    text.push(line("family", format!("{} ({origin})", family.as_deref().unwrap_or("unknown"))));
    if let Some(trunk) = &trunk {
        text.push(line("trunk", shape(trunk)));
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
