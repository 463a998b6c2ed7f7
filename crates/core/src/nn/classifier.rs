//! An encoder with a head: from batches to logits.

use std::cell::Cell;

use tch::{Device, Tensor};

use super::encoder::{CutPoint, Encoder};
use super::exporter::{Exporter, GraphSequence};
use super::features::{Batch, Features};
use super::head::Head;
use crate::error::Result;
use crate::libtorch::{Autocast, Precision};

/// The scores of a batch.
#[derive(Debug)]
pub struct Logits {
    /// `[B, answers]`, or `[B, T, answers]` where a model answers at every position.
    pub x: Tensor,
    /// Which of the `T` positions hold data: `[B, T]`, bool. `None`: all of them, or there are none.
    pub attention_mask: Option<Tensor>,
}

/// An encoder with a head, and the precision in which they compute.
#[derive(Debug)]
pub struct Classifier {
    encoder: Encoder,
    head: Head,
    precision: Cell<Precision>,
}

impl Classifier {
    /// Puts a head on an encoder of the same width.
    pub fn new(encoder: Encoder, head: Head) -> Self {
        Self { encoder, head, precision: Cell::default() }
    }

    /// The precision in which it computes.
    pub fn precision(&self) -> Precision {
        self.precision.get()
    }

    /// Computes in another precision from now on.
    ///
    /// # Errors
    /// If the device does not.
    pub(crate) fn set_precision(&self, precision: Precision) -> Result<()> {
        precision.check(self.device())?;
        // The guards to come are like this one.
        drop(precision.autocast(self.device())?);
        self.precision.set(precision);
        Ok(())
    }

    /// Its precision for all that is computed in this thread, until the guard is dropped. What is
    /// computed by its own methods is in any case.
    pub(crate) fn autocast(&self) -> Option<Autocast> {
        // `set_precision` has had one.
        self.precision.get().autocast(self.device()).ok().flatten()
    }

    /// The encoder below the head.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The device of the parameters.
    pub fn device(&self) -> Device {
        self.head.device()
    }

    /// One vector for each sample, `[B, D]`, or for each position, `[B, T, D]`, as the head
    /// takes it; `train` turns on dropout.
    pub fn features(&self, batch: &Batch, train: bool) -> Tensor {
        let _precision = self.autocast();
        self.head.mixed(&self.encoder.forward(batch, train))
    }

    /// The embedder's output; `train` turns on dropout.
    pub fn embed(&self, batch: &Batch, train: bool) -> Features {
        let _precision = self.autocast();
        self.encoder.embed(batch, train)
    }

    /// The activations at a cut point; see [`Encoder::forward_between`].
    pub fn forward_to(&self, batch: &Batch, cut: CutPoint) -> Batch {
        self.forward_between(batch, CutPoint::Inputs, cut)
    }

    /// The same from the activations at another one.
    pub fn forward_between(&self, batch: &Batch, from: CutPoint, to: CutPoint) -> Batch {
        let _precision = self.autocast();
        self.encoder.forward_between(batch, from, to)
    }

    /// The same at every position, `[B, T, D]`, with which of them hold data.
    pub(crate) fn features_at_positions(&self, batch: &Batch) -> Logits {
        let _precision = self.autocast();
        let Batch { x, attention_mask } = self.encoder.pooled_from(batch, CutPoint::Inputs, false);
        Logits { x: self.head.mixed(&x), attention_mask }
    }

    /// Logits `[B, classes]`, or `[B, T, classes]` at every position; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        let _precision = self.autocast();
        self.head.forward(&self.encoder.forward(batch, train))
    }

    /// From inputs, which it adds to a graph, to the logits `[B, classes]`, or `[B, T, classes]` at every
    /// position, and which of those hold data.
    ///
    /// # Errors
    /// If the embedder cannot be described.
    pub fn onnx(&self, e: &Exporter) -> Result<GraphSequence> {
        let GraphSequence { x, attention_mask } = self.encoder.onnx(e)?;
        Ok(GraphSequence { x: self.head.onnx(e, &x), attention_mask })
    }

    /// Logits from the activations at a cut point; `train` turns on dropout.
    pub fn forward_from(&self, batch: &Batch, cut: CutPoint, train: bool) -> Logits {
        let _precision = self.autocast();
        let Batch { x, attention_mask } = self.encoder.pooled_from(batch, cut, train);
        Logits { x: self.head.forward(&x), attention_mask }
    }
}
