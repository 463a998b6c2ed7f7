//! `check`: what is in a data set, and what is wrong with it, without training.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use crosstune_core::{
    BadSample, Dataset, Item, Layout, Location, Modality, Target, Task,
    data::{Coverage, Duplicate, RARE, Split, duplicates},
    error::{BoxError, printable},
};
use rayon::prelude::*;
use serde::Serialize;

use super::{
    args::CheckArgs,
    distribution::Distribution,
    extent::Extent,
    tags::{Tags, brief},
    transcripts::{self, Transcripts},
};
use crate::{
    args::{ModalityArgs, refuse_existing},
    output::{
        format::{count, files, line},
        print, print_json, progress, sheet, skipped,
    },
    setup::{
        coverage::{When, covered, extents, told},
        weights,
    },
};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is wrong.
    Fine,
    /// Something is, and the report says what.
    Wrong,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    ok: bool,
    task: Task,
    samples: Counts,
    /// How many samples of each class, or with each label, are in each split.
    classes: Vec<Class>,
    /// The distribution of each value in each split.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<Distribution>,
    /// What is in the texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<Transcripts>,
    /// The labelled words.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Tags>,
    /// The minimum, the median and the maximum of each size.
    sizes: BTreeMap<&'static str, Extent>,
    /// How much of the samples a model takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Coverage>,
    /// Samples that cannot be read, with the reasons.
    bad: Vec<String>,
    /// Samples that can be read and may not be what they should be, with the reasons.
    odd: Vec<String>,
    /// Samples that are in several splits or classes, each with its locations.
    leaks: Vec<Vec<String>>,
    /// How many other samples occur more than once.
    repeated: usize,
    /// How the data was read, where one may not expect that, and what may be meant otherwise.
    notes: Vec<String>,
    /// Files that are not samples, by extension.
    ignored: Vec<(String, usize)>,
}

#[derive(Debug, Serialize)]
struct Class {
    label: String,
    #[serde(flatten)]
    counts: Counts,
}

/// The number in each split.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Counts {
    train: usize,
    validation: usize,
    test: usize,
}

impl Counts {
    fn of(data: &Dataset, counts: impl Fn(&Item) -> bool) -> Self {
        let of = |items: &[Item]| items.iter().filter(|item| counts(item)).count();
        Self { train: of(&data.train), validation: of(&data.validation), test: of(&data.test) }
    }
}

pub(crate) fn check<A: ModalityArgs>(args: CheckArgs<A>) -> Result<Verdict> {
    if let Some(sheet) = &args.sheet {
        refuse_existing("--sheet", sheet, args.overwrite)?;
    }
    // What cannot be used is reported beside what can.
    let layout = Layout { skip_bad: true, ..args.layout.layout::<A::Modality>()? };
    let data = args.samples.open(&layout)?;
    let mut modality: A::Modality = args.modality.args.try_into()?;
    modality.set_task(data.task)?;
    if let Some(path) = &args.weights {
        modality.adopt(&weights::open(path, &args.read)?)?;
    }
    modality.survey(&data.train.iter().map(|i| &i.input).collect::<Vec<_>>());
    let items: Vec<&Item> = data.items().map(|(_, item)| item).collect();
    let Looked { sizes, bad, odd } = read(&modality, &items);
    let bad = skipped(&data.bad, &bad);
    let (leaks, repeated): (Vec<_>, Vec<_>) =
        duplicates(&data).into_iter().partition(|d| d.across_splits() || d.labels_differ());
    let lengths = extents(&modality, data.items().map(|(_, item)| &item.input));
    let coverage = covered::<A::Modality>(&lengths);
    let told = coverage.as_ref().and_then(|c| told(&modality, c, When::Training));
    let report = Report {
        data: args.samples.data.display().to_string(),
        ok: bad.is_empty() && leaks.is_empty(),
        notes: data.notes.clone(),
        leaks: leaks.iter().map(|leak| places(leak, &data.labels)).collect(),
        repeated: repeated.len(),
        task: data.task,
        samples: Counts::of(&data, |_| true),
        classes: classes(&data),
        values: Distribution::of(&data),
        texts: match A::Modality::EXTENT {
            transcripts::UNIT => Transcripts::of(&data, &lengths),
            _ => Transcripts::of(&data, &[]),
        },
        tags: Tags::of(&data),
        sizes: A::Modality::SIZE
            .iter()
            .enumerate()
            .filter_map(|(at, &name)| {
                Some((name, Extent::of(sizes.iter().filter_map(|s| s.get(at).copied()).collect())?))
            })
            .collect(),
        coverage,
        odd,
        bad,
        ignored: data.ignored.clone(),
    };
    if let Some(path) = &args.sheet {
        sheet::write(path, &modality, &data, args.overwrite)?;
    }
    if args.json {
        print_json(&serde_json::to_value(&report)?)?;
    } else {
        print(&text(&report, told, A::Modality::SAMPLES))?;
    }
    Ok(if report.ok { Verdict::Fine } else { Verdict::Wrong })
}

/// What a look at all items found.
#[derive(Default)]
struct Looked {
    /// The sizes of those that can be read.
    sizes: Vec<Vec<f64>>,
    /// Those that cannot be read.
    bad: Vec<BadSample>,
    /// Those that can be read and may not be what they should be.
    odd: Vec<String>,
}

/// Looks at all items.
fn read<M: Modality>(modality: &M, items: &[&Item]) -> Looked {
    let bar = progress::reading(items.len(), M::SAMPLES);
    let look = |item: &&Item| -> Result<(Vec<f64>, Option<String>), BoxError> {
        let read = || {
            modality.verify(&item.input)?;
            Ok((modality.size(&item.input)?, modality.oddity(&item.input)?))
        };
        let found = read();
        bar.inc(1);
        found
    };
    let looked: Vec<_> = items.par_iter().map(look).collect();
    bar.finish_and_clear();
    let mut all = Looked::default();
    for (item, found) in items.iter().zip(looked) {
        match found {
            Ok((size, odd)) => {
                all.sizes.push(size);
                all.odd.extend(odd.map(|what| format!("{}: {what}", item.place)));
            }
            Err(cause) => all.bad.push(BadSample { place: item.place.clone(), cause }),
        }
    }
    all
}

fn places(duplicate: &Duplicate, labels: &[String]) -> Vec<String> {
    let place = |(split, place, target): &(Split, Location, Target)| {
        let target = match target {
            Target::Tags(tags) => brief(tags, labels),
            target => target.named(labels),
        };
        format!("{place} ({split}, {target})")
    };
    duplicate.places.iter().map(place).collect()
}

fn classes(data: &Dataset) -> Vec<Class> {
    if data.task == Task::Regression {
        return vec![];
    }
    let mut classes: Vec<Class> = data
        .labels
        .iter()
        .map(|label| Class { label: label.clone(), counts: Counts::default() })
        .collect();
    for (split, item) in data.items() {
        let having: Vec<usize> = match &item.target {
            Target::Class(class) => vec![*class],
            Target::Text { symbols, .. } => {
                let different: BTreeSet<i64> = symbols.iter().copied().collect();
                different.into_iter().filter_map(|at| usize::try_from(at).ok()).collect()
            }
            target => (0..data.labels.len()).filter(|&label| target.has(label)).collect(),
        };
        for label in having {
            let counts = &mut classes[label].counts;
            *match split {
                Split::Train => &mut counts.train,
                Split::Validation => &mut counts.validation,
                Split::Test => &mut counts.test,
            } += 1;
        }
    }
    classes
}

/// The report as people read it.
fn text(report: &Report, told: Option<(&str, String)>, samples: &str) -> String {
    let mut lines = vec![line("data", &report.data)];
    match report.task {
        Task::SingleLabel => lines.push(line("classes", report.classes.len())),
        Task::MultiLabel => lines.push(line("labels", report.classes.len())),
        Task::Regression => {}
        Task::Transcription => lines.push(line("symbols", symbols(report).count())),
        Task::Tagging => lines.push(line("labels", report.classes.len())),
    }
    for (name, extent) in &report.sizes {
        let (what, unit) = name.split_once(", ").unwrap_or((name, ""));
        lines.push(line(what, extent.shown(unit)));
    }
    lines.extend(report.texts.iter().flat_map(Transcripts::lines));
    lines.extend(report.tags.iter().flat_map(Tags::lines));
    lines.extend(told.map(|(name, text)| line(name, text)));
    for (ending, n) in &report.ignored {
        lines.push(line("ignored", format!("{}, which are not {samples}", files(ending, *n))));
    }
    lines.extend(report.notes.iter().map(|note| line("note", note)));
    lines.push(String::new());
    lines.extend(table(report));
    if let Some(tags) = &report.tags {
        lines.push(String::new());
        lines.extend(tags.table());
    }
    lines.push(String::new());
    if report.bad.is_empty() {
        lines.push(format!("all {samples} can be read"));
    } else {
        lines.push(format!("{} {samples} cannot be read:", count(report.bad.len())));
        lines.extend(report.bad.iter().map(|bad| format!("  {bad}")));
    }
    if !report.odd.is_empty() {
        lines
            .push(format!("{} {samples} may not be what they should be:", count(report.odd.len())));
        lines.extend(report.odd.iter().map(|odd| format!("  {odd}")));
    }
    let short: Vec<&String> = report.texts.iter().flat_map(Transcripts::too_short).collect();
    if !short.is_empty() {
        let n = count(short.len());
        lines.push(format!(
            "{n} {samples} are too short for their texts, at 50 positions a second:"
        ));
        lines.extend(short.iter().map(|short| format!("  {short}")));
    }
    if report.repeated > 0 {
        lines.push(format!("{} {samples} occur more than once", count(report.repeated)));
    }
    if !report.leaks.is_empty() {
        let n = count(report.leaks.len());
        lines.push(format!("{n} {samples} are in several splits or have several labels:"));
        lines.extend(report.leaks.iter().map(|leak| format!("  {}", printable(&leak.join(" = ")))));
    }
    lines.join("\n") + "\n"
}

/// The symbols that a text has or may have.
fn symbols(report: &Report) -> impl Iterator<Item = &Class> {
    let occurs = |counts: &Counts| counts.train + counts.validation + counts.test > 0;
    let letter = move |class: &&Class| class.label.chars().count() == 1 || occurs(&class.counts);
    report.classes.iter().filter(letter)
}

/// The number of samples in each split, by class, or the distribution of their values.
fn table(report: &Report) -> Vec<String> {
    type Count = fn(&Counts) -> usize;
    let splits: [(&str, Count); 3] =
        [("train", |c| c.train), ("validation", |c| c.validation), ("test", |c| c.test)];
    let used: Vec<_> = splits.into_iter().filter(|(_, of)| of(&report.samples) > 0).collect();
    let shown: Vec<&Class> = match report.task {
        Task::Transcription => symbols(report).collect(),
        _ => report.classes.iter().collect(),
    };
    let widest = shown.iter().map(|c| printable(&c.label).chars().count()).max().unwrap_or(0);
    let width = widest.max(5);
    let row = |name: &str, counts: &Counts| {
        let cells: String =
            used.iter().map(|(_, of)| format!("  {:>10}", count(of(counts)))).collect();
        format!("{name:<width$}{cells}")
    };
    let header: String = used.iter().map(|(name, _)| format!("  {name:>10}")).collect();
    let mut lines = vec![format!("{:<width$}{header}", report.task.answer())];
    lines.extend(shown.iter().map(|class| {
        let rare = match report.task == Task::Transcription && class.counts.train < RARE {
            true => "  rare",
            false => "",
        };
        row(&printable(&class.label), &class.counts) + rare
    }));
    lines.push(row("all", &report.samples));
    if !report.values.is_empty() {
        // Values have a table of their own; the number of samples is above it.
        lines[0] = format!("{:<width$}{header}", "");
        lines.push(String::new());
        lines.extend(Distribution::table(&report.values));
    }
    lines
}
