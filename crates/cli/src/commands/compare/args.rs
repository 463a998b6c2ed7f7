//! The options of `compare`, as clap reads them.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
};

use clap::{Args, ValueEnum};
use crosstune_report::ArmKind;

use crate::args::{Bytes, DataArgs, FitArgs, ModalityArgs, ModalityFlags, TransferArgs};

#[derive(Debug, Args)]
pub(crate) struct CompareArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
    #[command(flatten)]
    pub(crate) samples: DataArgs,
    /// The folder to write report.html, report.md and report.json into
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Training samples of every class, or `all`, each with its epochs behind a colon or else
    /// --epochs: 10:30,30:15,all
    #[arg(long, value_name = "N[:EPOCHS],…", value_delimiter = ',', default_value = "10,all")]
    pub(crate) per_class: Vec<Size>,
    /// How many times each is trained, each time with other samples and fresh parameters
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) seeds: NonZeroU64,
    /// What the transfer is compared with [default: scratch, and random-frozen where the recipe
    /// freezes something]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) controls: Vec<Control>,
    /// The rates of fresh parameters that every arm tries on held-out samples, at every size; those
    /// of pretrained ones keep the recipe's proportion
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_value = "3e-4,1e-3,3e-3")]
    pub(crate) rates: Vec<f64>,
    /// The share of the training samples that is held out to choose the rate by
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    pub(crate) held_out: f64,
    /// The accuracy that samples and time to reach are told of, 0 to 1 [default: what scratch
    /// reaches on the largest size]
    #[arg(long, value_name = "ACCURACY")]
    pub(crate) threshold: Option<f64>,
    /// At how many points of a training, at most, the curve is measured
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) points: NonZeroUsize,
    /// How many of the transfer's worst errors to show
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) errors: usize,
    /// Samples of at most so many bytes are kept in memory; for example 500M or 16G
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    pub(crate) memory: Bytes,
    #[command(flatten)]
    pub(crate) fit: FitArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}

/// A size of training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Samples of every class; `None`: all there are.
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
    /// The same network, random, all of it trained
    Scratch,
    /// The same freezing on a random trunk
    RandomFrozen,
    /// The same freezing on pretrained weights that changed places within each tensor
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
