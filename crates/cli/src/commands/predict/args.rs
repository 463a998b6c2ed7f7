//! The options of `predict`, as clap reads them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::args::{
    CertaintyArgs, ComputeArgs, DecodeArgs, InputArgs, SourceArgs, refuse_existing, setting,
};

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Inputs to label: files, folders of them, and tables as train takes them, with or without
    /// labels; a text without columns is labelled line by line
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Leave out inputs that cannot be read, and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
    /// Number of classes to show, most probable first (a multi-label model shows all labels that apply:
    /// those above 50 %, or above the threshold that was fitted)
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) top: usize,
    /// Give the time of each word of a transcript; a table has a row for each word
    #[arg(long)]
    pub(crate) times: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) certainty: CertaintyArgs,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    #[command(flatten)]
    pub(crate) output: AnswersArgs,
}

/// Where answers go, and in which form.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct AnswersArgs {
    /// File to write the answers to: .csv, .tsv or .jsonl [default: print them]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Format of the answers [default: by the ending of --out, or lines to read]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output_format: Option<AnswerFormat>,
    /// Print one JSON object per input: --output-format jsonl
    #[arg(long, conflicts_with = "output_format")]
    json: bool,
    /// Replace the file of --out
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// A form of answers for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// Values separated by commas, quoted where needed
    Csv,
    /// Values separated by tabs; a tab or line break within one becomes a space
    Tsv,
    /// A JSON object for each input
    #[value(alias = "json")]
    Jsonl,
}

impl AnswersArgs {
    /// The form that was asked for; `None`: lines for people.
    ///
    /// # Errors
    /// If the file is there already, or its name tells no form and none is given.
    pub(crate) fn format(&self) -> Result<Option<AnswerFormat>> {
        let asked = if self.json { Some(AnswerFormat::Jsonl) } else { self.output_format };
        let Some(out) = &self.out else { return Ok(asked) };
        refuse_existing("--out", out, self.overwrite)?;
        match asked.or_else(|| by_ending(out)) {
            Some(format) => Ok(Some(format)),
            None => {
                let problem = "its ending is none of .csv, .tsv and .jsonl; rename it, or add \
                               --output-format";
                Err(setting("--out", format!("{}: {problem}", out.display())))
            }
        }
    }
}

fn by_ending(out: &Path) -> Option<AnswerFormat> {
    let ending = out.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "csv" => AnswerFormat::Csv,
        "tsv" => AnswerFormat::Tsv,
        "jsonl" | "ndjson" | "json" => AnswerFormat::Jsonl,
        _ => return None,
    })
}
