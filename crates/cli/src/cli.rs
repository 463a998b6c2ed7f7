//! The list of commands.

use clap::{Parser, Subcommand};

use crate::{
    args::ModalityArgs,
    commands::{
        check::CheckArgs, compare::CompareArgs, embed::EmbedArgs, evaluate::EvaluateArgs,
        export::ExportArgs, inspect::InspectArgs, predict::PredictArgs, rank::RankArgs,
        train::TrainArgs,
    },
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
