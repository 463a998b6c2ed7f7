//! The options of `compare`, as clap reads them.

use std::{num::NonZeroUsize, path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum, value_parser};
use crosstune_report::ArmKind;

use crate::args::{
    Bytes, CheckpointArgs, DataArgs, FitArgs, LayoutArgs, ModalityArgs, ModalityFlags,
    TransferArgs, WeightsArgs,
};

#[derive(Debug, Args)]
pub(crate) struct CompareArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) source: WeightsArgs,
    #[command(flatten)]
    pub(crate) samples: DataArgs,
    /// Folder to write report.html, report.md and report.json to. If a comparison with the same
    /// options was stopped before it had written them, it goes on where it was
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Replace a report that is in the folder, finished or not
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Sizes of the training set: samples of each class (for transcribe and tag: in all) or `all`,
    /// each with its epochs after a colon (else --epochs): 10:30,30:15,all
    #[arg(long, value_name = "N[:EPOCHS],…", value_delimiter = ',', default_value = "10,all")]
    pub(crate) per_class: Vec<Size>,
    /// Number of seeds to train with: each has other samples and another initialisation
    #[arg(long, value_name = "N", default_value = "3", value_parser = value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: u64,
    /// Controls to compare the transfer with [default: scratch, and random-frozen if the recipe
    /// freezes something]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) controls: Vec<Control>,
    /// Learning rates of new parameters to try on held-out samples, for the transfer and each
    /// control and at each size; those of pretrained parameters keep the recipe's ratio
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_value = "3e-4,1e-3,3e-3")]
    pub(crate) rates: Vec<f64>,
    /// Fraction of the training samples held out to choose the learning rate
    #[arg(long, value_name = "FRACTION", default_value_t = 0.2)]
    pub(crate) held_out: f64,
    /// Accuracy, WER or span F1 for "samples to reach" and "time to reach", as a fraction [default:
    /// what scratch reaches on the largest size]
    #[arg(long, value_name = "FRACTION")]
    pub(crate) threshold: Option<f64>,
    /// Most points on a learning curve
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) points: NonZeroUsize,
    /// Number of the transfer's worst errors to show
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) errors: usize,
    /// Leave out samples that cannot be used, and name them; the sizes are of the others
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Memory for decoded samples (the rest are read again every epoch), and as much again for
    /// cached features (the rest go to disk); for example 500M or 16G. The result is the same under
    /// any
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    pub(crate) memory: Bytes,

    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    #[command(flatten)]
    pub(crate) fit: FitArgs,
    #[command(flatten)]
    pub(crate) checkpoint: CheckpointArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}

/// A size of the training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Samples of each class; `None`: all.
    pub(crate) per_class: Option<usize>,
    /// `None`: as the option --epochs says.
    pub(crate) epochs: Option<usize>,
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected a number of samples or all, perhaps with epochs: 10, 30:15, all:5";
        let positive = |text: &str| match text.parse() {
            Ok(0) | Err(_) => Err(wrong),
            Ok(n) => Ok(n),
        };
        let (samples, epochs) = match text.split_once(':') {
            Some((samples, epochs)) => (samples, Some(positive(epochs)?)),
            None => (text, None),
        };
        let per_class = if samples == "all" { None } else { Some(positive(samples)?) };
        Ok(Self { per_class, epochs })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Control {
    /// The same network with random weights, all of it trained
    Scratch,
    /// The same freezing on a random trunk
    RandomFrozen,
    /// The same freezing on pretrained values, shuffled within each tensor
    Shuffled,
}

impl From<Control> for ArmKind {
    fn from(arg: Control) -> Self {
        match arg {
            Control::Scratch => Self::Scratch,
            Control::RandomFrozen => Self::RandomFrozen,
            Control::Shuffled => Self::Shuffled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let size = |per_class, epochs| Ok(Size { per_class, epochs });
        assert_eq!("10:30".parse(), size(Some(10), Some(30)));
        assert_eq!("10".parse(), size(Some(10), None));
        assert_eq!("all:3".parse(), size(None, Some(3)));
        for wrong in ["", "0", "10:", "10:0", "some", "-1", "1:2:3"] {
            assert!(wrong.parse::<Size>().unwrap_err().starts_with("expected"), "{wrong}");
        }
    }
}
