//! An encoder with a head: from batches to logits.

use tch::Tensor;

use super::encoder::{CutPoint, Encoder};
use super::features::Batch;
use super::head::Head;

/// The scores of a batch.
#[derive(Debug)]
pub struct Logits {
    /// `[B, answers]`, or `[B, T, answers]` where a model answers at every position.
    pub x: Tensor,
    /// Which of the `T` positions hold data: `[B, T]`, bool. `None`: all of them, or there are none.
    pub attention_mask: Option<Tensor>,
}

/// An encoder with a head.
#[derive(Debug)]
pub struct Classifier {
    encoder: Encoder,
    head: Head,
}

impl Classifier {
    /// Puts a head on an encoder of the same width.
    pub fn new(encoder: Encoder, head: Head) -> Self {
        Self { encoder, head }
    }

    /// The encoder below the head.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The device of the parameters.
    pub fn device(&self) -> tch::Device {
        self.head.device()
    }

    /// One vector for each sample, `[B, D]`, or for each position, `[B, T, D]`, as the head
    /// takes it; `train` turns on dropout.
    pub fn features(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.mixed(&self.encoder.forward(batch, train))
    }

    /// The same at every position, `[B, T, D]`, with which of them hold data.
    pub(crate) fn features_at_positions(&self, batch: &Batch) -> Logits {
        let Batch { x, attention_mask } = self.encoder.pooled_from(batch, CutPoint::Inputs, false);
        Logits { x: self.head.mixed(&x), attention_mask }
    }

    /// Logits `[B, classes]`, or `[B, T, classes]` at every position; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.forward(&self.encoder.forward(batch, train))
    }

    /// Logits from the activations at a cut point; `train` turns on dropout.
    pub fn forward_from(&self, batch: &Batch, cut: CutPoint, train: bool) -> Logits {
        let Batch { x, attention_mask } = self.encoder.pooled_from(batch, cut, train);
        Logits { x: self.head.forward(&x), attention_mask }
    }
}
