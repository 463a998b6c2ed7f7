//! The options of `check`, as clap reads them.

use std::path::PathBuf;

use clap::Args;

use crate::args::{DataArgs, LayoutArgs, ModalityArgs, ModalityFlags, ReadArgs};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) samples: DataArgs,
    /// Pretrained weights to train on them: tells how much of each sample the model takes
    #[arg(long, value_name = "PATH")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// Write some samples of each class to look at: a PNG of pictures or spectrograms, or a text
    /// file
    #[arg(long, value_name = "FILE")]
    pub(crate) sheet: Option<PathBuf>,
    /// Replace the file of --sheet if it exists
    #[arg(long, requires = "sheet")]
    pub(crate) overwrite: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}
