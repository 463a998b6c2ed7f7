//! How a transcriber's texts are made of its scores.

use std::{fs::File, io::BufReader, num::NonZeroUsize, path::PathBuf};

use anyhow::Result;
use clap::Args;
use crosstune_core::{
    Error, TaskConfig,
    task::ctc::{BeamSearch, Decoder, read_arpa},
};

use super::setting::setting;

/// How a transcriber's texts are made of its scores.
#[derive(Debug, Default, Args)]
pub(crate) struct DecodeArgs {
    /// Transcribe by prefix beam search with N beams [default: the best symbol at each position; 100
    /// with --lm]
    #[arg(long, value_name = "N")]
    pub(crate) beam: Option<NonZeroUsize>,
    /// N-gram language model for the beam search, an ARPA file of words in the letter case of the
    /// model's symbols
    #[arg(long, value_name = "FILE")]
    pub(crate) lm: Option<PathBuf>,
    /// Weight of the language model (α) [default: 0.5]
    #[arg(long, value_name = "ALPHA", requires = "lm")]
    pub(crate) lm_weight: Option<f64>,
    /// Bonus for each word in the beam search (β), in nats [default: 1 with --lm, else 0]
    #[arg(long, value_name = "BETA", allow_hyphen_values = true)]
    pub(crate) word_bonus: Option<f64>,
}

impl DecodeArgs {
    /// The same for the library, for a model.
    ///
    /// # Errors
    /// If the model is no transcriber, or if the language model cannot be read or has no word in common
    /// with it.
    pub(crate) fn decoder(&self, model: TaskConfig<'_>) -> Result<Decoder> {
        let Self { beam, lm, lm_weight, word_bonus } = self;
        let given = [
            ("--beam", beam.is_some()),
            ("--lm", lm.is_some()),
            ("--word-bonus", word_bonus.is_some()),
        ];
        let Some((option, _)) = given.into_iter().find(|(_, given)| *given) else {
            return Ok(Decoder::Greedy);
        };
        let Some(vocabulary) = model.vocabulary else {
            let problem =
                format!("this model does {}, not transcription; leave it out", model.task);
            return Err(setting(option, problem));
        };
        if beam.is_none() && lm.is_none() {
            return Err(setting(option, "only a beam search has one; give --beam or --lm, too"));
        }
        let weight = lm_weight.unwrap_or(0.5);
        if !(weight.is_finite() && weight >= 0.) {
            return Err(setting("--lm-weight", format!("{weight}: must be at least 0")));
        }
        let mut search = BeamSearch {
            width: beam.map_or(100, NonZeroUsize::get),
            weight,
            word_bonus: word_bonus.unwrap_or(if lm.is_some() { 1. } else { 0. }),
            ..BeamSearch::default()
        };
        if !search.word_bonus.is_finite() {
            return Err(setting("--word-bonus", "must be a finite number"));
        }
        if let Some(path) = lm {
            let file = File::open(path).map_err(|source| Error::Io {
                path: path.clone(),
                action: "read",
                source,
            })?;
            let ngrams = read_arpa(BufReader::new(file), path)?;
            if ngrams.writable(vocabulary, model.labels) == 0 {
                let problem = format!(
                    "none of its {} words can be written with the model's symbols; are they in another \
                     letter case, or language?",
                    ngrams.words()
                );
                return Err(Error::Malformed { path: path.clone(), problem }.into());
            }
            search.ngrams = Some(ngrams);
        }
        Ok(Decoder::Beam(Box::new(search)))
    }
}
