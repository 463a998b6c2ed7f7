//! What flows through a model: batches, sequences and planes.

use std::fmt;

use tch::{Device, Tensor};

/// Inputs of one modality, ready for its embedder.
#[derive(Debug)]
pub struct Batch {
    /// Values in the modality's own layout: pixels `[B, C, H, W]` (f32), log-mel frames `[B, T, F]`
    /// (f32), waveforms `[B, N]` (f32), token ids `[B, T]`, or with their segments `[B, 2, T]` (i64).
    pub x: Tensor,
    /// For inputs of different lengths, which of the `T` places, or `N` samples, hold data:
    /// `[B, T]` or `[B, N]`, bool. `None`: all of them.
    pub keep: Option<Tensor>,
}

impl Batch {
    /// The same tensors.
    pub fn shallow_clone(&self) -> Self {
        Self { x: self.x.shallow_clone(), keep: self.keep.as_ref().map(Tensor::shallow_clone) }
    }

    /// The same batch on a device; free where it is there already.
    pub fn to_device(&self, device: Device) -> Self {
        Self { x: self.x.to_device(device), keep: self.keep.as_ref().map(|k| k.to_device(device)) }
    }
}

/// Hidden states of a transformer.
#[derive(Debug)]
pub struct Sequence {
    /// `[B, T, D]`, f32.
    pub x: Tensor,
    /// Which of the `T` places hold data: `[B, T]`, bool. `None`: all of them.
    pub keep: Option<Tensor>,
}

/// What an embedder hands to a trunk, and a trunk to a pool.
#[derive(Debug)]
pub enum Features {
    /// A sequence of vectors.
    Sequence(Sequence),
    /// Planes `[B, C, H, W]`, f32.
    Planes(Tensor),
}

/// The form of [`Features`], known before anything is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `[B, T, width]`.
    Sequence {
        /// The length of each vector.
        width: i64,
    },
    /// `[B, channels, H, W]`.
    Planes {
        /// The number of planes.
        channels: i64,
    },
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence { width } => write!(f, "a sequence of vectors of width {width}"),
            Self::Planes { channels } => write!(f, "{channels} planes"),
        }
    }
}
