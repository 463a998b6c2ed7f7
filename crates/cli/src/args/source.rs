//! Which model: the file or folder that a person names, and its family.

use std::path::PathBuf;

use clap::Args;

/// A model to look at or to run, in a command's first place.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// A run folder; or pretrained weights with a head for inputs of this kind
    #[arg(value_name = "RUN")]
    pub(crate) path: PathBuf,
    /// The family of pretrained weights, where it is not recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
}

/// A pretrained model to begin with.
#[derive(Debug, Clone, Args)]
pub(crate) struct WeightsArgs {
    /// The pretrained model: a checkpoint, a folder with one and its config.json, a run folder, or
    /// hf://org/name[@revision][/file], fetched into the cache of huggingface_hub; for --init random
    /// also an architecture alone, a JSON file such as a config.json
    #[arg(long, value_name = "PATH", help_heading = "Options")]
    pub(crate) weights: PathBuf,
    /// The family of the pretrained model, where it is not recognised
    #[arg(long, value_name = "NAME", help_heading = "Options")]
    pub(crate) family: Option<String>,
}
