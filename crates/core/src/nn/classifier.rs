//! An encoder with a head: from batches to logits.

use tch::Tensor;

use super::encoder::{CutPoint, Encoder};
use super::features::Batch;
use super::head::Head;

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

    /// One vector for each sample, `[B, D]`, as the head takes it; `train` turns on dropout.
    pub fn features(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.mixed(&self.encoder.forward(batch, train))
    }

    /// Logits `[B, classes]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.forward(&self.encoder.forward(batch, train))
    }

    /// Logits `[B, classes]` from the activations at a cut point; `train` turns on dropout.
    pub fn forward_from(&self, batch: &Batch, cut: CutPoint, train: bool) -> Tensor {
        self.head.forward(&self.encoder.forward_from(batch, cut, train))
    }
}
