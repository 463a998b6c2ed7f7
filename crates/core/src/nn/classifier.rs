//! An encoder with a head: from batches to logits.

use tch::Tensor;

use super::encoder::{CutPoint, Encoder};
use super::features::Batch;
use super::head::Head;

/// A tower with a head.
#[derive(Debug)]
pub struct Classifier {
    encoder: Encoder,
    head: Head,
}

impl Classifier {
    /// Puts a head on a tower of whose width it is.
    pub fn new(encoder: Encoder, head: Head) -> Self {
        Self { encoder, head }
    }

    /// The tower below the head.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> tch::Device {
        self.head.device()
    }

    /// Logits `[B, classes]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.forward(&self.encoder.forward(batch, train))
    }

    /// Logits `[B, classes]` of what flows through a cut; `train` turns on dropout.
    pub fn forward_from(&self, batch: &Batch, cut: CutPoint, train: bool) -> Tensor {
        self.head.forward(&self.encoder.forward_from(batch, cut, train))
    }
}
