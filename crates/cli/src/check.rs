//! `check`: what a data set holds, and what is wrong with it, without training.

use std::collections::BTreeMap;

use anyhow::Result;
use crosstune_core::{
    BadSample, Dataset, Item, Modality, Place,
    data::{Duplicate, Split, duplicates},
    error::Cause,
};
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    ModalityArgs,
    args::CheckArgs,
    evaluate::{print, print_json},
    format::{count, line},
    progress, sheet,
};

/// What a check came to.
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
    /// How many samples of each class are in each split.
    classes: Vec<Class>,
    /// The least, the middle and the greatest size.
    sizes: BTreeMap<&'static str, Extent>,
    /// Samples that cannot be read, with the reasons.
    bad: Vec<String>,
    /// Samples that stand in several splits or in several classes, each with where it stands.
    leaks: Vec<Vec<String>>,
    /// How many others are there more than once.
    repeated: usize,
    /// Files that are no samples, by their ending.
    ignored: Vec<(String, usize)>,
}

#[derive(Debug, Serialize)]
struct Class {
    label: String,
    train: usize,
    validation: usize,
    test: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Extent {
    least: f64,
    median: f64,
    greatest: f64,
}

pub(crate) fn check<A: ModalityArgs>(args: CheckArgs<A>) -> Result<Verdict> {
    let layout = args.layout.layout::<A::Modality>()?;
    let mut data = Dataset::open(&args.data, &layout)?;
    if let Some(path) = &args.eval_data {
        data = data.with_test(path, &layout)?;
    }
    let mut modality: A::Modality = args.modality.args.try_into()?;
    modality.survey(&data.train.iter().map(|i| &i.input).collect::<Vec<_>>());
    let items: Vec<&Item> = data.items().map(|(_, item)| item).collect();
    let (sizes, bad) = read(&modality, &items);
    let (leaks, repeated): (Vec<_>, Vec<_>) =
        duplicates(&data).into_iter().partition(|d| d.across_splits() || d.labels_differ());
    let report = Report {
        data: args.data.display().to_string(),
        ok: bad.is_empty() && leaks.is_empty(),
        leaks: leaks.iter().map(|leak| places(leak, &data.labels)).collect(),
        repeated: repeated.len(),
        classes: classes(&data),
        sizes: A::Modality::EXTENT
            .iter()
            .enumerate()
            .filter_map(|(at, &name)| {
                Some((name, extent(sizes.iter().filter_map(|s| s.get(at).copied()).collect())?))
            })
            .collect(),
        bad: bad.iter().map(ToString::to_string).collect(),
        ignored: data.ignored.clone(),
    };
    if let Some(path) = &args.sheet {
        sheet::write(path, &modality, &data.labels, &data.train)?;
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
    let look = |item: &&Item| -> Result<Vec<f64>, Cause> {
        let size = modality.verify(&item.input).and_then(|()| modality.extent(&item.input));
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
    let place = |(split, place, label): &(Split, Place, usize)| {
        format!("{place} ({split}, {})", labels.get(*label).map_or("?", String::as_str))
    };
    duplicate.places.iter().map(place).collect()
}

fn classes(data: &Dataset) -> Vec<Class> {
    let of = |items: &[Item], class| items.iter().filter(|i| i.label == class).count();
    let class = |(at, label): (usize, &String)| Class {
        label: label.clone(),
        train: of(&data.train, at),
        validation: of(&data.validation, at),
        test: of(&data.test, at),
    };
    data.labels.iter().enumerate().map(class).collect()
}

fn extent(mut sizes: Vec<f64>) -> Option<Extent> {
    sizes.sort_by(f64::total_cmp);
    let (&least, &greatest) = (sizes.first()?, sizes.last()?);
    Some(Extent { least, median: sizes[sizes.len() / 2], greatest })
}

/// The report as people read it.
fn text(report: &Report, samples: &str) -> String {
    type Count = fn(&Class) -> usize;
    let total = |of: Count| report.classes.iter().map(of).sum::<usize>();
    let splits: [(&str, Count); 3] =
        [("train", |c| c.train), ("validation", |c| c.validation), ("test", |c| c.test)];
    let used: Vec<_> = splits.into_iter().filter(|(_, of)| total(*of) > 0).collect();
    let mut lines = vec![line("data", &report.data), line("classes", report.classes.len())];
    for (name, extent) in &report.sizes {
        let Extent { least, median, greatest } = extent;
        let number = |x: &f64| if x.fract() == 0. { format!("{x}") } else { format!("{x:.2}") };
        let (least, median, greatest) = (number(least), number(median), number(greatest));
        let size = format!("{least} to {greatest}, half of them up to {median}");
        let (what, unit) = name.split_once(", ").unwrap_or((name, ""));
        lines.push(line(what, format!("{size} {unit}").trim_end()));
    }
    for (ending, n) in &report.ignored {
        lines.push(line("ignored", format!("{} .{ending}, which are no {samples}", count(*n))));
    }
    let width = report.classes.iter().map(|c| c.label.chars().count()).max().unwrap_or(0).max(5);
    let mut header = format!("\n{:<width$}", "class");
    used.iter().for_each(|(name, _)| header += &format!("  {name:>10}"));
    lines.push(header);
    for class in &report.classes {
        let mut row = format!("{:<width$}", class.label);
        used.iter().for_each(|(_, of)| row += &format!("  {:>10}", count(of(class))));
        lines.push(row);
    }
    let mut sum = format!("{:<width$}", "all");
    used.iter().for_each(|(_, of)| sum += &format!("  {:>10}", count(total(*of))));
    lines.push(sum + "\n");
    if report.bad.is_empty() {
        lines.push(format!("all {samples} can be read"));
    } else {
        lines.push(format!("{} {samples} cannot be read:", count(report.bad.len())));
        lines.extend(report.bad.iter().map(|bad| format!("  {bad}")));
    }
    if report.repeated > 0 {
        lines.push(format!("{} {samples} are there more than once", count(report.repeated)));
    }
    if !report.leaks.is_empty() {
        let n = count(report.leaks.len());
        lines.push(format!("{n} {samples} are in several splits or have several labels:"));
        lines.extend(report.leaks.iter().map(|leak| format!("  {}", leak.join(" = "))));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_summed_up() {
        assert_eq!(extent(vec![]), None);
        let of = |sizes: &[f64]| extent(sizes.to_vec()).unwrap();
        assert_eq!(of(&[3., 1., 2.]), Extent { least: 1., median: 2., greatest: 3. });
    }
}
