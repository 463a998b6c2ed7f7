//! What flows through a model: batches, sequences and feature maps.

use std::fmt;

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::libtorch::cuda;
use crate::onnx::Value;

/// Inputs of one modality, ready for its embedder.
#[derive(Debug)]
pub struct Batch {
    /// Values in the modality's own layout: pixels `[B, C, H, W]` (f32), log-mel frames `[B, T, F]`
    /// (f32), waveforms `[B, N]` (f32), token ids `[B, T]`, or with their segments `[B, 2, T]` (i64).
    pub x: Tensor,
    /// For inputs of different lengths, which of the `T` positions, or `N` samples, hold data:
    /// `[B, T]` or `[B, N]`, bool. `None`: all of them.
    pub attention_mask: Option<Tensor>,
}

impl Batch {
    /// The same tensors.
    pub fn shallow_clone(&self) -> Self {
        Self {
            x: self.x.shallow_clone(),
            attention_mask: self.attention_mask.as_ref().map(Tensor::shallow_clone),
        }
    }

    /// `count` rows of it from row `from` on.
    pub(crate) fn rows(&self, from: i64, count: i64) -> Self {
        let narrow = |x: &Tensor| x.narrow(0, from, count);
        Self { x: narrow(&self.x), attention_mask: self.attention_mask.as_ref().map(narrow) }
    }

    /// The same batch on a device; free where it is there already.
    pub fn to_device(&self, device: Device) -> Self {
        Self {
            x: cuda::to_device(&self.x, device),
            attention_mask: self.attention_mask.as_ref().map(|k| cuda::to_device(k, device)),
        }
    }

    /// Several batches for one embedder, one behind the other: `[B₁ + B₂ + …, …]`. Where `pads`, shorter
    /// ones are padded, which is masked. `None`: they are not alike.
    pub(crate) fn together(all: &[&Self], pads: bool) -> Option<Self> {
        let segmented = all.iter().any(|batch| batch.x.dim() == 3);
        let each = all.iter().map(|batch| batch.with_segments(segmented)).collect::<Vec<_>>();
        let longest = each.iter().map(Self::positions).max()?;
        let as_long = |batch: Self| match longest - batch.positions() {
            0 => Some(batch),
            missing => pads.then(|| batch.padded(missing)),
        };
        let each: Vec<Self> = each.into_iter().map(as_long).collect::<Option<_>>()?;
        let (each, masks): (Vec<_>, _) = each.into_iter().map(|b| (b.x, b.attention_mask)).unzip();
        let size = each.first()?.size();
        let alike = |x: &Tensor| x.size()[1..] == size[1..];
        each.iter().all(alike).then(|| Self {
            x: Tensor::cat(&each, 0),
            attention_mask: masks_together(masks, &each),
        })
    }

    /// The same, of token ids with their segments if they are to have them: those of single texts are of
    /// the first.
    fn with_segments(&self, segmented: bool) -> Self {
        let batch = self.shallow_clone();
        match segmented && batch.x.kind() == Kind::Int64 && batch.x.dim() == 2 {
            true => Self { x: Tensor::stack(&[&batch.x, &batch.x.zeros_like()], 1), ..batch },
            false => batch,
        }
    }

    /// The dimension behind which there are as many again where inputs are longer.
    fn dimension(&self) -> usize {
        if self.x.kind() == Kind::Int64 { self.x.dim() - 1 } else { 1 }
    }

    /// How many there are.
    pub(crate) fn positions(&self) -> i64 {
        self.x.size()[self.dimension()]
    }

    /// With so many more positions, which hold no data.
    fn padded(self, missing: i64) -> Self {
        let size = [self.x.size()[0], self.positions()];
        let whole = || Tensor::ones(size, (Kind::Bool, self.x.device()));
        let mask = self.attention_mask.as_ref().map(Tensor::shallow_clone).unwrap_or_else(whole);
        // From the last dimension on, before and behind it.
        let mut zeros = vec![0; 2 * (self.x.dim() - self.dimension())];
        if let Some(behind) = zeros.last_mut() {
            *behind = missing;
        }
        Self {
            x: self.x.constant_pad_nd(zeros),
            attention_mask: Some(mask.constant_pad_nd([0, missing])),
        }
    }

    /// The same in memory that `device` copies from by itself, if it is a GPU.
    pub(crate) fn pinned(self, device: Device) -> Self {
        Self {
            x: cuda::pinned(self.x, device),
            attention_mask: self.attention_mask.map(|mask| cuda::pinned(mask, device)),
        }
    }
}

/// Hidden states of a transformer.
#[derive(Debug)]
pub struct Sequence {
    /// `[B, T, D]`, f32.
    pub x: Tensor,
    /// Which of the `T` positions hold data: `[B, T]`, bool. `None`: all of them.
    pub attention_mask: Option<Tensor>,
}

/// The masks of several batches, one behind the other, where all positions of one without a mask hold
/// data; each with what it is of, `[B, …]`. `None`: none has one.
pub(super) fn masks_together(masks: Vec<Option<Tensor>>, of: &[Tensor]) -> Option<Tensor> {
    let width = masks.iter().flatten().next()?.size()[1];
    let whole = |x: &Tensor| Tensor::ones([x.size()[0], width], (Kind::Bool, x.device()));
    let each = masks.into_iter().zip(of).map(|(mask, x)| mask.unwrap_or_else(|| whole(x)));
    Some(Tensor::cat(&each.collect::<Vec<_>>(), 0))
}

/// The mean of `x`, `[B, T, D]`, over one of its first two dimensions, of what `mask`, `[B, T]`, says
/// holds data; 0 where nothing does.
pub(crate) fn masked_mean(x: &Tensor, mask: Option<&Tensor>, dim: i64) -> Tensor {
    let over = [dim];
    let Some(mask) = mask else { return x.mean_dim(over.as_slice(), false, None) };
    let mask = mask.unsqueeze(-1).to_kind(x.kind());
    let count = mask.sum_dim_intlist(over.as_slice(), false, None).clamp_min(1);
    (x * mask).sum_dim_intlist(over.as_slice(), false, None) / count
}

/// The same in a graph.
pub(super) fn masked_mean_onnx(x: &Value, mask: Option<&Value>, dim: i64) -> Value {
    let Some(mask) = mask else { return x.mean(&[dim], false) };
    let mask = mask.unsqueeze(&[-1]).to(x.element());
    let count = mask.sum(&[dim], false).clamp_min(1.);
    (x * mask).sum(&[dim], false) / count
}

/// What the positions of a sequence are. An embedder knows it, and tells the trunk once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenLayout {
    /// One after the other.
    #[default]
    Sequence,
    /// Patches of a picture row by row, behind tokens that have no place in it.
    Grid {
        /// Tokens before the patches: class, distillation, registers.
        prefix: i64,
        /// Patches from top to bottom.
        rows: i64,
        /// Patches from left to right.
        columns: i64,
    },
}

/// What an embedder hands to a trunk, and a trunk to a pool.
#[derive(Debug)]
pub enum Features {
    /// A sequence of vectors.
    Sequence(Sequence),
    /// A feature map `[B, C, H, W]`, f32.
    FeatureMap(Tensor),
}

/// The form of [`Features`], known before anything is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureShape {
    /// `[B, T, width]`.
    Sequence {
        /// The length of each vector.
        width: i64,
    },
    /// `[B, channels, H, W]`.
    FeatureMap {
        /// The number of channels.
        channels: i64,
    },
}

impl FeatureShape {
    /// The length of a sequence's vectors, or the number of a feature map's channels.
    pub fn width(self) -> i64 {
        match self {
            Self::Sequence { width } => width,
            Self::FeatureMap { channels } => channels,
        }
    }

    /// The width of a sequence.
    ///
    /// # Errors
    /// If it is none. `why` says what needs one: `frames are a sequence`.
    pub fn sequence(self, why: &str) -> Result<i64> {
        match self {
            Self::Sequence { width } => Ok(width),
            Self::FeatureMap { .. } => Err(self.refused(why)),
        }
    }

    /// The channels of a feature map.
    ///
    /// # Errors
    /// If it is none. `why` says what needs one.
    pub fn feature_map(self, why: &str) -> Result<i64> {
        match self {
            Self::FeatureMap { channels } => Ok(channels),
            Self::Sequence { .. } => Err(self.refused(why)),
        }
    }

    fn refused(self, why: &str) -> Error {
        Error::setting("--weights", format!("the trunk takes {self}, but {why}"))
    }
}

impl fmt::Display for FeatureShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence { width } => write!(f, "a sequence of vectors of width {width}"),
            Self::FeatureMap { channels } => write!(f, "a feature map of {channels} channels"),
        }
    }
}
