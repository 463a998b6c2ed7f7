//! Taking over from a run of ours: its tokenizer, or its symbols with their numbers.

use std::path::Path;

use crosstune_core::{Error, Modality, Origin, Result};

use super::{
    reader::{Numbers, Reader},
    settings::TextSettings,
};
use crate::options::MAX_LENGTH;

impl TextSettings {
    /// Splits texts as a run of ours did.
    ///
    /// # Errors
    /// If a file of the run is missing or broken, or if something else was asked for.
    pub(super) fn take_over(&mut self, run: &Path) -> Result<Origin> {
        let run_settings = Self::open(run)?;
        match run_settings.reader {
            Reader::Tokens { embedder, tokenizer } => {
                self.refuse_units()?;
                self.adopt_from(run, embedder, Some(tokenizer.pad()))?;
            }
            Reader::Symbols(symbols) => {
                if self.units.is_some_and(|units| units != symbols.units()) {
                    let problem = "the run was trained on other units; leave it out".into();
                    return Err(Error::Setting { setting: "--units", problem });
                }
                let has = symbols.longest();
                if let Some(asked) = self.asked.filter(|&asked| asked != has) {
                    let problem =
                        format!("the run was trained at {has}, got {asked}; leave it out");
                    return Err(Error::Setting { setting: MAX_LENGTH, problem });
                }
                (self.reader, self.numbers) = (Reader::Symbols(symbols), Numbers::Taken);
            }
            Reader::None => {
                let problem = "the run has neither a tokenizer nor symbols".into();
                return Err(Error::Path { path: run.to_path_buf(), problem });
            }
        }
        Ok(Origin::Pretrained)
    }

    /// Refuses a choice of units if there is a tokenizer.
    pub(super) fn refuse_units(&self) -> Result<()> {
        match self.units {
            None => Ok(()),
            Some(_) => {
                let problem = "the model brings a tokenizer along; leave it out".into();
                Err(Error::Setting { setting: "--units", problem })
            }
        }
    }
}
