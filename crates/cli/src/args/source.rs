//! Which model: the file or folder that a person names, and how it is read.

use std::path::{Path, PathBuf};

use clap::Args;
use crosstune_core::SourceOptions;

/// A model to look at or to run, the first argument of a command.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// A run folder, or a pretrained model: a file, a folder, an adapter of PEFT or
    /// hf://org/name[@revision][/file]
    #[arg(value_name = "MODEL")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

/// A pretrained model to start from.
#[derive(Debug, Clone, Args)]
pub(crate) struct WeightsArgs {
    /// Pretrained model: a checkpoint, a folder with one and its config.json, a folder of PEFT with a
    /// LoRA adapter, a run folder, or hf://org/name[@revision][/file], downloaded to the cache of
    /// huggingface_hub; to train from scratch also an architecture alone, a JSON file such as a
    /// config.json
    #[arg(long, value_name = "PATH")]
    pub(crate) weights: PathBuf,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

/// How a pretrained model is read.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReadArgs {
    /// Family of a pretrained model, if it is not recognised; inspect --families lists them
    #[arg(long, value_name = "NAME")]
    pub(crate) family: Option<String>,
    /// Key below which a file has the weights that are meant, if it has several: state_dict_ema
    #[arg(long, value_name = "KEY")]
    pub(crate) weights_key: Option<String>,
    /// Pretrained model that an adapter of PEFT belongs to [default: the one that it names]
    #[arg(long, value_name = "PATH")]
    pub(crate) base: Option<PathBuf>,
}

impl ReadArgs {
    /// The same for the library, with this base.
    pub(crate) fn options<'o>(&'o self, base: Option<&'o Path>) -> SourceOptions<'o> {
        let (family, weights_key) = (self.family.as_deref(), self.weights_key.as_deref());
        SourceOptions { family, weights_key, base }
    }
}
