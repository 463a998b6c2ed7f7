//! `rank`: which pretrained model suits a data set, from one forward pass of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Instant,
};

use anyhow::{Result, bail};
use crosstune_core::{
    Dataset, EmbeddingStats, Error, Modality, Model, Origin, Target,
    error::{one_line, printable},
    init_from_data,
    predict::{FeatureLevel, features, position_features},
    transfer::{LEAST_FOLDS, Probe, logme, probe},
};
use serde::Serialize;
use tch::Tensor;

use super::args::RankArgs;
use crate::{
    args::{ModalityArgs, setting},
    output::{
        format::{count, percent, seconds},
        print, print_json, say, say_skipped,
    },
    setup::candidates::{self, Candidate, ReadSamples, Takes, dataset},
};

/// The result for one source.
#[derive(Debug, Serialize)]
struct Ranked {
    source: String,
    family: String,
    /// The modality that it was trained on.
    trained_on: String,
    embedder: Origin,
    /// The mean over the seeds, as are the others.
    logme: f64,
    /// For each seed; one if the embedder is the source's own.
    logmes: Vec<f64>,
    accuracy: f64,
    accuracies: Vec<f64>,
    /// Of the accuracy, over folds and seeds.
    standard_error: f64,
    /// Whether its accuracy is less than two standard errors of the difference below the best.
    tied: bool,
    /// From loading the weights to the result, without reading the samples.
    seconds: f64,
    /// How often each sample was classified correctly, as a fraction of the seeds and, where the answer
    /// is a sequence, of its positions.
    #[serde(skip)]
    correct: Vec<f64>,
    /// The share of the largest class among what was classified.
    #[serde(skip)]
    chance: f64,
}

/// Positions that are classified where the answer is a sequence, over all samples.
const MOST_POSITIONS: usize = 4_000;

/// A source that cannot be used, and why.
#[derive(Debug, Serialize)]
struct Unusable {
    source: String,
    reason: String,
}

pub(crate) fn rank<A: ModalityArgs>(args: RankArgs<A>) -> Result<()> {
    let start = Instant::now();
    let modality: A::Modality = args.modality.args.clone().try_into()?;
    if args.folds < LEAST_FOLDS {
        let problem = format!("{}: must be at least {LEAST_FOLDS}", args.folds);
        return Err(setting("--folds", problem));
    }
    let takes = Takes::ClassesAndSequences;
    let data = dataset::<A::Modality>(&args.samples, &args.layout, takes)?;
    let (mut groups, mut unusable) = (vec![], vec![]);
    for path in &args.weights {
        let opened = Candidate::open(path.clone(), &args.read, modality.clone(), &data);
        match opened.and_then(|of| Ok((prepared_by(&of.modality)?, of))) {
            Ok((key, of)) => add(&mut groups, key, of),
            Err(e) => unusable.push(Unusable::new(path, &e)),
        }
    }
    let (mut ranked, mut used, mut skipped) = (vec![], data.train.len(), vec![]);
    for (_, group) in groups {
        let Some(first) = group.first() else { continue };
        let read = candidates::read(first.modality.clone(), &data, args.samples.skip_bad)?;
        // What models of one preparation cannot read, those of another may.
        if read.skipped.len() >= skipped.len() {
            (used, skipped) = (read.inference.len(), read.skipped.clone());
        }
        for of in group {
            match measure(&args, &data, &read, &of) {
                Ok(one) => ranked.push(one),
                Err(e) => unusable.push(Unusable::new(&of.path, &e)),
            }
        }
    }
    if ranked.is_empty() {
        bail!(Error::DataList {
            path: args.samples.data.clone(),
            problem: "no source can be used".into(),
            items: unusable.iter().map(|u| format!("{}: {}", u.source, u.reason)).collect(),
        });
    }
    order(&mut ranked);
    let classes = data.labels.len();
    let chance = match data.task.is_sequence() {
        true => ranked.first().map_or(0., |best| best.chance),
        false => largest(data.train.iter().map(|item| &item.target).filter_map(Target::class)),
    };
    if args.json {
        print_json(&serde_json::json!({
            "samples": used, "skipped": skipped.len(), "classes": classes, "folds": args.folds,
            "chance": chance, "sources": ranked, "unusable": unusable,
            "seconds": start.elapsed().as_secs_f64(),
        }))?;
    } else {
        let samples = A::Modality::SAMPLES;
        print(&format!(
            "{} {samples} of {classes} {}, {} folds\n\n",
            count(used),
            match data.task.answer() {
                "class" => "classes",
                "symbol" => "symbols",
                _ => "labels",
            },
            args.folds
        ))?;
        print(&table(&ranked))?;
        print(&notes(&ranked, &unusable, chance))?;
        say_skipped(&skipped, samples);
        say("cost", seconds(start.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// Models that prepare inputs alike, together, so that the inputs are read once.
type Groups<M> = Vec<(Vec<u8>, Vec<Candidate<M>>)>;

fn add<M>(groups: &mut Groups<M>, key: Vec<u8>, of: Candidate<M>) {
    match groups.iter_mut().find(|(other, _)| *other == key) {
        Some((_, group)) => group.push(of),
        None => groups.push((key, vec![of])),
    }
}

/// All that decides how inputs are prepared: the settings as a run folder saves them.
fn prepared_by<M: Modality>(modality: &M) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    modality.save(folder.path())?;
    let mut files: Vec<_> = fs::read_dir(folder.path())?
        .map(|file| Ok(file?.path()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    let mut key = vec![];
    for file in files {
        key.extend(file.file_name().unwrap_or_default().as_encoded_bytes());
        key.extend(fs::read(&file)?);
    }
    Ok(key)
}

/// The result for one source; a new embedder is initialised several times.
fn measure<A: ModalityArgs>(
    args: &RankArgs<A>,
    data: &Dataset,
    read: &ReadSamples<A::Modality>,
    of: &Candidate<A::Modality>,
) -> Result<Ranked> {
    let start = Instant::now();
    let folds = data.folds(args.folds, args.samples.seed);
    let parts: Vec<usize> = read.indices.iter().map(|&at| folds[at]).collect();
    let seeds = match of.embedder {
        Origin::Fresh => args.seeds,
        Origin::Pretrained => 1,
    };
    let stats = match of.embedder {
        Origin::Fresh if !args.no_stat_match => EmbeddingStats::of(&of.source)?,
        _ => None,
    };
    let (mut logmes, mut probes, mut of_samples, mut chance) = (vec![], vec![], vec![], 0.);
    for seed in 0..seeds {
        crosstune_core::seed(args.samples.seed.wrapping_add(seed));
        let model = of.model(&read.modality, data, &args.compute)?;
        init_from_data(&model, &read.modality, &read.training, stats.as_ref())?;
        let told = Told::of(&model, data, read, args.compute.batch_size.get())?;
        if told.features.isfinite().all().int64_value(&[]) == 0 {
            let problem = "its features are not all finite".into();
            bail!(Error::Malformed { path: of.path.clone(), problem });
        }
        let Told { features, targets, classes, samples } = &told;
        let parts: Vec<usize> = samples.iter().map(|&at| parts[at]).collect();
        logmes.push(logme(features, targets, *classes)?);
        probes.push(probe(features, targets, *classes, &parts)?);
        chance = largest(targets.iter().map(|&target| target as usize));
        of_samples.clone_from(samples);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Ranked { chance, ..Ranked::new(of, logmes, &probes, &of_samples, seconds) })
}

/// What is classified: samples, or positions of them.
struct Told {
    /// `[N, D]`.
    features: Tensor,
    targets: Vec<i64>,
    classes: usize,
    /// The sample that each is of.
    samples: Vec<usize>,
}

impl Told {
    fn of<M: Modality>(
        model: &Model,
        data: &Dataset,
        read: &ReadSamples<M>,
        size: usize,
    ) -> Result<Self> {
        let (modality, inputs) = (&read.modality, &read.inference);
        if !data.task.is_sequence() {
            let features = features(model, modality, inputs, FeatureLevel::Pooled, size)?;
            let (targets, classes) = (inputs.classes(), data.labels.len());
            return Ok(Self { features, targets, classes, samples: (0..inputs.len()).collect() });
        }
        let found = position_features(model, modality, inputs, MOST_POSITIONS, size)?;
        // The blank is never there, and rare symbols may not be.
        let there: BTreeSet<i64> = found.targets.iter().copied().collect();
        let index: BTreeMap<i64, i64> = there.into_iter().zip(0..).collect();
        let targets = found.targets.iter().map(|target| index[target]).collect();
        Ok(Self { features: found.x, targets, classes: index.len(), samples: found.samples })
    }
}

/// The share of the largest class.
fn largest(classes: impl Iterator<Item = usize>) -> f64 {
    let mut counts = BTreeMap::<usize, usize>::new();
    classes.for_each(|class| *counts.entry(class).or_default() += 1);
    let all: usize = counts.values().sum();
    counts.values().max().copied().unwrap_or(0) as f64 / all.max(1) as f64
}

impl Ranked {
    /// `samples` are those that each thing was classified of, in order.
    fn new<M>(
        of: &Candidate<M>,
        logmes: Vec<f64>,
        probes: &[Probe],
        samples: &[usize],
        seconds: f64,
    ) -> Self {
        let family = of.source.config();
        let accuracies: Vec<f64> = probes.iter().map(|p| p.accuracy).collect();
        let folds = mean(&probes.iter().map(|p| p.standard_error.powi(2)).collect::<Vec<_>>());
        let mut correct = BTreeMap::<usize, Vec<f64>>::new();
        for (at, sample) in samples.iter().enumerate() {
            let right = probes.iter().filter(|p| p.correct[at]).count() as f64;
            correct.entry(*sample).or_default().push(right / probes.len() as f64);
        }
        Self {
            source: of.path.display().to_string(),
            family: family.name.clone(),
            trained_on: family.modality.clone(),
            embedder: of.embedder,
            logme: mean(&logmes),
            logmes,
            accuracy: mean(&accuracies),
            standard_error: (folds + of_mean(&accuracies)).sqrt(),
            accuracies,
            tied: false,
            seconds,
            correct: correct.into_values().map(|of| mean(&of)).collect(),
            chance: 0.,
        }
    }
}

impl Unusable {
    fn new(path: &Path, error: &anyhow::Error) -> Self {
        let reason = one_line(error.as_ref());
        let source = path.display().to_string();
        // Many errors begin with the path, which is printed before the reason.
        let reason = reason.strip_prefix(&format!("{source}: ")).unwrap_or(&reason).to_string();
        Self { source, reason }
    }
}

/// Sorts the best first, and marks those that cannot be told from the best.
fn order(ranked: &mut [Ranked]) {
    ranked.sort_by(|a, b| {
        b.accuracy.total_cmp(&a.accuracy).then_with(|| b.logme.total_cmp(&a.logme))
    });
    if let Some((best, others)) = ranked.split_first_mut() {
        best.tied = true;
        for other in others {
            other.tied = best.accuracy - other.accuracy <= 2. * of_difference(best, other);
        }
    }
}

/// The standard error of the difference of two accuracies: over the paired samples, and over the
/// seeds of new embedders.
fn of_difference(a: &Ranked, b: &Ranked) -> f64 {
    let samples = match a.correct.len() == b.correct.len() {
        true => of_mean(&a.correct.iter().zip(&b.correct).map(|(a, b)| a - b).collect::<Vec<_>>()),
        false => of_mean(&a.correct) + of_mean(&b.correct),
    };
    (samples + of_mean(&a.accuracies) + of_mean(&b.accuracies)).sqrt()
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len().max(1) as f64
}

/// The square of the standard error of a mean; 0 for a single value.
fn of_mean(of: &[f64]) -> f64 {
    let (count, mean) = (of.len() as f64, mean(of));
    if of.len() < 2 {
        return 0.;
    }
    of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.) / count
}

fn table(ranked: &[Ranked]) -> String {
    let mut rows = vec![
        ["", "source", "family", "embedder", "LogME", "probe accuracy", "time", ""]
            .map(String::from),
    ];
    for (at, r) in ranked.iter().enumerate() {
        let seeds = r.accuracies.len();
        rows.push([
            (at + 1).to_string(),
            printable(&r.source).into_owned(),
            printable(&format!("{} ({})", r.family, r.trained_on)).into_owned(),
            match r.embedder {
                Origin::Pretrained => "own".into(),
                Origin::Fresh => format!("fresh × {seeds}"),
            },
            match seeds {
                1 => format!("{:.3}", r.logme),
                _ => format!("{:.3} ± {:.3}", r.logme, of_mean(&r.logmes).sqrt()),
            },
            format!("{} ± {:.1}", percent(r.accuracy), 100. * r.standard_error),
            seconds(r.seconds),
            match (at, r.tied) {
                (1.., true) => "within the spread of the best".into(),
                _ => String::new(),
            },
        ]);
    }
    let width = |column: usize| {
        rows.iter().map(|row: &[String; 8]| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..8).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    });
    lines.collect()
}

/// The notes below the table.
fn notes(ranked: &[Ranked], unusable: &[Unusable], chance: f64) -> String {
    let mut text = format!("\nAlways predicting the largest class: {}.", percent(chance));
    let tied = ranked.iter().filter(|r| r.tied).count();
    if tied > 1 {
        text += &format!(
            " The best {tied} cannot be told apart by these samples: they differ by less than two \
             standard errors of the difference."
        );
    }
    if let Some(best) = ranked.first()
        && best.accuracy - 2. * best.standard_error <= chance
    {
        text += " Even the best is not certainly above that.";
    }
    text += "\n";
    if !unusable.is_empty() {
        text += "\nCannot be used:\n";
        for u in unusable {
            text += &format!("  {}\n", printable(&format!("{}: {}", u.source, u.reason)));
        }
    }
    text
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
