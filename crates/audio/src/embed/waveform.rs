//! Convolutions over the waveform (wav2vec 2.0, Baevski et al. 2020, §2; HuBERT has the same).

use crosstune_core::{
    Batch, Bias, Embedder, Error, FeatureShape, Features, NormPlacement, Result, Sequence,
    VarBuilder, WaveformEmbedderConfig, WaveformNorm, dropout,
    nn::{
        BatchNormStats, Exporter, GraphEmbedding, GraphFeatures, GraphSequence, LayerNorm, Linear,
    },
    onnx::{Dim, Element, Value},
};
use tch::{Kind, Tensor};

use super::{
    channel_norm::{ChannelNorm, within, within_onnx},
    conv::{Conv1d, Sliding},
    mask::FeatureMask,
    positions::Positional,
};

/// The epsilon of the layer norms within the convolutions, whatever that of the others is.
const EPS: f64 = 1e-5;

/// Convolutions turn the waveform into a sequence of features, which are projected to the width of
/// the trunk. One more convolution, over that sequence, embeds the positions.
#[derive(Debug)]
pub struct WaveformEmbedder {
    convs: Vec<Layer>,
    feature_norm: Option<LayerNorm>,
    project: Linear,
    positional: Option<Positional>,
    norm: Option<LayerNorm>,
    dropout: f64,
    width: i64,
    mask: Option<FeatureMask>,
}

/// A convolution with its norm, if it has one.
#[derive(Debug)]
struct Layer {
    conv: Conv1d,
    norm: Norm,
}

#[derive(Debug)]
enum Norm {
    Without,
    /// Each channel over time.
    Channels(ChannelNorm),
    /// Each position over its channels.
    Places(LayerNorm),
}

impl WaveformEmbedder {
    /// Parameters `convs.N.conv.weight [C', C, kernel]`, `convs.N.conv.bias [C']` where the
    /// convolutions have one and `convs.N.norm.{weight,bias} [C']` where they have a norm,
    /// `feature_norm.{weight,bias} [C]` where there is one, `project.weight [D, C]`,
    /// `project.bias [D]`, those of the positions (`position.weight [D, D / groups, kernel]` and
    /// `position.bias [D]` of most models) and, if the trunk does not normalise at its end,
    /// `norm.{weight,bias} [D]`, below `vb`.
    ///
    /// # Errors
    /// If `form` is not a sequence, if a convolution cannot be, or if a parameter cannot be made.
    pub fn new(
        vb: &VarBuilder<'_>,
        config: &WaveformEmbedderConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let c = config;
        let width = form.sequence("its embedder makes a sequence")?;
        let positive = c.convolutions.iter().flatten().all(|&n| n > 0);
        if c.convolutions.is_empty() || !positive || c.position_kernel < 1 || c.position_groups < 1
        {
            let problem = "the sizes of its convolutions must be at least 1".into();
            return Err(Error::Setting { setting: "waveform", problem });
        }
        let (mut convs, mut channels) = (vec![], 1);
        for (i, &[out, kernel, stride]) in c.convolutions.iter().enumerate() {
            let vb = vb.sub("convs").sub(i);
            let bias = if c.bias { Bias::With } else { Bias::Without };
            let sliding = Sliding::new(kernel, stride);
            let conv = Conv1d::new(&vb.sub("conv"), [channels, out], sliding, bias)?;
            let vb = vb.sub("norm");
            let norm = match c.norm {
                WaveformNorm::Group if i == 0 => Norm::Channels(ChannelNorm::new(&vb, out)?),
                WaveformNorm::Group => Norm::Without,
                WaveformNorm::Layer => Norm::Places(LayerNorm::new(&vb, out, EPS)?),
            };
            convs.push(Layer { conv, norm });
            channels = out;
        }
        let norm = |name, width| LayerNorm::new(&vb.sub(name), width, c.eps);
        Ok(Self {
            convs,
            feature_norm: match c.feature_norm {
                true => Some(norm("feature_norm", channels)?),
                false => None,
            },
            project: Linear::new(&vb.sub("project"), channels, width)?,
            positional: Positional::new(vb, c, width)?,
            norm: match c.output_norm {
                NormPlacement::Post => Some(norm("norm", width)?),
                NormPlacement::Pre | NormPlacement::Sandwich => None,
            },
            dropout: c.dropout,
            width,
            mask: None,
        })
    }

    /// The same, which masks at least so many stretches of time, and so many of channels, of its features
    /// in training: with the vector that the source was pretrained with, if it has one.
    ///
    /// # Errors
    /// If that vector cannot be read.
    pub fn with_masks(self, vb: &VarBuilder<'_>, masks: usize) -> Result<Self> {
        const NAME: &str = "embed.mask";
        if masks == 0 {
            return Ok(self);
        }
        let shape = [self.width];
        let source = vb.source().filter(|source| source.shape(NAME) == Some(&shape));
        let vector = match source {
            Some(source) => source.tensor(NAME, &shape)?,
            None => Tensor::zeros(shape, (Kind::Float, vb.device())),
        };
        Ok(Self { mask: Some(FeatureMask { masks, vector }), ..self })
    }

    /// Embeds waveforms `[B, N]`, with a `mask` (`[B, N]`, bool) that is false for padding, as
    /// `[B, T, D]`: a position for every window of samples that all convolutions fit into. What a
    /// recording becomes does not depend on its padding: no norm counts it, and it is set to zero
    /// before the convolution over positions.
    pub fn forward(&self, waveform: &Tensor, mask: Option<&Tensor>, train: bool) -> Sequence {
        let samples = mask.map(|mask| mask.sum_dim_intlist([1].as_slice(), true, Kind::Int64));
        let start = (waveform.unsqueeze(1), samples);
        let (features, lengths) =
            self.convs.iter().fold(start, |(x, lengths), layer| layer.forward(&x, lengths));
        let features = features.transpose(1, 2);
        let length = features.size()[1];
        let features = match &self.feature_norm {
            Some(norm) => norm.forward(&features),
            None => features,
        };
        let x = self.project.forward_t(&features, train);
        let mask = lengths.map(|lengths| within(&lengths, length));
        let x = match &mask {
            Some(mask) => x * mask.unsqueeze(-1),
            None => x,
        };
        let Sequence { x, attention_mask: mask } = match self.mask.as_ref().filter(|_| train) {
            Some(hidden) => hidden.apply(Sequence { x, attention_mask: mask }),
            None => Sequence { x, attention_mask: mask },
        };
        let x = match &self.positional {
            Some(positional) => &x + positional.forward(&x, mask.as_ref(), train),
            None => x,
        };
        let x = match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        };
        Sequence { x: dropout(&x, self.dropout, train), attention_mask: mask }
    }
}

impl Layer {
    /// `[B, C, T]`, of which `lengths` (`[B, 1]`) hold data, to `[B, C', T']` and the lengths there.
    fn forward(&self, x: &Tensor, lengths: Option<Tensor>) -> (Tensor, Option<Tensor>) {
        let x = self.conv.forward(x);
        let lengths = lengths.map(|lengths| self.conv.positions(&lengths));
        let x = match &self.norm {
            Norm::Without => x,
            Norm::Channels(norm) => norm.forward(&x, lengths.as_ref()),
            Norm::Places(norm) => norm.forward(&x.transpose(1, 2)).transpose(1, 2),
        };
        (x.gelu("none"), lengths)
    }

    /// The same in a graph, with lengths.
    fn onnx(&self, e: &Exporter, x: &Value, lengths: &Value) -> (Value, Value) {
        let x = self.conv.onnx(e, x);
        let lengths = self.conv.positions_onnx(lengths);
        let x = match &self.norm {
            Norm::Without => x,
            Norm::Channels(norm) => norm.onnx(e, &x, &lengths),
            Norm::Places(norm) => norm.onnx(e, &x.permute(&[0, 2, 1])).permute(&[0, 2, 1]),
        };
        (x.gelu("none"), lengths)
    }
}

impl Embedder for WaveformEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::Sequence { width: self.width }
    }
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::Sequence(self.forward(&batch.x, batch.attention_mask.as_ref(), train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let samples = Dim::Open("samples");
        let waveform = e.graph().input("input_values", Element::F32, &[Dim::BATCH, samples]);
        let lengths = e.attention_mask(samples).to(Element::I64).sum(&[1], true);
        let start = (waveform.to_float().unsqueeze(&[1]), lengths);
        let through = |(x, lengths): (Value, Value), layer: &Layer| layer.onnx(e, &x, &lengths);
        let (features, lengths) = self.convs.iter().fold(start, through);
        let features = features.permute(&[0, 2, 1]);
        let mask = within_onnx(&lengths, &features.size(1));
        let norm = self.feature_norm.as_ref();
        let features = norm.map(|norm| norm.onnx(e, &features)).unwrap_or(features);
        let x = self.project.onnx(e, &features) * mask.unsqueeze(&[2]).to_float();
        let positional = self.positional.as_ref();
        let x = positional.map(|added| &x + added.onnx(e, &x, &mask)).unwrap_or(x);
        let x = self.norm.as_ref().map(|norm| norm.onnx(e, &x)).unwrap_or(x);
        let sequence = GraphSequence { x, attention_mask: Some(mask) };
        Ok(GraphEmbedding::of(GraphFeatures::Sequence(sequence)))
    }

    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.positional.iter().for_each(|positional| positional.set_batch_norm_stats(statistics));
    }
}
