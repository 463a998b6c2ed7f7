//! Options of the command line for sentences.

use clap::{Args, ValueEnum};
use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::{options::Units, settings::TextSettings};

/// How sentences are prepared.
#[derive(Debug, Clone, Default, Args)]
pub struct TextArgs {
    /// Cut sentences off after so many tokens, special ones included [default: 256, or as many as
    /// the pretrained model has positions for]
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<u32>,
    /// What a text is cut into for a model that never saw text, and so brings no tokenizer [default:
    /// bytes]
    #[arg(long, value_enum)]
    pub units: Option<UnitsArg>,
}

/// What a text is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UnitsArg {
    /// The bytes of its UTF-8
    Bytes,
    /// Its characters, as far as the training texts have them
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
        Ok(Self::new(args.max_length).with_units(args.units.map(Units::from)))
    }
}
