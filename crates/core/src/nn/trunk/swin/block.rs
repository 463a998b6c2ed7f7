//! One block of a windowed transformer, and the merging between stages.

use tch::Tensor;

use super::attention::WindowAttention;
use super::config::{SwinConfig, SwinVersion};
use super::windows::Windows;
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::dropout::{drop_path, dropout};
use crate::nn::layers::{Bias, LayerNorm, Linear};
use crate::onnx::Value;
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(super) struct Block {
    norm1: LayerNorm,
    attn: WindowAttention,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
    drop_path: f64,
}

impl Block {
    /// Parameters `{norm1,attn,norm2,mlp.{up,down}}` below `vb`. `index` counts over all stages.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        c: &SwinConfig,
        stage: usize,
        index: usize,
    ) -> Result<Self> {
        let (width, mlp, hidden) = (c.channels(stage), vb.sub("mlp"), c.mlp(stage));
        Ok(Self {
            norm1: LayerNorm::new(&vb.sub("norm1"), width, c.eps)?,
            attn: WindowAttention::new(&vb.sub("attn"), c, stage)?,
            norm2: LayerNorm::new(&vb.sub("norm2"), width, c.eps)?,
            up: Linear::normal(&mlp.sub("up"), width, hidden, Bias::With)?,
            down: Linear::normal(&mlp.sub("down"), hidden, width, Bias::With)?,
            drop_path: c.drop_path_of(index),
        })
    }

    /// `[B, H, W, C]` to the same shape; `mask` is that of the windows.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        windows: &Windows,
        mask: Option<&Tensor>,
        c: &SwinConfig,
        train: bool,
    ) -> Tensor {
        let branch = |y: Tensor| drop_path(y, self.drop_path, train);
        let attend = |x: &Tensor| {
            let y = self.attn.forward(&windows.cut(x), mask, c.dropout, train);
            windows.join(&dropout(&y, c.dropout, train))
        };
        let mlp = |x: &Tensor| {
            let hidden = c.activation.forward(&self.up.forward_t(x, train));
            dropout(&self.down.forward_t(&hidden, train), c.dropout, train)
        };
        match c.version {
            SwinVersion::V1 => {
                let x = x + branch(attend(&self.norm1.forward(x)));
                &x + branch(mlp(&self.norm2.forward(&x)))
            }
            SwinVersion::V2 => {
                let x = x + branch(self.norm1.forward(&attend(x)));
                &x + branch(self.norm2.forward(&mlp(&x)))
            }
        }
    }
}

/// In a graph.
impl Block {
    /// `[B, H, W, C]` to the same shape.
    pub(super) fn onnx(
        &self,
        e: &Exporter,
        x: &Value,
        windows: &Windows,
        mask: Option<&Tensor>,
        c: &SwinConfig,
    ) -> Value {
        let channels = self.attn.channels();
        let attend = |x: &Value| {
            let y = self.attn.onnx(e, &windows.cut_onnx(x, channels), mask);
            windows.join_onnx(&y, channels)
        };
        let mlp = |x: &Value| self.down.onnx(e, &c.activation.onnx(&self.up.onnx(e, x)));
        match c.version {
            SwinVersion::V1 => {
                let x = x + attend(&self.norm1.onnx(e, x));
                &x + mlp(&self.norm2.onnx(e, &x))
            }
            SwinVersion::V2 => {
                let x = x + self.norm1.onnx(e, &attend(x));
                &x + self.norm2.onnx(e, &mlp(&x))
            }
        }
    }
}

/// Four neighbours to one vector of twice the width (Liu et al. 2021, §3.1).
#[derive(Debug)]
pub(super) struct Merge {
    norm: LayerNorm,
    reduce: Linear,
}

/// The epsilon of these norms, whatever that of the blocks is.
const EPS: f64 = 1e-5;

impl Merge {
    /// Parameters `{norm,reduce}` below `vb`, for vectors of `width`.
    pub(super) fn new(vb: &VarBuilder<'_>, version: SwinVersion, width: i64) -> Result<Self> {
        let normalised = match version {
            SwinVersion::V1 => 4 * width,
            SwinVersion::V2 => 2 * width,
        };
        Ok(Self {
            norm: LayerNorm::new(&vb.sub("norm"), normalised, EPS)?,
            reduce: Linear::normal(&vb.sub("reduce"), 4 * width, 2 * width, Bias::Without)?,
        })
    }

    /// `[B, H, W, C]` to `[B, H / 2, W / 2, 2 C]`, rounded up: zeros complete odd sides.
    pub(super) fn forward(&self, x: &Tensor, version: SwinVersion, train: bool) -> Tensor {
        let size = x.size();
        let x = match [size[1] % 2, size[2] % 2] {
            [0, 0] => x.shallow_clone(),
            [below, right] => x.constant_pad_nd([0, 0, 0, right, 0, below]),
        };
        let (rows, columns, c) = ((size[1] + 1) / 2, (size[2] + 1) / 2, size[3]);
        // Of the four, the lower left one is the second.
        let x = x.reshape([-1, rows, 2, columns, 2, c]).permute([0, 1, 3, 4, 2, 5]).flatten(3, 5);
        match version {
            SwinVersion::V1 => self.reduce.forward_t(&self.norm.forward(&x), train),
            SwinVersion::V2 => self.norm.forward(&self.reduce.forward_t(&x, train)),
        }
    }

    /// The same in a graph, of a map of these sides, and the sides of what comes of it.
    pub(super) fn onnx(
        &self,
        e: &Exporter,
        x: &Value,
        [height, width]: [i64; 2],
        version: SwinVersion,
    ) -> (Value, [i64; 2]) {
        let x = match [height % 2, width % 2] {
            [0, 0] => x.clone(),
            [below, right] => x.pad(&[(1, 0, below), (2, 0, right)]),
        };
        let (rows, columns) = ((height + 1) / 2, (width + 1) / 2);
        let channels = self.reduce.inputs() / 4;
        let x = x.reshape(&[-1, rows, 2, columns, 2, channels]).permute(&[0, 1, 3, 4, 2, 5]);
        let x = x.reshape(&[-1, rows, columns, 4 * channels]);
        let x = match version {
            SwinVersion::V1 => self.reduce.onnx(e, &self.norm.onnx(e, &x)),
            SwinVersion::V2 => self.norm.onnx(e, &self.reduce.onnx(e, &x)),
        };
        (x, [rows, columns])
    }
}
