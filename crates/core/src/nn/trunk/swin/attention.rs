//! Attention within a window (Liu et al. 2021, §3.2; Liu et al. 2022, §3.2 and §3.3).

use tch::nn::Init;
use tch::{Device, Kind, Tensor};

use super::config::{SwinConfig, SwinVersion};
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Bias, Linear, dropout};
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// How alike a query and a key are.
#[derive(Debug)]
enum Similarity {
    /// Their product over the root of a head's width.
    Scaled,
    /// Their cosine, times the exponential of this, `[heads, 1, 1]`.
    Cosine(Tensor),
}

/// The largest scale of a cosine.
const SHARPEST: f64 = 100.;

/// What is added to the score of two positions, by the distance between them.
#[derive(Debug)]
enum PositionBias {
    /// A number for every distance, `[(2 side - 1)², heads]`.
    Table(Tensor),
    /// A network of two layers over log-spaced distances, `[(2 side - 1)², 2]`.
    Continuous { hidden: Linear, out: Linear, distances: Tensor },
}

/// The width of that network's hidden layer.
const HIDDEN: i64 = 512;
/// Its biases lie between 0 and this.
const HIGHEST: f64 = 16.;

impl PositionBias {
    /// `[(2 side - 1)², heads]`.
    fn of_distances(&self, train: bool) -> Tensor {
        match self {
            Self::Table(table) => table.shallow_clone(),
            Self::Continuous { hidden, out, distances } => {
                let x = hidden.forward_t(distances, train).relu();
                out.forward_t(&x, train).sigmoid() * HIGHEST
            }
        }
    }

    /// The same in a graph.
    fn of_distances_onnx(&self, e: &Exporter) -> Value {
        match self {
            Self::Table(table) => e.parameter(table),
            Self::Continuous { hidden, out, distances } => {
                let x = hidden.onnx(e, &e.constant(distances)).relu();
                out.onnx(e, &x).sigmoid() * HIGHEST
            }
        }
    }
}

/// Self-attention of the `N` positions of a window.
#[derive(Debug)]
pub(super) struct WindowAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: i64,
    similarity: Similarity,
    bias: PositionBias,
    /// Which distance lies between each two positions, `[N · N]`.
    distance: Tensor,
}

impl WindowAttention {
    /// Parameters `{q,k,v,out}.{weight,bias}` and `position.table [(2 side - 1)², heads]` or, in
    /// version 2, `logit_scale [heads, 1, 1]` and `position.{hidden,out}`, below `vb`, for a stage of
    /// `c`.
    pub(super) fn new(vb: &VarBuilder<'_>, c: &SwinConfig, stage: usize) -> Result<Self> {
        let (width, shape) = (c.channels(stage), c.stages[stage]);
        let (heads, side) = (shape.heads, shape.window);
        let project = |name, bias| Linear::normal(&vb.sub(name), width, width, bias);
        let position = vb.without_rows().sub("position");
        let (similarity, bias, key_bias) = match c.version {
            SwinVersion::V1 => {
                let init = Init::Randn { mean: 0., stdev: 0.02 };
                let table = position.param("table", &[(2 * side - 1).pow(2), heads], init)?;
                (Similarity::Scaled, PositionBias::Table(table), c.qkv_bias)
            }
            SwinVersion::V2 => {
                let ten = Init::Const(10f64.ln());
                let scale = vb.param("logit_scale", &[heads, 1, 1], ten)?;
                let bias = PositionBias::Continuous {
                    hidden: Linear::new(&position.sub("hidden"), 2, HIDDEN)?,
                    out: Linear::unbiased(&position.sub("out"), HIDDEN, heads)?,
                    distances: log_spaced(side, shape.pretrained_window, vb.device()),
                };
                (Similarity::Cosine(scale), bias, Bias::Without)
            }
        };
        Ok(Self {
            q: project("q", c.qkv_bias)?,
            k: project("k", key_bias)?,
            v: project("v", c.qkv_bias)?,
            out: project("out", Bias::With)?,
            heads,
            similarity,
            bias,
            distance: between(side, vb.device()),
        })
    }

    /// `x [B · windows, N, C]`; `mask [windows, N, N]` is added to the scores. `p` is the dropout of
    /// the weights.
    pub(super) fn forward(&self, x: &Tensor, mask: Option<&Tensor>, p: f64, train: bool) -> Tensor {
        let (n, c) = (x.size()[1], x.size()[2]);
        let split = |linear: &Linear| {
            linear.forward_t(x, train).view([-1, n, self.heads, c / self.heads]).transpose(1, 2)
        };
        let [q, k, v] = [&self.q, &self.k, &self.v].map(split);
        let scores = match &self.similarity {
            Similarity::Scaled => {
                let scale = ((c / self.heads) as f64).sqrt().recip();
                (q * scale).matmul(&k.transpose(-2, -1))
            }
            Similarity::Cosine(scale) => {
                let scale = scale.clamp_max(SHARPEST.ln()).exp();
                unit(&q).matmul(&unit(&k).transpose(-2, -1)) * scale
            }
        };
        let bias = self.bias.of_distances(train).index_select(0, &self.distance);
        let bias = bias.view([n, n, self.heads]).permute([2, 0, 1]);
        let scores = match mask {
            None => scores + bias,
            Some(mask) => {
                let bias = bias + mask.unsqueeze(1);
                (scores.view([-1, mask.size()[0], self.heads, n, n]) + bias).view_as(&scores)
            }
        };
        let weights = dropout(&scores.softmax(-1, Kind::Float), p, train);
        self.out.forward_t(&weights.matmul(&v).transpose(1, 2).reshape([-1, n, c]), train)
    }
}

/// In a graph.
impl WindowAttention {
    /// The length of a position's vector, `C`.
    pub(super) fn channels(&self) -> i64 {
        self.q.inputs()
    }

    /// `x [B · windows, N, C]`; `mask [windows, N, N]` is added to the scores.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value, mask: Option<&Tensor>) -> Value {
        let width = self.channels() / self.heads;
        let split = |linear: &Linear| {
            linear.onnx(e, x).reshape(&[0, 0, self.heads, width]).permute(&[0, 2, 1, 3])
        };
        let [q, k, v] = [&self.q, &self.k, &self.v].map(split);
        let transposed = |x: &Value| x.permute(&[0, 1, 3, 2]);
        let scores = match &self.similarity {
            Similarity::Scaled => (q * (width as f64).sqrt().recip()).matmul(&transposed(&k)),
            Similarity::Cosine(scale) => {
                let unit = |x: &Value| x / x.norm(&[-1], true).clamp_min(1e-12);
                let scale = e.parameter(scale).clamp_max(SHARPEST.ln()).exp();
                unit(&q).matmul(&transposed(&unit(&k))) * scale
            }
        };
        let n = (self.distance.size()[0] as f64).sqrt() as i64;
        let bias = self.bias.of_distances_onnx(e).rows(&e.constant(&self.distance));
        let bias = bias.reshape(&[n, n, self.heads]).permute(&[2, 0, 1]);
        let scores = match mask {
            None => scores + bias,
            Some(mask) => {
                let bias = bias + e.constant(mask).unsqueeze(&[1]);
                let by_window = scores.reshape(&[-1, mask.size()[0], self.heads, n, n]);
                (by_window + bias).reshape(&[-1, self.heads, n, n])
            }
        };
        let y = scores.softmax().matmul(&v).permute(&[0, 2, 1, 3]);
        self.out.onnx(e, &y.reshape(&[0, 0, -1]))
    }
}

/// Vectors of length 1.
fn unit(x: &Tensor) -> Tensor {
    x / x.norm_scalaropt_dim(2, [-1].as_slice(), true).clamp_min(1e-12)
}

/// For each two of a window's positions, which of its `(2 side - 1)²` distances is between them.
fn between(side: i64, device: Device) -> Tensor {
    let at = Tensor::arange(side * side, (Kind::Int64, device));
    let far = |x: Tensor| x.unsqueeze(1) - x + (side - 1);
    let (rows, columns) = (far(at.divide_scalar_mode(side, "floor")), far(at.remainder(side)));
    (rows * (2 * side - 1) + columns).view(-1)
}

/// The distances along both sides, `[(2 side - 1)², 2]`: as fractions of the longest in a window of
/// `pretrained`, or of this one, and their logarithms with their signs (§3.3, equation 4).
fn log_spaced(side: i64, pretrained: i64, device: Device) -> Tensor {
    let longest = if pretrained > 0 { pretrained } else { side } - 1;
    let distances = Tensor::arange_start(1 - side, side, (Kind::Float, device));
    let distances = distances / longest.max(1) as f64 * 8.;
    let logs = distances.sign() * (distances.abs() + 1.).log2() / 3.;
    let count = 2 * side - 1;
    let (rows, columns) = (logs.unsqueeze(1), logs.unsqueeze(0));
    let grid = [rows.expand([count, count], false), columns.expand([count, count], false)];
    Tensor::stack(&grid, -1).view([count * count, 2])
}
