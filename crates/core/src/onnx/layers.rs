//! Products, convolutions, norms, and what else a layer computes.

use super::attribute::{float, int, ints, word};
use super::element::Element;
use super::graph::Value;
use super::wire::AttributeProto;

/// The geometry of a convolution: a number, or two, for each side that it slides along.
#[derive(Debug, Clone)]
pub struct ConvShape<'s> {
    /// Steps.
    pub strides: &'s [i64],
    /// Zeros before each side, then behind each.
    pub pads: &'s [i64],
    /// Groups of channels that do not see each other.
    pub groups: i64,
}

/// The geometry of a pooling over rows and columns.
#[derive(Debug, Clone, Copy)]
pub struct PoolShape {
    /// Sides of the kernel.
    pub kernel: [i64; 2],
    /// Steps.
    pub strides: [i64; 2],
    /// What lies before and behind either side, and does not count.
    pub padding: i64,
    /// Whether a kernel that reaches beyond the end counts what there is.
    pub ceil: bool,
}

impl Value {
    /// The product of matrices, over the last two sides.
    pub fn matmul(&self, other: &Value) -> Self {
        self.op("MatMul", &[other], vec![])
    }

    /// `[B, C, …]` with `weight [C', C / groups, …]` and `bias [C']` to `[B, C', …]`.
    pub fn conv(&self, weight: &Value, bias: Option<&Value>, shape: &ConvShape<'_>) -> Self {
        let more: Vec<&Value> = [weight].into_iter().chain(bias).collect();
        let attributes = vec![
            int("group", shape.groups),
            ints("pads", shape.pads),
            ints("strides", shape.strides),
        ];
        self.op("Conv", &more, attributes)
    }

    /// The largest of each kernel's elements.
    pub fn max_pool(&self, shape: PoolShape) -> Self {
        self.op("MaxPool", &[], shape.attributes())
    }

    /// Their mean.
    pub fn avg_pool(&self, shape: PoolShape) -> Self {
        self.op("AveragePool", &[], shape.attributes())
    }

    /// Normalised over its last side (Ba et al. 2016), with `weight` and `bias` as long as that.
    pub fn layer_norm(&self, weight: &Value, bias: Option<&Value>, eps: f64) -> Self {
        let more: Vec<&Value> = [weight].into_iter().chain(bias).collect();
        self.op("LayerNormalization", &more, vec![int("axis", -1), float("epsilon", eps)])
    }

    /// Divided by the root of the mean square of its last side, in f32.
    pub fn rms_norm(&self, eps: f64) -> Self {
        let x = self.to(Element::F32);
        let root = ((&x * &x).mean(&[-1], true) + eps).sqrt();
        (x / root).to(self.element())
    }

    /// Each of so many groups of channels of `[B, C, …]` normalised over all of its positions (Wu and
    /// He 2018), with `weight` and `bias`, `[C]`.
    pub fn group_norm(&self, groups: i64, weight: &Value, bias: &Value, eps: f64) -> Self {
        let attributes = vec![float("epsilon", eps), int("num_groups", groups)];
        self.op("GroupNormalization", &[weight, bias], attributes)
    }

    /// Each channel of `[B, C, …]` normalised by its running statistics: `weight`, `bias`, mean and
    /// variance, `[C]`.
    pub fn batch_norm(&self, parameters: [&Value; 4], eps: f64) -> Self {
        self.op("BatchNormalization", &parameters, vec![float("epsilon", eps)])
    }

    /// GELU: exact, or by `tanh`.
    pub fn gelu(&self, approximate: &str) -> Self {
        self.op("Gelu", &[], vec![word("approximate", approximate)])
    }

    /// `min(max(x / 6 + 1 / 2, 0), 1)`.
    pub fn hardsigmoid(&self) -> Self {
        self.op("HardSigmoid", &[], vec![float("alpha", 1. / 6.), float("beta", 0.5)])
    }

    /// The softmax over the last side.
    pub fn softmax(&self) -> Self {
        self.op("Softmax", &[], vec![int("axis", -1)])
    }
}

impl PoolShape {
    fn attributes(self) -> Vec<AttributeProto> {
        let mut attributes = vec![
            ints("kernel_shape", &self.kernel),
            ints("pads", &[self.padding; 4]),
            ints("strides", &self.strides),
        ];
        if self.ceil {
            attributes.push(int("ceil_mode", 1));
        }
        attributes
    }
}
