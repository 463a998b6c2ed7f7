//! Whether a training begins before all samples were read.

use anyhow::Result;
use clap::Args;
use crosstune_core::{Task, loader::Beforehand};

use super::setting;

/// So many samples of each split are read before a training that streams.
const MEASURED: usize = 2000;

/// How samples are read.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct StreamingArgs {
    /// Begin without reading all samples: 2000 of them tell how all are normalised, and what cannot be
    /// read is found when its turn comes. For data of many gigabytes
    #[arg(long)]
    pub(crate) streaming: bool,
}

impl StreamingArgs {
    /// How many samples are read before the training.
    ///
    /// # Errors
    /// If each sample's length has to be known.
    pub(crate) fn beforehand(self, task: Task, by_length: bool) -> Result<Beforehand> {
        const OPTION: &str = "--streaming";
        match self.streaming {
            false => Ok(Beforehand::All),
            true if task == Task::Transcription => {
                let problem = "to transcribe, the length of each sample has to be known, to tell which is \
                               too short for its text; leave it out";
                Err(setting(OPTION, problem))
            }
            true if by_length => {
                let problem =
                    "--group-by-length has to know the length of each sample; leave one out";
                Err(setting(OPTION, problem))
            }
            true => Ok(Beforehand::Some(MEASURED)),
        }
    }
}
