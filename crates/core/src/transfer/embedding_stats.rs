//! Matching a new embedder to a pretrained trunk: the input statistics that the trunk was trained on,
//! estimated from the source's weights.
//!
//! A trunk has only ever seen what its own embedder emits: numbers of a certain mean and standard
//! deviation in each channel, and of a certain pattern over positions. A new embedder that starts
//! there asks nothing new of the first block.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::family::Pretrained;
use crate::nn::{
    Activation, Batch, Bias, EmbedderConfig, Encoder, FeatureShape, Features, MapNormKind,
    NormKind, NormPlacement, PatchEmbedderConfig, PositionTable, Sequence, TokenEmbedderConfig,
    masked_mean,
};
use crate::weights::{LoadReport, WeightSource};

/// Mean and standard deviation of what a source's own embedder hands to its trunk.
#[derive(Debug)]
pub struct EmbeddingStats {
    /// `[1, D]` or, where the positions of the sequence differ, `[T, D]`; f32 on the CPU.
    mean: Tensor,
    /// Over the inputs, likewise.
    std: Tensor,
    output: Output,
}

/// What an embedder does last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// Nothing, or something linear: the statistics are those of what it emits.
    Linear,
    /// A ReLU: the statistics are those of its input.
    Relu,
}

/// Tokens that stand for a vocabulary.
const TOKENS: i64 = 1024;

/// The correlation of neighbouring pixels, and of a pixel's channels, in the usual model of pictures
/// (Jain 1989, *Fundamentals of Digital Image Processing*, §2.9).
const NEIGHBOURS: f64 = 0.95;
const CHANNELS: f64 = 0.9;

impl EmbeddingStats {
    /// Measures the embedder that a source was trained with, by its weights alone:
    ///
    /// - tokens: the sum of the tables of tokens and positions, normalised where the model does so,
    ///   over tokens from evenly among the vocabulary, position by position;
    /// - feature maps: what their batch norm brings them to;
    /// - patches: the table of positions, and the kernel's answer to pixels that are as alike as
    ///   neighbours in pictures are;
    /// - waveforms of models that normalise what they embed, and what a training of ours began afresh:
    ///   what that norm brings them to.
    ///
    /// `None`: the weights do not tell.
    ///
    /// # Errors
    /// If the checkpoint cannot be read.
    pub fn of(pretrained: &Pretrained) -> Result<Option<Self>> {
        let family = pretrained.config();
        let source = &pretrained.source()?;
        let width = family.trunk.accepts().width();
        let of_norm = |output| {
            let get = |leaf: &str| tensor(source, &format!("embed.norm.{leaf}"), &[width]);
            Ok(get("weight")?.zip(get("bias")?).map(|(weight, bias)| Self {
                mean: bias.unsqueeze(0),
                std: weight.abs().unsqueeze(0),
                output,
            }))
        };
        match &family.embedder {
            EmbedderConfig::Tokens(c) => of_tokens(source, c, width),
            EmbedderConfig::Patches(c) if c.norm.is_some() => of_norm(Output::Linear),
            EmbedderConfig::Patches(c) => of_patches(source, c, width),
            EmbedderConfig::Stem(c)
                if (c.norm.kind, c.norm_placement, c.activation)
                    == (MapNormKind::Batch, NormPlacement::Post, Activation::Relu) =>
            {
                of_norm(Output::Relu)
            }
            // Ours end in a norm, too, as far as they make sequences.
            EmbedderConfig::FromModality
                if matches!(family.trunk.accepts(), FeatureShape::Sequence { .. }) =>
            {
                of_norm(Output::Linear)
            }
            EmbedderConfig::Waveform(c) if c.output_norm == NormPlacement::Post => {
                of_norm(Output::Linear)
            }
            EmbedderConfig::Stem(_)
            | EmbedderConfig::PatchMap(_)
            | EmbedderConfig::Folded(_)
            | EmbedderConfig::Waveform(_)
            | EmbedderConfig::Frames(_)
            | EmbedderConfig::StackedFrames(_)
            | EmbedderConfig::FromModality => Ok(None),
        }
    }

    /// Mean and standard deviation of the trunk's input, over all positions: each `[D]`. What a ReLU
    /// leaves is that of a normal distribution.
    pub fn trunk_input(&self) -> (Tensor, Tensor) {
        let (mean, std) = self.overall();
        if self.output == Output::Linear {
            return (mean, std);
        }
        let std = std.clamp_min(f64::from(f32::EPSILON));
        let at = &mean / &std;
        let density = (at.square() * -0.5).exp() / (2. * std::f64::consts::PI).sqrt();
        let below = ((&at / 2f64.sqrt()).erf() + 1.) / 2.;
        let first = &mean * &below + &std * &density;
        let second = (mean.square() + std.square()) * &below + &mean * &std * &density;
        let variance = (second - first.square()).clamp_min(0.);
        (first, variance.sqrt())
    }

    /// Over all positions: what differs between them is part of the standard deviation.
    fn overall(&self) -> (Tensor, Tensor) {
        let over = [0i64].as_slice();
        let mean = self.mean.mean_dim(over, false, None);
        let between = (&self.mean - &mean).square();
        let variance = (self.std.square() + between).mean_dim(over, false, None);
        (mean, variance.sqrt())
    }

    /// How far the means of the positions of a sequence are from these: `[T, D]`. A position that
    /// holds no data anywhere is where it should be.
    fn off(&self, now: &Sequence) -> Tensor {
        let want = self.mean.to_device(now.x.device()).narrow(0, 0, now.x.size()[1]);
        let off = want - masked_mean(&now.x, now.attention_mask.as_ref(), 0);
        match &now.attention_mask {
            Some(mask) => off * mask.any_dim(0, false).unsqueeze(-1),
            None => off,
        }
    }

    /// Brings a new embedder to these statistics on a batch, by parameters of its own that end it:
    /// its table of positions, as far as the source's own reaches, and its norm. What else it has,
    /// and what is not new by the `report`, stays.
    pub(crate) fn match_to(
        &self,
        encoder: &Encoder,
        parameters: &HashMap<String, Tensor>,
        report: &LoadReport,
        batch: &Batch,
    ) {
        let _guard = tch::no_grad_guard();
        let own = |leaf: &str| {
            let name = format!("embed.{leaf}");
            parameters.get(&name).filter(|_| report.is_fresh(&name)).map(Tensor::shallow_clone)
        };
        let (Some(mut weight), Some(mut bias)) = (own("norm.weight"), own("norm.bias")) else {
            return;
        };
        let (mean, std) = self.overall();
        if weight.size() != mean.size() {
            return;
        }
        let (mean, std) = (mean.to_device(weight.device()), std.to_device(weight.device()));
        match (self.output, encoder.embed(batch, false)) {
            // A batch norm leaves each channel with its weight as standard deviation and its bias as mean.
            (Output::Relu, Features::FeatureMap(_)) => {
                weight.copy_(&std);
                bias.copy_(&mean);
            }
            (Output::Linear, Features::Sequence(_)) => {
                let scale = || {
                    let (now, spread) = feature_stats(&encoder.embed(batch, false));
                    // Channels that are the same everywhere cannot be stretched.
                    let stretch = &std / spread.clamp_min(LEAST);
                    bias.shallow_clone().copy_(&(&mean - (now - &bias) * &stretch));
                    let _ = weight.shallow_clone().g_mul_(&stretch);
                };
                scale();
                // The norm divides what a position adds, by how much is not known from outside: so the
                // table is moved a part of the way, and once more.
                let position = own("position").filter(|p| p.size()[1] <= self.mean.size()[0]);
                for _ in 0..position.as_ref().map_or(0, |_| ROUNDS) {
                    let (Some(position), Features::Sequence(now)) =
                        (&position, encoder.embed(batch, false))
                    else {
                        break;
                    };
                    let off = self.off(&now);
                    let way = off * PART / weight.abs().clamp_min(STEEPEST);
                    let _ = position.narrow(1, 0, way.size()[0]).g_add_(&way.unsqueeze(0));
                    scale();
                }
            }
            _ => {}
        }
    }
}

/// So often are positions moved.
const ROUNDS: usize = 6;

/// The fraction of the way that they go at a time, of a sum whose standard deviation before the norm is
/// about 0.65, as in the new embedders here.
const PART: f64 = 0.45;

/// The least weight of a norm that the way is divided by.
const STEEPEST: f64 = 0.02;

/// The least standard deviation that is stretched to another one.
const LEAST: f64 = 1e-3;

/// Mean and standard deviation of each channel over all positions that hold data: each `[D]`.
pub(crate) fn feature_stats(features: &Features) -> (Tensor, Tensor) {
    let x = match features {
        Features::FeatureMap(x) => x.transpose(0, 1).flatten(1, 3).tr(),
        Features::Sequence(Sequence { x, attention_mask: mask }) => {
            let places = x.flatten(0, 1);
            match mask {
                Some(mask) => places.index_select(0, &mask.flatten(0, 1).nonzero().squeeze_dim(1)),
                None => places,
            }
        }
    };
    let over = [0i64].as_slice();
    let mean = x.mean_dim(over, false, None);
    // Not `std_dim`, which goes through rows one number at a time.
    let variance = (&x - &mean).square_().mean_dim(over, false, None);
    (mean, variance.sqrt())
}

/// A tensor of the source; `None`: it has none of that name and shape.
fn tensor(source: &WeightSource<'_>, ours: &str, shape: &[i64]) -> Result<Option<Tensor>> {
    match source.tensor(ours, shape) {
        Ok(tensor) => Ok(Some(tensor)),
        Err(Error::Missing { .. } | Error::Unmapped { .. } | Error::Shape { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

fn of_tokens(
    source: &WeightSource<'_>,
    c: &TokenEmbedderConfig,
    width: i64,
) -> Result<Option<EmbeddingStats>> {
    let narrow = c.embedding_width.unwrap_or(width);
    let get = |name: &str, rows| tensor(source, name, &[rows, narrow]);
    let Some(tokens) = get("embed.token.weight", c.vocabulary)? else { return Ok(None) };
    let places = match c.position_table {
        PositionTable::Learned => get("embed.position.weight", c.positions)?
            .map(|table| table.slice(0, c.first_position, c.positions, 1)),
        PositionTable::Without => Some(Tensor::zeros([1, narrow], (Kind::Float, Device::Cpu))),
    };
    let Some(places) = places else { return Ok(None) };
    let step = (c.vocabulary / TOKENS).max(1);
    let mut tokens = tokens.slice(0, 0, None, step) * c.scale.unwrap_or(1.);
    if let Some(segments) = get("embed.segment.weight", c.segments)? {
        tokens += segments.select(0, 0);
    }
    let norm = match c.eps {
        Some(eps) => {
            let get = |leaf: &str| tensor(source, &format!("embed.norm.{leaf}"), &[narrow]);
            let Some(weight) = get("weight")? else { return Ok(None) };
            let bias = get("bias")?.unwrap_or_else(|| weight.zeros_like());
            Some((weight, bias, eps))
        }
        None => None,
    };
    let over = [0i64].as_slice();
    let (mean, std) = match (norm, c.norm_kind) {
        (None, _) => {
            let mean = places + tokens.mean_dim(over, true, None);
            let std = tokens.std_dim(over, false, true).expand_as(&mean).contiguous();
            (mean, std)
        }
        (Some((weight, bias, eps)), NormKind::LayerNorm | NormKind::LayerNormUnbiased) => {
            let (mean, std) = normed_sums(&tokens, &places, eps);
            (mean * &weight + bias, std * weight.abs())
        }
        // No published model has such a norm there.
        (Some(_), NormKind::RmsNorm | NormKind::RmsNormPlusOne) => return Ok(None),
    };
    let (mean, std) = match c.embedding_width {
        None => (mean, std),
        Some(_) => {
            let Some((weight, bias)) = tensor(source, "embed.project.weight", &[width, narrow])?
                .zip(tensor(source, "embed.project.bias", &[width])?)
            else {
                return Ok(None);
            };
            // As if the channels ahead of the projection were independent.
            let variance = std.square().matmul(&weight.square().tr());
            (mean.matmul(&weight.tr()) + bias, variance.sqrt())
        }
    };
    Ok(Some(EmbeddingStats { mean, std, output: Output::Linear }))
}

/// Mean and standard deviation over all tokens `[N, D]` of their sums with each position `[P, D]`,
/// brought to a mean of 0 and a variance of 1 along the width: `[P, D]` each. Of a centred token
/// `t` and a centred position `p`, what is divided by is `|t|² + 2 t·p + |p|²`, and so all of it is
/// products of matrices: `N · P` sums of width `D` are never made.
fn normed_sums(tokens: &Tensor, places: &Tensor, eps: f64) -> (Tensor, Tensor) {
    let centred = |x: &Tensor| {
        let x = x.to_kind(Kind::Double);
        let mean = x.mean_dim([-1i64].as_slice(), true, None);
        x - mean
    };
    let (t, p) = (centred(tokens), centred(places));
    let (count, width) = (t.size()[0] as f64, t.size()[1] as f64);
    let square = |x: &Tensor| x.square().sum_dim_intlist([-1i64].as_slice(), false, None);
    let norms = p.matmul(&t.tr()) * 2. + square(&t).unsqueeze(0) + square(&p).unsqueeze(1);
    // What each sum is multiplied by, `[P, N]`.
    let factor = (norms / width + eps).rsqrt();
    let mean_of = |x: &Tensor| x.mean_dim([-1i64].as_slice(), true, None);
    let first = factor.matmul(&t) / count + &p * mean_of(&factor);
    let squares = factor.square();
    let second = (squares.matmul(&t.square()) + &p * squares.matmul(&t) * 2.) / count
        + p.square() * mean_of(&squares);
    let std = (second - first.square()).clamp_min(0.).sqrt();
    (first.to_kind(Kind::Float), std.to_kind(Kind::Float))
}

fn of_patches(
    source: &WeightSource<'_>,
    c: &PatchEmbedderConfig,
    width: i64,
) -> Result<Option<EmbeddingStats>> {
    let places = c.grid().iter().product::<i64>();
    let [high, wide] = c.patch;
    let kernel = tensor(source, "embed.project.weight", &[width, c.channels, high, wide])?;
    let bias = match c.bias {
        Bias::With => tensor(source, "embed.project.bias", &[width])?,
        Bias::Without => Some(Tensor::zeros([width], (Kind::Float, Device::Cpu))),
    };
    let positions = match c.placed() {
        Some(placed) => tensor(source, "embed.position", &[1, placed + places, width])?
            .map(|table| table.get(0).narrow(0, placed, places)),
        None => Some(Tensor::zeros([places, width], (Kind::Float, Device::Cpu))),
    };
    let (Some(kernel), Some(bias), Some(positions)) = (kernel, bias, positions) else {
        return Ok(None);
    };
    let mean = positions + bias;
    // The variance of `wᵀx` is `wᵀCw`, with `C` a product over channels, rows and columns.
    let spread = Tensor::einsum(
        "dcpq,ce,pr,qs,ders->d",
        &[&kernel, &channels(c.channels), &line(high), &line(wide), &kernel],
        None::<i64>,
    );
    let std = spread.clamp_min(0.).sqrt().unsqueeze(0).expand_as(&mean).contiguous();
    Ok(Some(EmbeddingStats { mean, std, output: Output::Linear }))
}

/// Correlations along a line of pixels, `[length, length]`.
fn line(length: i64) -> Tensor {
    let at = Tensor::arange(length, (Kind::Float, Device::Cpu));
    ((at.unsqueeze(0) - at.unsqueeze(1)).abs() * NEIGHBOURS.ln()).exp()
}

/// Correlations of the channels of a pixel, `[count, count]`.
fn channels(count: i64) -> Tensor {
    let float = (Kind::Float, Device::Cpu);
    Tensor::eye(count, float) * (1. - CHANNELS) + Tensor::full([count, count], CHANNELS, float)
}

#[cfg(test)]
mod tests;
