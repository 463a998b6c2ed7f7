//! Positions by convolutions over the sequence (wav2vec 2.0, Baevski et al. 2020, §2).

use crosstune_core::{
    Bias, Error, Result, VarBuilder, WaveformEmbedderConfig, WaveformPositions,
    nn::{BatchNorm2d, BatchNormStats, Exporter},
    onnx::Value,
};
use tch::{Device, Kind, Tensor};

use super::conv::{Conv1d, Sliding};

/// What is added to a sequence for its positions.
#[derive(Debug)]
pub(super) struct Positional {
    batch_norm: Option<BatchNorm2d>,
    convs: Vec<Conv1d>,
    norm: ConvNorm,
}

/// Whether the outcome of each convolution is normalised ahead of its GELU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConvNorm {
    Without,
    /// Over the channels of each position, without parameters.
    Layer,
}

/// The epsilon of that norm, whatever that of the others is.
const EPS: f64 = 1e-5;

impl Positional {
    /// `position.{weight [D, D / groups, kernel], bias [D]}`; behind a batch norm or where there are
    /// several, `positions.N` each; `norm_position` of the batch norm; below `vb`. `None`: there are
    /// none.
    ///
    /// # Errors
    /// If a convolution cannot be, or a parameter cannot be made.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        c: &WaveformEmbedderConfig,
        width: i64,
    ) -> Result<Option<Self>> {
        let (count, norm) = match c.positions {
            WaveformPositions::Without => return Ok(None),
            WaveformPositions::Convolution | WaveformPositions::BatchNorm => (1, ConvNorm::Without),
            WaveformPositions::Convolutions(count) => (count, ConvNorm::Layer),
        };
        if width % c.position_groups != 0 {
            let problem = format!("{} groups do not divide the width {width}", c.position_groups);
            return Err(Error::Setting { setting: "waveform", problem });
        }
        let sliding = Sliding {
            padding: c.position_kernel / 2,
            groups: c.position_groups,
            ..Sliding::new(c.position_kernel, 1)
        };
        let conv = |vb: VarBuilder<'_>| Conv1d::new(&vb, [width; 2], sliding, Bias::With);
        let convs = match c.positions {
            WaveformPositions::Convolution => vec![conv(vb.sub("position"))?],
            _ => {
                (0..count).map(|i| conv(vb.sub("positions").sub(i))).collect::<Result<Vec<_>>>()?
            }
        };
        let batch_norm = match c.positions {
            WaveformPositions::BatchNorm => {
                Some(BatchNorm2d::new(&vb.sub("norm_position"), width)?)
            }
            _ => None,
        };
        Ok(Some(Self { batch_norm, convs, norm }))
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.batch_norm.iter().for_each(|norm| norm.set_batch_norm_stats(statistics));
    }

    /// `x [B, T, D]`, zero where `mask`, `[B, T]`, says that there is no data, to what is added to it.
    pub(super) fn forward(&self, x: &Tensor, mask: Option<&Tensor>, train: bool) -> Tensor {
        let (length, mut x) = (x.size()[1], x.transpose(1, 2));
        // Padding counts as what lies beyond the sequence.
        let silenced = |x: Tensor| match mask {
            Some(mask) => x * mask.unsqueeze(1),
            None => x,
        };
        if let Some(norm) = &self.batch_norm {
            x = silenced(norm.forward(&x, train));
        }
        for (i, conv) in self.convs.iter().enumerate() {
            if i > 0 {
                x = silenced(x);
            }
            // An even kernel, padded by half of itself at either end, makes one position too many.
            x = conv.forward(&x).narrow(2, 0, length);
            if self.norm == ConvNorm::Layer {
                let width = [x.size()[1]];
                let none = None::<&Tensor>;
                x = x.transpose(1, 2).layer_norm(width, none, none, EPS, true).transpose(1, 2);
            }
            x = x.gelu("none");
        }
        x.transpose(1, 2)
    }

    /// The same in a graph, with a mask.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value, mask: &Value) -> Value {
        let (length, mut x) = (x.size(1), x.permute(&[0, 2, 1]));
        let data = mask.unsqueeze(&[1]).to_float();
        if let Some(norm) = &self.batch_norm {
            x = norm.onnx(e, &x) * &data;
        }
        for (i, conv) in self.convs.iter().enumerate() {
            if i > 0 {
                x = x * &data;
            }
            x = conv.onnx(e, &x).narrow_to(2, 0, &length);
            if self.norm == ConvNorm::Layer {
                let one = Tensor::ones([conv.channels()], (Kind::Float, Device::Cpu));
                let normed = x.permute(&[0, 2, 1]).layer_norm(&e.constant(&one), None, EPS);
                x = normed.permute(&[0, 2, 1]);
            }
            x = x.gelu("none");
        }
        x.permute(&[0, 2, 1])
    }
}
