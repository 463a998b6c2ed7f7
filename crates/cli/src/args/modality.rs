//! A modality's own options.

use clap::Args;
use crosstune_core::{Error, Modality};

/// A modality's own options. They become its settings, or the error that names the option that
/// cannot be used.
pub trait ModalityArgs:
    clap::Args + Clone + std::fmt::Debug + TryInto<Self::Modality, Error = Error>
{
    /// The modality whose settings they become.
    type Modality: Modality;
}

/// Puts the modality's options under a heading of their own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Inputs")]
pub(crate) struct ModalityFlags<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) args: A,
}
