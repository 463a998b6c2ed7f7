//! ConvNeXt's block (Liu et al. 2022) and that of its second version (Woo et al. 2023).

use tch::Tensor;
use tch::nn::Init;

use super::config::BlockShape;
use super::kinds::{ConvNextConfig, ResponseNorm};
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::nn::layers::dropout::drop_path;
use crate::nn::layers::{Activation, Bias, Conv2d, ConvConfig, Linear, MapNorm, Padding};
use crate::nn::trunk::transformer::LayerScale;
use crate::onnx::{Element, Value};
use crate::weights::VarBuilder;

/// A norm and a convolution to another shape.
#[derive(Debug)]
struct Downsample {
    norm: MapNorm,
    conv: Conv2d,
}

/// Weights and biases of a response norm, each `[mlp]`.
#[derive(Debug)]
struct Response {
    weight: Tensor,
    bias: Tensor,
}

impl Response {
    const EPS: f64 = 1e-6;

    /// `[B, H, W, mlp]` to the same shape.
    fn forward(&self, x: &Tensor) -> Tensor {
        let lengths = x.norm_scalaropt_dim(2, [1i64, 2].as_slice(), true);
        let mean = lengths.mean_dim([-1i64].as_slice(), true, None) + Self::EPS;
        x + x * (lengths / mean) * &self.weight + &self.bias
    }

    /// The same in a graph, its lengths in f32: over all positions they are large.
    fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let lengths = x.to(Element::F32).norm(&[1, 2], true);
        let mean = lengths.mean(&[-1], true) + Self::EPS;
        let share = (lengths / mean).to_float();
        x + x * share * e.parameter(&self.weight) + e.parameter(&self.bias)
    }
}

/// A depthwise convolution, a norm of each position and an MLP, past which the input goes.
#[derive(Debug)]
pub(super) struct ConvNextBlock {
    downsample: Option<Downsample>,
    depthwise: Conv2d,
    norm: MapNorm,
    up: Linear,
    response: Option<Response>,
    down: Linear,
    scale: Option<Tensor>,
    activation: Activation,
    drop_path: f64,
}

impl ConvNextBlock {
    /// Parameters `depthwise`, `norm`, `mlp.{up,down}`, `grn` (each `{weight,bias}`) and `scale
    /// [c_out]`; where the shape changes, `downsample.{norm,conv}` ahead of them.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        config: &ConvNextConfig,
        shape: &BlockShape<'_>,
    ) -> Result<Self> {
        let &BlockShape { c_in, c_out, stride, .. } = shape;
        let norm = &shape.config.norm;
        let downsample = || -> Result<Downsample> {
            let vb = vb.sub("downsample");
            let conv = ConvConfig::new((c_in, c_out), stride, stride);
            let conv = ConvConfig { padding: Padding::Without, bias: true, ..conv };
            Ok(Downsample {
                norm: MapNorm::new(&vb.sub("norm"), c_in, norm)?,
                conv: Conv2d::new(&vb.sub("conv"), conv)?,
            })
        };
        let response = || -> Result<Response> {
            let of = |leaf| vb.sub("grn").param(leaf, &[config.mlp], Init::Const(0.));
            Ok(Response { weight: of("weight")?, bias: of("bias")? })
        };
        let scale = || vb.param("scale", &[c_out], Init::Const(SCALE));
        let depthwise = ConvConfig { bias: true, ..ConvConfig::depthwise(c_out, config.kernel, 1) };
        let (up, down) = (vb.sub("mlp").sub("up"), vb.sub("mlp").sub("down"));
        let changes = (c_in, 1) != (c_out, stride);
        let responds = config.response_norm == ResponseNorm::Learned;
        let scales = config.layer_scale == LayerScale::Learned;
        Ok(Self {
            downsample: changes.then(downsample).transpose()?,
            depthwise: Conv2d::new(&vb.sub("depthwise"), depthwise)?,
            norm: MapNorm::new(&vb.sub("norm"), c_out, norm)?,
            up: Linear::normal(&up, c_out, config.mlp, Bias::With)?,
            response: responds.then(response).transpose()?,
            down: Linear::normal(&down, config.mlp, c_out, Bias::With)?,
            scale: scales.then(scale).transpose()?,
            activation: config.activation,
            drop_path: shape.drop_path,
        })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H', W']`.
    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let shaped = self
            .downsample
            .as_ref()
            .map(|downsample| downsample.conv.forward(&downsample.norm.forward(x, train)));
        let x = shaped.as_ref().unwrap_or(x);
        let y = self.norm.forward(&self.depthwise.forward(x), train).permute([0, 2, 3, 1]);
        let y = self.activation.forward(&self.up.forward_t(&y, train));
        let y = self.response.as_ref().map(|response| response.forward(&y)).unwrap_or(y);
        let y = self.down.forward_t(&y, train);
        let y = match &self.scale {
            Some(scale) => y * scale,
            None => y,
        };
        x + drop_path(y.permute([0, 3, 1, 2]), self.drop_path, train)
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let shaped = self
            .downsample
            .as_ref()
            .map(|downsample| downsample.conv.onnx(e, &map.with(downsample.norm.onnx(e, &map.x))));
        let map = shaped.as_ref().unwrap_or(map);
        let y = self.norm.onnx(e, &self.depthwise.onnx(e, map).x).permute(&[0, 2, 3, 1]);
        let y = self.activation.onnx(&self.up.onnx(e, &y));
        let y = self.response.as_ref().map(|response| response.onnx(e, &y)).unwrap_or(y);
        let y = self.down.onnx(e, &y);
        let y = self.scale.as_ref().map(|scale| &y * e.parameter(scale)).unwrap_or(y);
        map.with(&map.x + y.permute(&[0, 3, 1, 2]))
    }
}

/// A new layer scale (Liu et al. 2022, appendix A.1).
const SCALE: f64 = 1e-6;
