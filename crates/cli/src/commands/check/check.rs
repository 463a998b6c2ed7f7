//! `check`: what is in a data set, and what is wrong with it, without training.

use std::collections::BTreeMap;

use anyhow::Result;
use crosstune_core::{
    BadSample, Dataset, Item, Location, Modality, Target, Task,
    data::{Duplicate, Split, duplicates},
    error::{BoxError, printable},
};
use rayon::prelude::*;
use serde::Serialize;

use super::{args::CheckArgs, distribution::Distribution};
use crate::{
    args::ModalityArgs,
    output::{
        format::{count, line},
        print, print_json, progress, sheet,
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
    /// The minimum, the median and the maximum of each size.
    sizes: BTreeMap<&'static str, Extent>,
    /// Samples that cannot be read, with the reasons.
    bad: Vec<String>,
    /// Samples that are in several splits or classes, each with its locations.
    leaks: Vec<Vec<String>>,
    /// How many other samples occur more than once.
    repeated: usize,
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

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Extent {
    least: f64,
    median: f64,
    greatest: f64,
}

pub(crate) fn check<A: ModalityArgs>(args: CheckArgs<A>) -> Result<Verdict> {
    let data = args.samples.open::<A::Modality>(&args.layout)?;
    let mut modality: A::Modality = args.modality.args.try_into()?;
    modality.survey(&data.train.iter().map(|i| &i.input).collect::<Vec<_>>());
    let items: Vec<&Item> = data.items().map(|(_, item)| item).collect();
    let (sizes, bad) = read(&modality, &items);
    let (leaks, repeated): (Vec<_>, Vec<_>) =
        duplicates(&data).into_iter().partition(|d| d.across_splits() || d.labels_differ());
    let report = Report {
        data: args.samples.data.display().to_string(),
        ok: bad.is_empty() && leaks.is_empty(),
        leaks: leaks.iter().map(|leak| places(leak, &data.labels)).collect(),
        repeated: repeated.len(),
        task: data.task,
        samples: Counts::of(&data, |_| true),
        classes: classes(&data),
        values: Distribution::of(&data),
        sizes: A::Modality::SIZE
            .iter()
            .enumerate()
            .filter_map(|(at, &name)| {
                Some((name, size_range(sizes.iter().filter_map(|s| s.get(at).copied()).collect())?))
            })
            .collect(),
        bad: bad.iter().map(ToString::to_string).collect(),
        ignored: data.ignored.clone(),
    };
    if let Some(path) = &args.sheet {
        sheet::write(path, &modality, &data)?;
    }
    if args.json {
        print_json(&serde_json::to_value(&report)?);
    } else {
        print(&text(&report, A::Modality::SAMPLES));
    }
    Ok(if report.ok { Verdict::Fine } else { Verdict::Wrong })
}

/// The sizes of all items that can be read, and the others.
fn read<M: Modality>(modality: &M, items: &[&Item]) -> (Vec<Vec<f64>>, Vec<BadSample>) {
    let bar = progress::reading(items.len(), M::SAMPLES);
    let look = |item: &&Item| -> Result<Vec<f64>, BoxError> {
        let size = modality.verify(&item.input).and_then(|()| modality.size(&item.input));
        bar.inc(1);
        size
    };
    let looked: Vec<_> = items.par_iter().map(look).collect();
    bar.finish_and_clear();
    let (mut sizes, mut bad) = (vec![], vec![]);
    for (item, size) in items.iter().zip(looked) {
        match size {
            Ok(size) => sizes.push(size),
            Err(cause) => bad.push(BadSample { place: item.place.clone(), cause }),
        }
    }
    (sizes, bad)
}

fn places(duplicate: &Duplicate, labels: &[String]) -> Vec<String> {
    let place = |(split, place, target): &(Split, Location, Target)| {
        format!("{place} ({split}, {})", target.named(labels))
    };
    duplicate.places.iter().map(place).collect()
}

fn classes(data: &Dataset) -> Vec<Class> {
    if data.task == Task::Regression {
        return vec![];
    }
    let class = |(at, label): (usize, &String)| Class {
        label: label.clone(),
        counts: Counts::of(data, |item| item.target.has(at)),
    };
    data.labels.iter().enumerate().map(class).collect()
}

fn size_range(mut sizes: Vec<f64>) -> Option<Extent> {
    sizes.sort_by(f64::total_cmp);
    let (&least, &greatest) = (sizes.first()?, sizes.last()?);
    Some(Extent { least, median: sizes[sizes.len() / 2], greatest })
}

/// The report as people read it.
fn text(report: &Report, samples: &str) -> String {
    let mut lines = vec![line("data", &report.data)];
    match report.task {
        Task::SingleLabel => lines.push(line("classes", report.classes.len())),
        Task::MultiLabel => lines.push(line("labels", report.classes.len())),
        Task::Regression => {}
    }
    for (name, extent) in &report.sizes {
        let Extent { least, median, greatest } = extent;
        let number = |x: &f64| if x.fract() == 0. { format!("{x}") } else { format!("{x:.2}") };
        let (least, median, greatest) = (number(least), number(median), number(greatest));
        let (what, unit) = name.split_once(", ").unwrap_or((name, ""));
        let most = format!("{greatest} {unit}");
        lines.push(line(what, format!("{least} to {}, median {median}", most.trim_end())));
    }
    for (ending, n) in &report.ignored {
        lines.push(line("ignored", format!("{} .{ending}, which are not {samples}", count(*n))));
    }
    lines.push(String::new());
    lines.extend(table(report));
    lines.push(String::new());
    if report.bad.is_empty() {
        lines.push(format!("all {samples} can be read"));
    } else {
        lines.push(format!("{} {samples} cannot be read:", count(report.bad.len())));
        lines.extend(report.bad.iter().map(|bad| format!("  {bad}")));
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

/// The number of samples in each split, by class, or the distribution of their values.
fn table(report: &Report) -> Vec<String> {
    type Count = fn(&Counts) -> usize;
    let splits: [(&str, Count); 3] =
        [("train", |c| c.train), ("validation", |c| c.validation), ("test", |c| c.test)];
    let used: Vec<_> = splits.into_iter().filter(|(_, of)| of(&report.samples) > 0).collect();
    let widest =
        report.classes.iter().map(|c| printable(&c.label).chars().count()).max().unwrap_or(0);
    let width = widest.max(5);
    let row = |name: &str, counts: &Counts| {
        let cells: String =
            used.iter().map(|(_, of)| format!("  {:>10}", count(of(counts)))).collect();
        format!("{name:<width$}{cells}")
    };
    let header: String = used.iter().map(|(name, _)| format!("  {name:>10}")).collect();
    let mut lines = vec![format!("{:<width$}{header}", report.task.answer())];
    lines.extend(report.classes.iter().map(|class| row(&printable(&class.label), &class.counts)));
    lines.push(row("all", &report.samples));
    if !report.values.is_empty() {
        // Values have a table of their own; the number of samples is above it.
        lines[0] = format!("{:<width$}{header}", "");
        lines.push(String::new());
        lines.extend(Distribution::table(&report.values));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_summarised() {
        assert_eq!(size_range(vec![]), None);
        let of = |sizes: &[f64]| size_range(sizes.to_vec()).unwrap();
        assert_eq!(of(&[3., 1., 2.]), Extent { least: 1., median: 2., greatest: 3. });
    }
}
