//! The options of `explain`, as clap reads them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use crosstune_core::Baseline;
use crosstune_core::predict::{ExplainMethod, ExplainOptions, Occluder};

use crate::args::{ComputeArgs, InputArgs, SourceArgs, setting};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Inputs whose answers are explained: files, folders of them and tables, as predict takes them; a
    /// text without columns is taken line by line
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Folder to write to: index.html, a page with everything in it; explanations.json, the numbers; and
    /// a PNG file for each explanation
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Replace files in the folder of --out
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// What to explain: a class, a label, a value by its name, or the label of a word [default: what the
    /// model answers]
    #[arg(long, value_name = "LABEL")]
    pub(crate) target: Option<String>,
    /// Which word to explain, counted from 1: of a sentence whose words are labelled, or of a transcript
    /// [default: every word that is labelled as something, or the whole transcript]
    #[arg(long, value_name = "N")]
    pub(crate) word: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) how: MethodArgs,
    /// Most explanations to make; what is beyond is left out, and said
    #[arg(long, value_name = "N", default_value = "32")]
    pub(crate) limit: NonZeroUsize,
    /// Leave out inputs that cannot be read, and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
}

/// By what answers are explained.
#[derive(Debug, Args)]
#[command(next_help_heading = "Method")]
pub(crate) struct MethodArgs {
    /// Integrated gradients add up to what the input changes in the answer; occlusion covers one part of
    /// the input after the other
    #[arg(long, value_enum, value_name = "METHOD", default_value = "integrated-gradients")]
    method: MethodArg,
    /// Gradients to take on the way from the baseline to the input; more are taken where they do not add
    /// up [default: 50]
    #[arg(long, value_name = "N")]
    steps: Option<NonZeroUsize>,
    /// By which share of the whole the sum of gradients may be off [default: 0.01]
    #[arg(long, value_name = "SHARE")]
    tolerance: Option<f64>,
    /// Share of each side of a picture or spectrogram that occlusion covers at a time; of texts it covers
    /// words [default: 0.125]
    #[arg(long, value_name = "SHARE")]
    window: Option<f64>,
    /// What the input is compared with, or covered by: padding (texts), black, mean, blurred (pictures),
    /// silence, mean (recordings), zero (no embedding at all; only gradients) [default: padding, black or
    /// silence; to cover parts of pictures and recordings, mean]
    #[arg(long, value_enum, value_name = "WHAT")]
    baseline: Option<BaselineArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodArg {
    /// Sundararajan et al. 2017, at the embedder's output
    IntegratedGradients,
    /// Zeiler and Fergus 2014
    Occlusion,
}

#[derive(Debug, Clone, Copy)]
struct BaselineArg(Baseline);

impl ValueEnum for BaselineArg {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [BaselineArg; 6] = {
            let [a, b, c, d, e, f] = Baseline::ALL;
            [
                BaselineArg(a),
                BaselineArg(b),
                BaselineArg(c),
                BaselineArg(d),
                BaselineArg(e),
                BaselineArg(f),
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.0.name().into())
    }
}

impl MethodArgs {
    /// The same for the library.
    ///
    /// # Errors
    /// If an option is out of its range, or is one of the other method.
    pub(crate) fn options(&self, compute: &ComputeArgs) -> Result<ExplainOptions> {
        let of_other = |option, given: bool, other| match given {
            true => Err(setting(option, format!("it belongs to --method {other}; leave it out"))),
            false => Ok(()),
        };
        let method = match self.method {
            MethodArg::IntegratedGradients => {
                of_other("--window", self.window.is_some(), "occlusion")?;
                let steps = self.steps.map_or(ExplainMethod::STEPS, NonZeroUsize::get);
                if steps > MOST_STEPS {
                    let problem = format!("{steps}: must be at most {MOST_STEPS}");
                    return Err(setting("--steps", problem));
                }
                let tolerance = self.tolerance.unwrap_or(ExplainMethod::TOLERANCE);
                if !(tolerance > 0. && tolerance < 1.) {
                    let problem = format!("{tolerance}: must be above 0 and below 1");
                    return Err(setting("--tolerance", problem));
                }
                ExplainMethod::IntegratedGradients { steps, tolerance }
            }
            MethodArg::Occlusion => {
                of_other("--steps", self.steps.is_some(), "integrated-gradients")?;
                of_other("--tolerance", self.tolerance.is_some(), "integrated-gradients")?;
                let share = self.window.unwrap_or(ExplainMethod::SHARE);
                if !(share > 0. && share <= 1.) {
                    let problem = format!("{share}: must be above 0 and at most 1");
                    return Err(setting("--window", problem));
                }
                ExplainMethod::Occlusion(Occluder::Share(share))
            }
        };
        let (baseline, batch_size) = (self.baseline.map(|of| of.0), compute.batch_size.get());
        Ok(ExplainOptions { method, baseline, batch_size })
    }
}

/// More points than these tell nothing new.
const MOST_STEPS: usize = 10_000;
