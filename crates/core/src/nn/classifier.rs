//! An encoder with a head: from batches to logits.

use tch::Tensor;

use super::encoder::{Cut, Tower};
use super::features::Batch;
use super::head::Head;

/// A tower with a head.
#[derive(Debug)]
pub struct Classifier {
    tower: Tower,
    head: Head,
}

impl Classifier {
    /// Puts a head on a tower of whose width it is.
    pub fn new(tower: Tower, head: Head) -> Self {
        Self { tower, head }
    }

    /// The tower below the head.
    pub fn tower(&self) -> &Tower {
        &self.tower
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> tch::Device {
        self.head.device()
    }

    /// Logits `[B, classes]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.forward(&self.tower.forward(batch, train))
    }

    /// Logits `[B, classes]` of what flows through a cut; `train` turns on dropout.
    pub fn above(&self, batch: &Batch, cut: Cut, train: bool) -> Tensor {
        self.head.forward(&self.tower.above(batch, cut, train))
    }
}
