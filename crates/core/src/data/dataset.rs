//! A data set with its labels and splits.

use std::path::{Path, PathBuf};

use super::found::{Found, RawTarget};
use super::gathering::Gathering;
use super::group::GROUP_PATTERN;
use super::inputs::Gathered;
use super::item::{Item, Split};
use super::layout::Layout;
use super::unusable::Unusable;
use super::{
    folder, group, labels, manifest, mapping, notes, schemes, shard_names, split, transcripts,
    vocabulary,
};
use crate::error::{Error, Result};
use crate::task::{Target, Task, TaskConfig, Vocabulary};

/// Items in splits, and the labels that their targets are indices into.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The folder or table it was read from.
    pub path: PathBuf,
    /// The task.
    pub task: Task,
    /// The labels of the training split, in order (numbers by size, else alphabetical; columns as
    /// they were named), or the names of its values.
    pub labels: Vec<String>,
    /// What the symbols of a transcription mean, which are the labels then.
    pub vocabulary: Option<Vocabulary>,
    /// To train on.
    pub train: Vec<Item>,
    /// To choose by: the best epoch, early stopping.
    pub validation: Vec<Item>,
    /// To report, never to choose by.
    pub test: Vec<Item>,
    /// Files that are not samples: their extensions, and how many there are of each.
    pub ignored: Vec<(String, usize)>,
    /// What is named and cannot be had; empty unless [`Layout::skip_bad`] leaves it out.
    pub bad: Vec<Unusable>,
    /// What should be said of how it was read, a line each.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Reads one of these:
    ///
    /// - a table (CSV, TSV, JSON Lines, with the feature `parquet` also Parquet) with a column of
    ///   inputs, one of labels, perhaps one named `split`;
    /// - a tar file in WebDataset's layout;
    /// - several of these, named with braces or stars: `shard-{000..011}.tar`, `train-*.parquet`;
    /// - a folder with `train.tsv` and perhaps `validation.tsv` and `test.tsv`, or with parts of
    ///   them as Hugging Face's `datasets` names them, `data/train-00000-of-00001.parquet`;
    /// - a folder with tables alone, all of them parts of one;
    /// - where words are labelled, a CoNLL file, or a folder of such files, which are named as the
    ///   splits are: `train.conll`, `eng.testa`, `emerging.dev.conll`;
    /// - a folder per class, below `train/`, `validation/`, `test/` or at the top;
    /// - a folder of files whose names hold the label ([`Layout::label_pattern`]);
    /// - for a transcription, a folder with the text of each sample: in tables anywhere above it, in
    ///   LibriSpeech's lists `*.trans.txt`, or in a `.txt` beside it.
    ///
    /// # Errors
    /// If there is nothing there, a class is empty, a table cannot be read or names files that are
    /// not there, a label occurs only outside of the training split, there are fewer than two
    /// classes, or a value is no finite number.
    pub fn open(path: impl AsRef<Path>, layout: &Layout) -> Result<Self> {
        let path = path.as_ref();
        if layout.limit_per_class.is_some() {
            check_classes(layout.task)?;
        }
        let mut all = Gathering::all(layout, |all| gather(path, all, "--data"))?;
        all.note_unmet();
        let mut ignored = match path.is_dir() {
            true => folder::ignored(path, layout, &all.tables),
            false => Default::default(),
        };
        // Tables that nobody read are noted by name.
        ignored.retain(|ending, _| {
            !manifest::is_table(&Path::new("_").with_extension(ending), layout)
        });
        // Those to train on stay where they are: they may be many.
        let mut train = std::mem::take(&mut all.found);
        let mut of = |split| train.extract_if(.., |one| one.split == Some(split)).collect();
        let (mut validation, mut test): (Vec<_>, Vec<_>) = (of(Split::Validation), of(Split::Test));
        refuse_missing(&mut train, &mut all);
        schemes::check(&mut train, &mut all, path)?;
        for (split, found) in [(Split::Validation, &mut validation), (Split::Test, &mut test)] {
            let known = |label: &str| train.iter().any(|found| found.label.names(label));
            if let Some(reason) = unlabelled(found, known) {
                let (n, samples) = (found.len(), layout.samples);
                found.clear();
                all.notes.push(format!(
                    "the {split} split has no labels ({reason}): its {n} {samples} are left out"
                ));
            }
            refuse_missing(found, &mut all);
        }
        let bad = all.bad(path)?;
        if let (true, Some(first)) = (train.is_empty(), bad.first()) {
            let (n, samples) = (bad.len(), layout.samples);
            let problem = format!("none of its {samples} can be used; the first of {n}: {first}");
            return Err(Error::Data { path: path.to_path_buf(), problem });
        }
        let (labels, vocabulary) = match layout.task {
            Task::Transcription => {
                let held_out = [(Split::Validation, &validation), (Split::Test, &test)];
                let (symbols, of) = vocabulary::vocabulary(&mut train, held_out, path, &mut all)?;
                (symbols, Some(of))
            }
            task => (labels::labels(task, &train, &bad, path)?, None),
        };
        let mut bad = [bad, all.bad(path)?].concat();
        let config = config(layout.task, &labels, vocabulary.as_ref());
        if let Some(pattern) = &layout.group_pattern {
            group::by_pattern(&mut train, pattern)?;
            group::of_held_out(&mut validation, pattern);
            group::of_held_out(&mut test, pattern);
        }
        let mut items = |found| labels::items(config, found, layout.skip_bad.then_some(&mut bad));
        let (train, validation, test) = (items(train)?, items(validation)?, items(test)?);
        let mut data = Self {
            path: path.to_path_buf(),
            task: layout.task,
            train,
            validation,
            test,
            labels,
            vocabulary,
            ignored: ignored.into_iter().collect(),
            bad,
            notes: std::mem::take(&mut all.notes),
        };
        let items: Vec<_> = data.items().collect();
        let notes = notes::notes(path, &all.tables, layout, &data.labels, &items);
        data.notes.extend(notes);
        data.notes.extend(schemes::notes(&data.labels, &data.train));
        Ok(data)
    }

    /// Replaces the test split by what [`evaluation`] reads from elsewhere.
    pub fn with_test(mut self, path: impl AsRef<Path>, layout: &Layout) -> Result<Self> {
        let Gathered { items, bad, notes, .. } =
            evaluation(path, layout, self.config(), "--eval-data")?;
        self.test = items;
        self.bad.extend(bad);
        self.notes.extend(notes);
        Ok(self)
    }

    /// The part of a model's specification that its task depends on, as far as data tell it.
    pub fn config(&self) -> TaskConfig<'_> {
        config(self.task, &self.labels, self.vocabulary.as_ref())
    }

    /// Brings the labels into the order that a model has them in, where they are the same. Where they
    /// are as many, but others, a note says how they pair up: the first with the first.
    pub fn order_labels(&mut self, model: &[String]) {
        if matches!(self.task, Task::Regression | Task::Transcription)
            || self.labels.len() != model.len()
        {
            return;
        }
        let place = |label: &String| model.iter().position(|other| other == label);
        let Some(places) = self.labels.iter().map(place).collect::<Option<Vec<_>>>() else {
            let other = mapping::mismatch(&self.labels, model);
            self.notes.push(other.unwrap_or_else(|| {
                format!(
                    "its labels ({}) are not the model's ({}) and take their places in this order",
                    mapping::shown(&self.labels),
                    mapping::shown(model)
                )
            }));
            return;
        };
        for item in self.train.iter_mut().chain(&mut self.validation).chain(&mut self.test) {
            match &mut item.target {
                Target::Class(class) => *class = places[*class],
                Target::Labels(labels) => {
                    let mut ordered = vec![false; labels.len()];
                    labels.iter().zip(&places).for_each(|(has, &at)| ordered[at] = *has);
                    *labels = ordered;
                }
                Target::Tags(tags) => tags.iter_mut().for_each(|tag| *tag = places[*tag]),
                Target::Values(_) | Target::Text { .. } | Target::Unknown => {}
            }
        }
        self.labels = model.to_vec();
    }

    /// Keeps at most `limit` training items of every class, chosen by the seed.
    ///
    /// # Errors
    /// If an item has not exactly one class.
    pub fn limit_per_class(&mut self, limit: usize, seed: u64) -> Result<()> {
        check_classes(self.task)?;
        split::limit_per_class(&mut self.train, limit, seed);
        Ok(())
    }

    /// Keeps `limit` training samples, chosen by the seed.
    pub fn limit(&mut self, limit: usize, seed: u64) {
        split::limit(&mut self.train, limit, seed);
    }

    /// Moves a fraction of every class (approximately, of labels; of values, of all samples) from
    /// training to validation, chosen by the seed; a group is never split. A data set that has its
    /// own validation split keeps it.
    /// # Errors
    /// If every group has all samples of some class.
    pub fn hold_out(&mut self, fraction: f64, seed: u64) -> Result<()> {
        if !self.validation.is_empty() || fraction <= 0. {
            return Ok(());
        }
        self.validation = if self.train.iter().any(|item| item.group.is_some()) {
            split::hold_out_groups(&mut self.train, fraction, seed).ok_or_else(|| {
                Error::Setting {
                    setting: GROUP_PATTERN,
                    problem:
                        "no group can be held out, for each has all samples of some class; take \
                          a finer pattern, or --validation 0"
                            .into(),
                }
            })?
        } else {
            split::hold_out(&mut self.train, fraction, seed)
        };
        Ok(())
    }

    /// Splits the training samples into `folds` stratified parts, never splitting a group, and
    /// makes part `fold`, counted from 1, the test split. The seed decides the parts, so that over
    /// all `fold` each sample is tested once (k-fold cross-validation).
    ///
    /// # Errors
    /// If the data set has a test split, if there is no such fold, or if one would be empty or have
    /// all samples of a class.
    pub fn fold(&mut self, folds: usize, fold: usize, seed: u64) -> Result<()> {
        let refused = |setting, problem: String| Err(Error::setting(setting, problem));
        if folds < 2 {
            return refused("--folds", format!("{folds}: must be at least 2"));
        }
        if folds > self.train.len() {
            let problem = format!("{folds}: there are {} training samples", self.train.len());
            return refused("--folds", problem);
        }
        if !(1..=folds).contains(&fold) {
            return refused("--fold", format!("{fold}: must be from 1 to {folds}"));
        }
        if !self.test.is_empty() {
            let problem = "the data has a test split of its own, so none is split off";
            return refused("--folds", problem.into());
        }
        let parts = split::folds(&self.train, folds, seed);
        if let Some(empty) = (0..folds).find(|fold| !parts.contains(fold)) {
            let problem = format!("fold {} of {folds} would be empty; take fewer", empty + 1);
            return refused("--folds", problem);
        }
        let chosen: Vec<bool> = parts.iter().map(|&part| part == fold - 1).collect();
        let left = |class| {
            let mut kept = self.train.iter().zip(&chosen).filter(|(_, chosen)| !**chosen);
            kept.any(|(item, _)| item.target.has(class))
        };
        // A text may have a symbol that no other has.
        let classes = if self.task == Task::Transcription { 0 } else { self.labels.len() };
        if let Some(class) = (0..classes).find(|&class| !left(class)) {
            let problem = format!(
                "fold {fold} of {folds} would have all samples of the {} {:?}; take others",
                self.task.answer(),
                self.labels[class]
            );
            return refused("--folds", problem);
        }
        self.test = split::partition(&mut self.train, &chosen);
        Ok(())
    }

    /// The fold of each training item, counted from 0: folds are stratified by class, and a group
    /// is in one alone. The seed decides.
    pub fn folds(&self, folds: usize, seed: u64) -> Vec<usize> {
        split::folds(&self.train, folds, seed)
    }

    /// All items, each with its split.
    pub fn items(&self) -> impl Iterator<Item = (Split, &Item)> {
        let splits = [
            (Split::Train, &self.train),
            (Split::Validation, &self.validation),
            (Split::Test, &self.test),
        ];
        splits.into_iter().flat_map(|(split, items)| items.iter().map(move |item| (split, item)))
    }
}

fn config<'l>(
    task: Task,
    labels: &'l [String],
    vocabulary: Option<&'l Vocabulary>,
) -> TaskConfig<'l> {
    TaskConfig { task, labels, scales: &[], vocabulary, calibration: None }
}

/// Reads items to evaluate a model with this task and these labels on: the test split of a data set
/// that has one, else all of it. `option` is the command-line option of the path.
///
/// # Errors
/// As [`Dataset::open`], and if a label is not among `labels`.
pub fn evaluation(
    path: impl AsRef<Path>,
    layout: &Layout,
    model: TaskConfig<'_>,
    option: &'static str,
) -> Result<Gathered> {
    let (path, labels) = (path.as_ref(), model.labels);
    // The limit is for what a model learns from.
    let layout = &Layout { limit_per_class: None, ..layout.clone() };
    let mut all = Gathering::all(layout, |all| gather(path, all, option))?;
    all.note_unmet();
    let mut found = std::mem::take(&mut all.found);
    if found.iter().any(|f| f.split == Some(Split::Test)) {
        found.retain(|f| f.split == Some(Split::Test));
    }
    if let Some(reason) = unlabelled(&found, |label| labels.iter().any(|known| known == label)) {
        return Err(Error::Data {
            path: path.to_path_buf(),
            problem: format!(
                "none of its {} {} has a label to compare answers with ({reason}); name another \
                 split's file, or ask for answers alone with predict",
                found.len(),
                layout.samples
            ),
        });
    }
    if !matches!(layout.task, Task::Regression | Task::Transcription)
        && let Some(problem) = labels::other_names(&found, labels)
    {
        return Err(Error::Data { path: path.to_path_buf(), problem });
    }
    refuse_missing(&mut found, &mut all);
    if let Some(vocabulary) = model.vocabulary.filter(|_| layout.task == Task::Transcription) {
        all.notes.extend(vocabulary::notes(Split::Test, &found, labels, vocabulary));
    }
    if let Some(pattern) = &layout.group_pattern {
        group::of_held_out(&mut found, pattern);
    }
    let mut bad = all.bad(path)?;
    let skipped = layout.skip_bad.then_some(&mut bad);
    let items = labels::items(model, found, skipped)?;
    Ok(Gathered { items, bad, notes: all.notes, ignored: vec![] })
}

/// Samples that are limited by class have one each.
fn check_classes(task: Task) -> Result<()> {
    match task {
        Task::SingleLabel => Ok(()),
        _ => {
            let problem = format!("{task} gives no class of its own to each sample");
            Err(Error::setting("--limit-per-class", problem))
        }
    }
}

/// Why no sample of a split has a label: each is missing, or -1 where that is none of the `known`.
fn unlabelled(found: &[Found], known: impl Fn(&str) -> bool) -> Option<&'static str> {
    const NONE: &str = "-1";
    let none = |found: &Found| match &found.label {
        RawTarget::Missing(_) => true,
        label => label.names(NONE) && !known(NONE),
    };
    (!found.is_empty() && found.iter().all(none)).then_some("each is missing or -1")
}

/// Samples without a label cannot be used.
fn refuse_missing(found: &mut Vec<Found>, all: &mut Gathering<'_>) {
    found.retain(|found| match &found.label {
        RawTarget::Missing(problem) => {
            all.refuse(found.place.clone(), problem);
            false
        }
        _ => true,
    });
}

fn gather(path: &Path, all: &mut Gathering<'_>, option: &'static str) -> Result<()> {
    if let Some(files) = shard_names::expand(path)? {
        return folder::gather_files(&files, all);
    }
    if !path.exists() {
        return Err(Error::setting(option, format!("{}: no such file or folder", path.display())));
    }
    match (path.is_dir(), all.layout.task) {
        (true, Task::Transcription) => transcripts::gather(path, all)?,
        (true, _) => folder::gather(path, all)?,
        (false, _) => return manifest::gather(path, all),
    }
    all.refuse_missing_shards();
    Ok(())
}
