//! The command-line options of sentences.

use clap::{Args, ValueEnum};
use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::{
    options::{LONGEST, MAX_LENGTH, Units},
    settings::TextSettings,
};

/// How sentences are prepared. Options left out follow the pretrained model or, for sources of
/// another modality, the defaults.
#[derive(Debug, Clone, Default, Args)]
pub struct TextArgs {
    /// Truncate sentences to this many tokens, special tokens included [default: enough for 95 % of
    /// the training set, within 256 to 512; at most the pretrained model's positions]
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<u32>,
    /// Tokens for a model that was not trained on text and so has no tokenizer [default: bytes]
    #[arg(long, value_enum)]
    pub units: Option<UnitsArg>,
}

/// The values of `--units`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UnitsArg {
    /// The bytes of the UTF-8 text
    Bytes,
    /// The characters, those that occur in the training texts
    Characters,
}

impl From<UnitsArg> for Units {
    fn from(arg: UnitsArg) -> Self {
        match arg {
            UnitsArg::Bytes => Self::Bytes,
            UnitsArg::Characters => Self::Characters,
        }
    }
}

impl ModalityArgs for TextArgs {
    type Modality = TextSettings;
}

impl TryFrom<TextArgs> for TextSettings {
    type Error = Error;

    fn try_from(args: TextArgs) -> Result<Self> {
        if let Some(tokens) = args.max_length.filter(|&tokens| tokens > LONGEST) {
            return Err(Error::setting(MAX_LENGTH, format!("{tokens} tokens; at most {LONGEST}")));
        }
        Ok(Self::new(args.max_length).with_units(args.units.map(Units::from)))
    }
}
