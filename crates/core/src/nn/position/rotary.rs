//! Rotary position embeddings (Su et al. 2021, RoFormer, §3.2).

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::axes::RotaryAxes;
use crate::nn::defaults::is_default;
use crate::nn::exporter::Exporter;
use crate::nn::features::TokenLayout;
use crate::onnx::{Element, Value};

/// How queries and keys are rotated by their positions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotaryConfig {
    /// The base of the frequencies, often called theta.
    pub base: f64,
    /// How many of a head's values are rotated; `None`: all of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub width: Option<i64>,
    /// Which two values are rotated together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pairing: RotaryPairing,
    /// How frequencies are changed for sequences longer than those trained on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scaling: RotaryScaling,
    /// Of what axes positions are coordinates.
    #[serde(default, skip_serializing_if = "is_default")]
    pub axes: RotaryAxes,
}

/// Which two values of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RotaryPairing {
    /// One of the first half and one of the second: Llama, as transformers keeps it.
    #[default]
    Halves,
    /// Neighbours: RoFormer, EVA-02.
    Neighbours,
}

/// How frequencies are changed for sequences longer than those trained on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RotaryScaling {
    /// They are not.
    #[default]
    None,
    /// Divided by a factor (Chen et al. 2023).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Low frequencies divided by a factor, high ones kept, and those between blended: Llama 3.1.
    Llama3 {
        /// The factor.
        factor: f64,
        /// Wavelengths longer than `original / low` are divided.
        low: f64,
        /// Wavelengths shorter than `original / high` are kept.
        high: f64,
        /// The longest sequence trained on first.
        original: f64,
    },
}

impl RotaryConfig {
    /// Rotation of all values of a head, by halves, with an unscaled base.
    pub fn of(base: f64) -> Self {
        let (pairing, scaling) = (RotaryPairing::default(), RotaryScaling::default());
        Self { base, width: None, pairing, scaling, axes: RotaryAxes::default() }
    }

    /// What is wrong with it for heads of a width.
    pub(crate) fn problem(&self, head_width: i64) -> Option<String> {
        let width = self.width.unwrap_or(head_width);
        let scales: &[f64] = match &self.scaling {
            RotaryScaling::None => &[],
            RotaryScaling::Linear { factor } => &[*factor],
            RotaryScaling::Llama3 { factor, low, high, original } => {
                &[*factor, *low, *high, *original]
            }
        };
        let positive = |x: &f64| x.is_finite() && *x > 0.;
        if width < 2 || width % 2 != 0 || width > head_width {
            Some(format!(
                "{width} rotated values: must be even, at least 2 and at most a head's {head_width}"
            ))
        } else if !positive(&self.base) || !scales.iter().all(positive) {
            Some("the base and the scales of rotary positions must be above 0".into())
        } else {
            self.axes.problem(width)
        }
    }

    /// The rotation of every position of a sequence of `t`, for heads of `head_width`.
    pub(crate) fn table(&self, layout: TokenLayout, t: i64, head_width: i64, to: Device) -> Rotary {
        let width = self.width.unwrap_or(head_width);
        let positions = self.axes.positions(layout, t);
        let frequencies = self.frequencies(width / positions.size()[1]);
        // Of several axes, one behind the other.
        let angles = (positions.unsqueeze(2) * frequencies).flatten(1, 2);
        let [cos, sin] = [angles.cos(), angles.sin()].map(|x| x.to_device(to));
        Rotary { cos, sin, pairing: self.pairing }
    }

    /// The same in a graph, of the numbers of the positions, `[T]`.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        layout: TokenLayout,
        numbers: &Value,
        head_width: i64,
    ) -> GraphRotary {
        let (width, pairing) = (self.width.unwrap_or(head_width), self.pairing);
        if let TokenLayout::Grid { prefix, rows, columns } = layout {
            let table = self.table(layout, prefix + rows * columns, head_width, Device::Cpu);
            let [cos, sin] = [table.cos, table.sin].map(|x| e.constant(&x));
            return GraphRotary { cos, sin, pairing, width, head_width };
        }
        let axes = self.axes.of_sequence(&numbers.to(Element::F32));
        let frequencies = self.frequencies(width / axes.len() as i64);
        let frequencies = e.constant_as(&frequencies.unsqueeze(0), Element::F32);
        let angles: Vec<Value> =
            axes.iter().map(|axis| axis.unsqueeze(&[1]) * &frequencies).collect();
        let angles = Value::cat(&angles.iter().collect::<Vec<_>>(), 1);
        let (cos, sin) = (angles.cos().to_float(), angles.sin().to_float());
        GraphRotary { cos, sin, pairing, width, head_width }
    }

    /// Of `width` values, `[width / 2]`, in radians a position.
    fn frequencies(&self, width: i64) -> Tensor {
        let exponents = Tensor::arange_start_step(0, width, 2, (Kind::Float, Device::Cpu));
        let frequencies =
            Tensor::full_like(&exponents, self.base).pow(&(exponents / width as f64)).reciprocal();
        match self.scaling {
            RotaryScaling::None => frequencies,
            RotaryScaling::Linear { factor } => frequencies / factor,
            RotaryScaling::Llama3 { factor, low, high, original } => {
                let wavelengths = frequencies.reciprocal() * std::f64::consts::TAU;
                // 1 where a frequency is kept, 0 where it is divided.
                let kept = (wavelengths.reciprocal() * original - low) / (high - low);
                let kept = kept.clamp(0., 1.);
                &frequencies * &kept + (&frequencies / factor) * (kept.ones_like() - kept)
            }
        }
    }
}

/// The rotations of the positions of a sequence.
#[derive(Debug)]
pub(crate) struct Rotary {
    /// `[T, W / 2]`, of the `W` values that are rotated.
    cos: Tensor,
    sin: Tensor,
    pairing: RotaryPairing,
}

impl Rotary {
    /// Those of positions in another order, `[N]`, i64.
    pub(super) fn at(self, positions: &Tensor) -> Self {
        let [cos, sin] = [&self.cos, &self.sin].map(|x| x.index_select(0, positions));
        Self { cos, sin, ..self }
    }

    /// Queries or keys `[B, heads, T, D / heads]` to the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let (width, half) = (x.size()[3], self.cos.size()[1]);
        let rotated = x.narrow(3, 0, 2 * half);
        let (a, b) = match self.pairing {
            RotaryPairing::Halves => (rotated.narrow(3, 0, half), rotated.narrow(3, half, half)),
            RotaryPairing::Neighbours => {
                let pairs = rotated.unflatten(3, [half, 2]);
                (pairs.select(4, 0), pairs.select(4, 1))
            }
        };
        let turned = [&a * &self.cos - &b * &self.sin, &b * &self.cos + &a * &self.sin];
        let turned = match self.pairing {
            RotaryPairing::Halves => Tensor::cat(&turned, 3),
            RotaryPairing::Neighbours => Tensor::stack(&turned, 4).flatten(3, 4),
        };
        if width == 2 * half {
            return turned;
        }
        Tensor::cat(&[turned, x.narrow(3, 2 * half, width - 2 * half)], 3)
    }
}

/// The same in a graph.
#[derive(Debug)]
pub(crate) struct GraphRotary {
    cos: Value,
    sin: Value,
    pairing: RotaryPairing,
    /// How many of a head's values are rotated.
    width: i64,
    head_width: i64,
}

impl GraphRotary {
    /// Queries or keys `[B, heads, T, D / heads]` to the same shape.
    pub(crate) fn rotate(&self, x: &Value) -> Value {
        let half = self.width / 2;
        let rotated = match self.width == self.head_width {
            true => x.clone(),
            false => x.narrow(3, 0, self.width),
        };
        let (a, b) = match self.pairing {
            RotaryPairing::Halves => (rotated.narrow(3, 0, half), rotated.narrow(3, half, half)),
            RotaryPairing::Neighbours => {
                let pairs = rotated.reshape(&[0, 0, 0, half, 2]);
                (pairs.select(4, 0), pairs.select(4, 1))
            }
        };
        let turned = [&a * &self.cos - &b * &self.sin, &b * &self.cos + &a * &self.sin];
        let turned = match self.pairing {
            RotaryPairing::Halves => Value::cat(&[&turned[0], &turned[1]], 3),
            RotaryPairing::Neighbours => {
                Value::stack(&[&turned[0], &turned[1]], 4).reshape(&[0, 0, 0, -1])
            }
        };
        if self.width == self.head_width {
            return turned;
        }
        Value::cat(&[&turned, &x.narrow_from(3, self.width)], 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_depends_on_the_distance_alone() {
        tch::manual_seed(1);
        let [q, k] = [(); 2].map(|()| Tensor::randn([1, 1, 1, 8], (Kind::Float, Device::Cpu)));
        for pairing in [RotaryPairing::Halves, RotaryPairing::Neighbours] {
            for width in [None, Some(4)] {
                let config = RotaryConfig { pairing, width, ..RotaryConfig::of(100.) };
                let table = config.table(TokenLayout::Sequence, 6, 8, Device::Cpu);
                let [q, k] = [&q, &k].map(|x| table.forward(&x.expand([1, 1, 6, 8], false)));
                let scores = q.matmul(&k.transpose(2, 3));
                let score = |i: i64, j: i64| scores.double_value(&[0, 0, i, j]);
                assert!((score(0, 2) - score(3, 5)).abs() < 1e-5);
                assert!((score(0, 2) - score(2, 0)).abs() > 1e-3);
            }
        }
    }
}
