//! Options of the command line for sentences.

use clap::Args;
use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::TextSettings;

/// How sentences are prepared.
#[derive(Debug, Clone, Default, Args)]
pub struct TextArgs {
    /// Cut sentences off after so many tokens, special ones included [default: 256, or as many as
    /// the pretrained model has positions for]
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<u32>,
}

impl ModalityArgs for TextArgs {
    type Modality = TextSettings;
}

impl TryFrom<TextArgs> for TextSettings {
    type Error = Error;

    fn try_from(args: TextArgs) -> Result<Self> {
        Ok(Self::new(args.max_length))
    }
}
