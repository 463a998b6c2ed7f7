//! The list of commands.

use clap::{Parser, Subcommand};

use crate::{
    args::ModalityArgs,
    commands::{
        check::CheckArgs, compare::CompareArgs, completions::CompletionsArgs, embed::EmbedArgs,
        evaluate::EvaluateArgs, explain::ExplainArgs, export::ExportArgs, inspect::InspectArgs,
        man::ManArgs, plot::PlotArgs, predict::PredictArgs, rank::RankArgs, serve::ServeArgs,
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
    /// Check labelled samples without training: classes, sizes, duplicates, unreadable files
    Check(Box<CheckArgs<A>>),
    /// Rank pretrained models by how well their features suit a labelled data set, without training
    Rank(Box<RankArgs<A>>),
    /// Write the source model's own input embeddings of labelled samples, for --align
    Embed(Box<EmbedArgs<A>>),
    /// Train the transfer and its controls with the same budget, and report the gain
    Compare(Box<CompareArgs<A>>),
    /// Evaluate a tuned model, or a pretrained one with a head, on labelled samples
    Evaluate(Box<EvaluateArgs>),
    /// Predict labels or values for files, with a tuned model or a pretrained one with a head
    Predict(Box<PredictArgs>),
    /// Answer requests over HTTP, with tuned models or pretrained ones with a head
    Serve(Box<ServeArgs>),
    /// Explain answers by the parts of files that they are due to: words, pixels, sounds
    Explain(Box<ExplainArgs>),
    /// Show what a checkpoint or a run folder holds
    Inspect(InspectArgs),
    /// Export a tuned model for other programs
    Export(ExportArgs),
    /// Draw the curves of finished trainings, several in one picture
    Plot(PlotArgs),
    /// Print what a shell needs to complete commands and options
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
}

#[cfg(test)]
mod tests;
