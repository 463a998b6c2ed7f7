//! The options, as clap reads them.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    ModalityArgs,
    args::{
        data::{DataArgs, LayoutArgs},
        fit::FitArgs,
        samples::{EmbedArgs, RankArgs},
        transfer::TransferArgs,
    },
    commands::compare::CompareArgs,
};

#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli<A: ModalityArgs> {
    #[command(subcommand)]
    pub(crate) command: Command<A>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command<A: ModalityArgs> {
    /// Fine-tune a pretrained model on labelled samples
    Train(Box<TrainArgs<A>>),
    /// Read labelled samples without training, and say what they are and what is wrong
    Check(Box<CheckArgs<A>>),
    /// Tell which of several pretrained models suits labelled samples, without training
    Rank(Box<RankArgs<A>>),
    /// Write what a pretrained model's own embedder makes of labelled samples, to align others with
    Embed(Box<EmbedArgs<A>>),
    /// Train a transfer and its controls alike, and report what the transfer brings
    Compare(Box<CompareArgs<A>>),
    /// Measure a tuned model on labelled samples
    Evaluate(EvaluateArgs),
    /// Label files with a tuned model
    Predict(PredictArgs),
    /// Show what a checkpoint or a run folder holds
    Inspect(InspectArgs),
    /// Write a tuned model for other programs
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
    #[command(flatten)]
    pub(crate) samples: DataArgs,
    /// The run folder to make
    #[arg(long, value_name = "DIR", required_unless_present_any = ["plan", "find_lr"])]
    pub(crate) out: Option<PathBuf>,
    /// Write what becomes of each tensor, what trains at which rate, and what it would cost, in
    /// TOML, and do not train
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Try rates from 1e-6 to 1, one a step, plot the loss into this SVG file, and do not train
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) find_lr: Option<PathBuf>,
    /// Train only if all is as the file says that --plan wrote
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub(crate) hold_to: Option<PathBuf>,
    /// Replace the run folder if it exists
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Keep at most this many training samples of every class
    #[arg(long, value_name = "N")]
    pub(crate) limit_per_class: Option<usize>,
    /// The share of the training samples held out to choose the best epoch by, where the data has
    /// no validation split of its own; 0: none
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) validation: f64,
    /// Cut the training samples into this many folds, and report on the one that --fold names
    #[arg(long, value_name = "K", requires = "fold")]
    pub(crate) folds: Option<usize>,
    /// The fold to report on, from 1 to K
    #[arg(long, value_name = "I", requires = "folds")]
    pub(crate) fold: Option<usize>,
    /// Leave out samples that cannot be read
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Samples of at most so many bytes are kept in memory, the others read again in every epoch,
    /// and as many bytes of what frozen parts make of them, the others on disk; for example 500M or
    /// 16G
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    pub(crate) memory: Bytes,
    /// Compute what frozen parts make of the samples anew in every epoch, rather than keep it
    #[arg(long)]
    pub(crate) recompute: bool,
    /// Name the tensors that were taken, made fresh, reshaped or left
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) fit: FitArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}

/// Puts the modality's options under a heading of their own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Inputs")]
pub(crate) struct ModalityFlags<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) args: A,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) samples: DataArgs,
    /// Write some samples of every class to look at: a PNG of pictures or spectrograms, or a text
    #[arg(long, value_name = "FILE")]
    pub(crate) sheet: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// A run folder; or pretrained weights with a head for inputs of this kind
    pub(crate) run: PathBuf,
    /// The family of pretrained weights, where it is not recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
    /// Labelled samples, in any layout that train takes; of a folder with a test split, that
    pub(crate) data: PathBuf,
    /// Leave out samples that cannot be read
    #[arg(long)]
    pub(crate) skip_bad: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// A run folder; or pretrained weights with a head for inputs of this kind
    pub(crate) run: PathBuf,
    /// The family of pretrained weights, where it is not recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
    /// What to label; a text file is labelled line by line
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How many classes to show of each, the likeliest first (of a multi-label model, all labels above
    /// 50 % are shown)
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) top: usize,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    /// Print one JSON object per input
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a tuned model is run.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// Samples at a time
    #[arg(long, value_name = "N", default_value = "32")]
    pub(crate) batch_size: NonZeroUsize,
    /// Where to compute: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: DeviceArg,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Pretrained weights, a file, a folder or hf://org/name[@revision][/file]; or a run folder
    pub(crate) weights: PathBuf,
    /// The family of the model, where it is not recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A run folder
    pub(crate) run: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t = FormatArg::Hf)]
    pub(crate) format: FormatArg,
    /// The folder (hf, peft) or file to write; it must not exist
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// For peft: the pretrained model that was tuned [default: the --weights of the training]
    #[arg(long, value_name = "PATH")]
    pub(crate) base: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// A folder that transformers opens with from_pretrained
    Hf,
    /// All parameters in one file, under Crosstune's names
    Safetensors,
    /// A traced module that torch.jit.load opens: from prepared batches to logits
    Torchscript,
    /// A folder with the adapters of a LoRA alone, which peft opens beside the pretrained model
    Peft,
}

/// A device that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceArg(pub(crate) tch::Device);

impl std::str::FromStr for DeviceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let index = match text {
            "cpu" => return Ok(Self(tch::Device::Cpu)),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|n| n.parse().ok()),
        };
        let index = index.ok_or("expected cpu, cuda or cuda:N")?;
        match tch::Cuda::device_count() {
            0 => Err("this libtorch sees no CUDA device; `cargo xtask doctor` says why".into()),
            n if index >= n as usize => Err(format!("there are {n} CUDA devices, counted from 0")),
            _ => Ok(Self(tch::Device::Cuda(index))),
        }
    }
}

/// A number of bytes: `1500`, `500K`, `500M`, `16G`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes(pub(crate) usize);

impl std::str::FromStr for Bytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
        let unit = match unit.to_ascii_uppercase().as_str() {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            _ => return Err("expected a number of bytes such as 500M or 16G"),
        };
        let bytes = digits.parse::<usize>().ok().and_then(|n| n.checked_mul(unit));
        bytes.map(Self).ok_or("expected a number of bytes such as 500M or 16G")
    }
}
