//! Which model: the file or folder that a person names, and its family.

use std::path::PathBuf;

use clap::Args;

/// A model to look at or to run, the first argument of a command.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// A run folder, or a pretrained model: a file, a folder or
    /// hf://org/name[@revision][/file]
    #[arg(value_name = "MODEL")]
    pub(crate) path: PathBuf,
    /// Family of a pretrained model, if it is not recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
}

/// A pretrained model to start from.
#[derive(Debug, Clone, Args)]
pub(crate) struct WeightsArgs {
    /// Pretrained model: a checkpoint, a folder with one and its config.json, a run folder, or
    /// hf://org/name[@revision][/file], downloaded to the cache of huggingface_hub; to train from
    /// scratch also an architecture alone, a JSON file such as a config.json
    #[arg(long, value_name = "PATH")]
    pub(crate) weights: PathBuf,
    /// Family of the pretrained model, if it is not recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
}
