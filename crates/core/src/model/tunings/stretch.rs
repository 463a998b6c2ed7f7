//! A stretch of a trunk that several tunings go through together.

use std::ops::Range;

use tch::{Device, Tensor};

use crate::nn::{Activations, Encoder};
use crate::weights::RowGuard;

/// A stretch of a trunk that several tunings go through together, and what follows it.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Which tunings, by their [places](super::tunings::Tunings).
    pub(super) tunings: Range<usize>,
    /// Which parts, as [`TrunkConfig::depth`](crate::nn::TrunkConfig::depth) counts them. A final norm is
    /// each tuning's own.
    pub(super) parts: Range<usize>,
    /// An encoder with the parameters of all of them: by row, where they differ.
    pub(super) encoder: Encoder,
    /// Whether they have the embedder in common, too.
    pub(super) embeds: bool,
    /// Those that have the next parts in common, as well. The others go on alone.
    pub(super) next: Vec<Stretch>,
}

/// Rows of a batch that are one tuning's, one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// The tuning's place.
    pub(super) place: usize,
    /// What is asked.
    pub(super) asked: usize,
    /// How many rows.
    pub(super) rows: i64,
}

impl Stretch {
    /// Tells whose rows the segments are, for as long as the guard lives.
    pub(super) fn guard(&self, segments: &[Segment], device: Device) -> RowGuard {
        let tuning = |segment: &Segment| {
            let tuning = (segment.place - self.tunings.start) as i64;
            std::iter::repeat_n(tuning, segment.rows as usize)
        };
        let rows: Vec<i64> = segments.iter().flat_map(tuning).collect();
        RowGuard::new(Tensor::from_slice(&rows).to_device(device))
    }

    /// Through all of its parts.
    pub(super) fn pass(&self, entering: Activations) -> Activations {
        let mut leaving = self.encoder.through(self.parts.clone(), entering, false);
        // The last state is what leaves, and enters what follows.
        leaving.states.pop();
        leaving
    }

    /// The stretch in which a tuning goes on together with others.
    pub(super) fn behind(&self, place: usize) -> Option<&Self> {
        self.next.iter().find(|next| next.tunings.contains(&place))
    }
}
