//! The options that say how a data set is read, as clap reads them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use crosstune_core::{
    Dataset, Layout, Modality, Spec, Task,
    data::{Symbols, TableFormat},
    files::read_json,
    task::LetterCase,
};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::setting::setting;

/// The file in a run folder that says how the labels of its data set were read.
pub(crate) const LAYOUT: &str = "layout.json";

/// Where labelled samples are.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataArgs {
    /// Labelled samples: a folder per class (optionally below train/ and test/), or a table (CSV,
    /// TSV, JSON Lines or Parquet), or a folder of tables, or tar files in WebDataset's layout, also
    /// several in quotes: 'shard-{000..011}.tar', 'train-*.parquet'; to transcribe, also a folder as
    /// LibriSpeech's or Common Voice's, or with a .txt beside each sample
    #[arg(long, value_name = "PATH")]
    pub(crate) data: PathBuf,
    /// Labelled samples to test on [default: the test split of --data]
    #[arg(long, value_name = "PATH")]
    pub(crate) eval_data: Option<PathBuf>,
}

impl DataArgs {
    /// The data set, with all its splits.
    pub(crate) fn open(&self, layout: &Layout) -> Result<Dataset> {
        let data = Dataset::open(&self.data, layout)?;
        Ok(match &self.eval_data {
            Some(path) => data.with_test(path, layout)?,
            None => data,
        })
    }
}

/// How inputs are found in tables.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Data layout")]
pub(crate) struct InputArgs {
    /// Format of tables, if neither what they hold nor their names tell it
    #[arg(long, value_enum, value_name = "FORMAT")]
    #[serde(default, skip)]
    format: Option<FormatArg>,
    /// The table's column of inputs: a name, or a number counted from 1
    #[arg(long, value_name = "COLUMN")]
    #[serde(default)]
    input_column: Option<String>,
    /// The table's column of second sentences, for sentence pairs
    #[arg(long, value_name = "COLUMN")]
    #[serde(default)]
    pair_column: Option<String>,
}

impl InputArgs {
    /// What is given here, and from `saved` what is not.
    fn or(self, saved: Self) -> Self {
        Self {
            format: self.format,
            input_column: self.input_column.or(saved.input_column),
            pair_column: self.pair_column.or(saved.pair_column),
        }
    }
}

/// The formats of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// Values separated by commas or semicolons
    Csv,
    /// Values separated by tabs
    Tsv,
    /// A JSON object in each line
    Jsonl,
    /// Apache Parquet
    Parquet,
    /// A word with its label in each line, a blank line between sentences (for the task tag)
    Conll,
}

impl From<FormatArg> for TableFormat {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Csv => Self::Csv,
            FormatArg::Tsv => Self::Tsv,
            FormatArg::Jsonl => Self::JsonLines,
            FormatArg::Parquet => Self::Parquet,
            FormatArg::Conll => Self::Conll,
        }
    }
}

/// How inputs and labels are found in a data set. Saved in a run folder, so that `evaluate` finds
/// them as `train` did.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Data layout")]
pub(crate) struct LayoutArgs {
    /// What is predicted for each sample [default: single-label, or as the model was trained]
    #[arg(long, value_enum, value_name = "TASK")]
    #[serde(default)]
    task: Option<TaskArg>,
    /// Regex for the label in a file name, as its group `label`: '^(?<label>\d)_'
    #[arg(long, value_name = "REGEX", value_parser = pattern, allow_hyphen_values = true)]
    label_pattern: Option<String>,
    /// Regex for the file names of the test split: '_[0-4]\.wav$'
    #[arg(
        long,
        value_name = "REGEX",
        value_parser = pattern,
        requires = "label_pattern",
        allow_hyphen_values = true
    )]
    test_pattern: Option<String>,
    /// Regex for the group (a speaker, say) in a file name, as its group `group`:
    /// '_(?<group>\w+)_'; a group is never split between training and held-out data
    #[arg(long, value_name = "REGEX", value_parser = pattern, allow_hyphen_values = true)]
    #[serde(default, skip)]
    group_pattern: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    inputs: InputArgs,
    /// The table's column of labels or values; for multi-label (columns of 0 and 1) and regression
    /// also several, separated by commas
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// The table's column of texts, for the task transcribe
    #[arg(long, value_name = "COLUMN")]
    #[serde(default)]
    text_column: Option<String>,
    /// Transcribe in lower case
    #[arg(long)]
    #[serde(default)]
    lowercase: bool,
    /// Transcribe in upper case
    #[arg(long, conflicts_with = "lowercase")]
    #[serde(default)]
    uppercase: bool,
    /// Symbols to transcribe in: a file with one in each line, or a vocab.json [default: the
    /// characters of the training texts]
    #[arg(long, value_name = "FILE")]
    #[serde(default, skip)]
    symbols: Option<PathBuf>,
    /// Separator of the labels of a multi-label sample [default: |]
    #[arg(
        long,
        value_name = "TEXT",
        value_parser = NonEmptyStringValueParser::new(),
        allow_hyphen_values = true
    )]
    #[serde(default)]
    label_separator: Option<String>,
    /// Other names for labels of the data: those that a pretrained head has for them
    /// ('0=NEGATIVE,1=POSITIVE'), or one for several that mean the same ('Spam=spam')
    #[arg(long, value_name = "DATA=MODEL", value_delimiter = ',', value_parser = renamed)]
    #[serde(default)]
    map_labels: Vec<(String, String)>,
    /// The table's column of groups, instead of --group-pattern
    #[arg(long, value_name = "COLUMN", conflicts_with = "group_pattern")]
    #[serde(default, skip)]
    group_column: Option<String>,
}

/// Checks a pattern while the command line is parsed.
fn pattern(text: &str) -> Result<String, regex::Error> {
    Regex::new(text).map(|_| text.to_string())
}

/// Two names of a label.
fn renamed(text: &str) -> Result<(String, String), &'static str> {
    let (from, to) = text.split_once('=').ok_or("expected two names with = between")?;
    match to.trim() {
        "" => Err("the name after = is empty"),
        to => Ok((from.trim().to_string(), to.to_string())),
    }
}

impl LayoutArgs {
    /// How a tuned model's inputs are found: as given, and what is not, as in its training.
    pub(crate) fn of_inputs(inputs: &InputArgs, model: &Path) -> Result<Self> {
        Self { inputs: inputs.clone(), ..Self::default() }.or_of(model)
    }

    /// What is given here, and what is not from a tuned model's run folder, if it is one.
    pub(crate) fn or_of(self, model: &Path) -> Result<Self> {
        Ok(match Spec::is_at(model) {
            true => self.or(read_json(&model.join(LAYOUT))?),
            false => self,
        })
    }

    /// What is given here, and from `saved` what is not.
    fn or(self, saved: Self) -> Self {
        Self {
            task: self.task.or(saved.task),
            label_separator: self.label_separator.or(saved.label_separator),
            map_labels: match self.map_labels.is_empty() {
                true => saved.map_labels,
                false => self.map_labels,
            },
            label_pattern: self.label_pattern.or(saved.label_pattern),
            test_pattern: self.test_pattern.or(saved.test_pattern),
            inputs: self.inputs.or(saved.inputs),
            label_column: self.label_column.or(saved.label_column),
            text_column: self.text_column.or(saved.text_column),
            lowercase: !self.uppercase && (self.lowercase || saved.lowercase),
            uppercase: !self.lowercase && (self.uppercase || saved.uppercase),
            symbols: self.symbols,
            // Those of a training decided what was held out, and are not saved.
            group_pattern: self.group_pattern,
            group_column: self.group_column,
        }
    }

    /// What is predicted for each sample, if that is given.
    pub(crate) fn task(&self) -> Option<Task> {
        self.task.map(Task::from)
    }

    /// Refuses other symbols than those of a model that has some.
    pub(crate) fn refuse_symbols(&self) -> Result<()> {
        match self.symbols {
            Some(_) => Err(setting("--symbols", "the model has symbols of its own; leave it out")),
            None => Ok(()),
        }
    }

    pub(crate) fn layout<M: Modality>(&self) -> Result<Layout> {
        let compile = |pattern: &Option<String>| pattern.as_deref().map(Regex::new).transpose();
        let defaults = M::layout();
        Ok(Layout {
            task: self.task().unwrap_or_default(),
            label_separator: self.label_separator.clone().unwrap_or(defaults.label_separator),
            label_map: self.map_labels.clone(),
            label_pattern: compile(&self.label_pattern)?,
            test_pattern: compile(&self.test_pattern)?,
            group_pattern: compile(&self.group_pattern)?,
            format: self.inputs.format.map(TableFormat::from),
            input_column: self.inputs.input_column.clone(),
            pair_column: self.inputs.pair_column.clone(),
            label_column: self.label_column.clone(),
            text_column: self.text_column.clone(),
            letter_case: match (self.lowercase, self.uppercase) {
                (true, _) => LetterCase::Lower,
                (_, true) => LetterCase::Upper,
                _ => LetterCase::Kept,
            },
            symbols: self.symbols.as_deref().map(Symbols::read).transpose()?,
            group_column: self.group_column.clone(),
            ..defaults
        })
    }
}

/// What is predicted for each sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaskArg {
    /// One class
    SingleLabel,
    /// Any number of labels
    MultiLabel,
    /// One or several numbers
    Regression,
    /// The text that is spoken or written in it (CTC)
    #[value(alias = "transcription", alias = "ctc", alias = "asr")]
    Transcribe,
    /// A label for every word: named entities, parts of speech
    #[value(alias = "tagging", alias = "token-classification", alias = "ner")]
    Tag,
}

impl From<TaskArg> for Task {
    fn from(arg: TaskArg) -> Self {
        match arg {
            TaskArg::SingleLabel => Self::SingleLabel,
            TaskArg::MultiLabel => Self::MultiLabel,
            TaskArg::Regression => Self::Regression,
            TaskArg::Transcribe => Self::Transcription,
            TaskArg::Tag => Self::Tagging,
        }
    }
}
