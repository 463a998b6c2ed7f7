//! Options of the command line for pictures.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::{Channels, ImageOptions, ImageSettings};

/// How pictures are prepared. What is left out is as the pretrained model has it, if that was trained
/// on pictures; else the training set settles it.
#[derive(Debug, Clone, Default, Args)]
pub struct ImageArgs {
    /// Scale and crop pictures to a square of this side [default: the model's; or theirs if all
    /// have one of at most 64, else 224]
    #[arg(long, value_name = "PX")]
    pub size: Option<u32>,
    /// Cut pictures into square patches of this side, which divides the size [default: the model's;
    /// or about 2, 4 or 16, by size]
    #[arg(long, value_name = "PX")]
    pub patch: Option<u32>,
    /// See pictures in grey (1) or in colour (3) [default: as the model does; or grey if
    /// all are stored so]
    #[arg(long, value_parser = PossibleValuesParser::new(["1", "3"]).map(channels))]
    pub channels: Option<Channels>,
}

fn channels(count: String) -> Channels {
    if count == "1" { Channels::Grey } else { Channels::Rgb }
}

impl ModalityArgs for ImageArgs {
    type Modality = ImageSettings;
}

/// Checks the options.
impl TryFrom<ImageArgs> for ImageSettings {
    type Error = Error;

    fn try_from(args: ImageArgs) -> Result<Self> {
        let ImageArgs { size, patch, channels } = args;
        Self::new(ImageOptions { size, resize: None, patch, channels })
    }
}
