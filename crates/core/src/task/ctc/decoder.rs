//! How a text is made of scores.

use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::beam::BeamSearch;
use super::emission::Emission;
use super::greedy::greedy;
use crate::error::Result;
use crate::task::vocabulary::Vocabulary;

/// How a text is made of scores.
#[derive(Debug, Default)]
pub enum Decoder {
    /// The most probable symbol at each position.
    #[default]
    Greedy,
    /// The most probable text, over all its alignments.
    Beam(Box<BeamSearch>),
}

impl Decoder {
    /// The symbols of some samples' texts, each of log-probabilities `[T, symbols]`. `symbols` are
    /// the vocabulary's.
    ///
    /// # Errors
    /// If the scores have another shape.
    pub fn decode(
        &self,
        scores: &[Tensor],
        vocabulary: &Vocabulary,
        symbols: &[String],
    ) -> Result<Vec<Vec<Emission>>> {
        let search = match self {
            Self::Greedy => {
                return scores.iter().map(|logs| greedy(logs, vocabulary.blank)).collect();
            }
            Self::Beam(search) => search,
        };
        let copied = scores.iter().map(|logs| {
            let (positions, width) = logs.size2()?;
            let logs = logs.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
            Ok((Vec::<f32>::try_from(logs)?, positions as usize, width as usize))
        });
        let copied = copied.collect::<Result<Vec<_>>>()?;
        let best = |(logs, positions, width): (Vec<f32>, usize, usize)| {
            let frames = Vec::from_iter((0..positions).map(|at| &logs[at * width..][..width]));
            let found = search.search(&frames, vocabulary, symbols);
            found.into_iter().next().map(|best| best.emissions).unwrap_or_default()
        };
        Ok(copied.into_par_iter().map(best).collect())
    }
}
