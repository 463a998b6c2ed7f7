//! The one transformer (Vaswani et al. 2017) that serves every family of checkpoints.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::{Tensor, nn::Init};

use crate::{
    Error, Result, Scope, Sequence,
    attention::{Attention, backwards},
    dropout,
    layers::{LayerNorm, Linear},
};

/// Where a block normalises (Xiong et al. 2020).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormAt {
    /// Before attention and MLP, and once more at the end: ViT, GPT-2, Whisper.
    Before,
    /// After the residual sum: BERT.
    After,
}

/// Which GELU (Hendrycks and Gimpel 2016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gelu {
    /// `x Φ(x)`.
    Exact,
    /// The approximation by `tanh`.
    Tanh,
}

/// What a place of the sequence may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attend {
    /// All places.
    Everywhere,
    /// Itself and those before it.
    Backwards,
}

/// Whether what a block adds is scaled, channel by channel (CaiT, Touvron et al. 2021, §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerScale {
    /// It is not.
    #[default]
    Without,
    /// By learned factors: DINOv2.
    Learned,
}

/// Ten fields that tell the families apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// The length of a hidden state, `D`.
    pub width: i64,
    /// The number of blocks.
    pub depth: usize,
    /// Attention heads; they divide `width`.
    pub heads: i64,
    /// The width of the MLP's hidden layer.
    pub mlp: i64,
    /// Where a block normalises.
    pub norm: NormAt,
    /// The MLP's activation.
    pub gelu: Gelu,
    /// What a place may look at.
    pub attend: Attend,
    /// The epsilon of all layer norms.
    pub eps: f64,
    /// The share of activations dropped in training.
    pub dropout: f64,
    /// Whether what a block adds is scaled.
    #[serde(default)]
    pub layer_scale: LayerScale,
}

impl TransformerConfig {
    /// A transformer of a width and depth; all else as in ViT, with heads of width 64.
    pub fn of(width: i64, depth: usize) -> Self {
        Self {
            width,
            depth,
            heads: (width / 64).max(1),
            mlp: 4 * width,
            norm: NormAt::Before,
            gelu: Gelu::Exact,
            attend: Attend::Everywhere,
            eps: 1e-6,
            dropout: 0.,
            layer_scale: LayerScale::Without,
        }
    }

    fn validate(&self) -> Result<()> {
        let problem = if self.width < 1 || self.depth < 1 || self.heads < 1 || self.mlp < 1 {
            "width, depth, heads and mlp must be at least 1".to_string()
        } else if self.width % self.heads != 0 {
            format!("{} heads do not divide the width {}", self.heads, self.width)
        } else if !(0.0..1.0).contains(&self.dropout) {
            format!("the dropout {} is not in 0..1", self.dropout)
        } else if self.eps <= 0. {
            format!("the epsilon {} is not positive", self.eps)
        } else {
            return Ok(());
        };
        Err(Error::Setting { setting: "transformer", problem })
    }
}

/// The deviation of fresh weights, as BERT and ViT are initialised.
pub(crate) const INIT: f64 = 0.02;

#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
    /// Of what attention and MLP add, each `[D]`.
    scales: Option<[Tensor; 2]>,
}

impl Block {
    fn new(at: &Scope<'_>, c: &TransformerConfig) -> Result<Self> {
        let mlp = at.sub("mlp");
        let scale = |name| at.param(name, &[c.width], Init::Const(1.));
        Ok(Self {
            norm1: LayerNorm::new(&at.sub("norm1"), c.width, c.eps)?,
            attn: Attention::new(&at.sub("attn"), c.width, c.heads)?,
            norm2: LayerNorm::new(&at.sub("norm2"), c.width, c.eps)?,
            up: Linear::normal(&mlp.sub("up"), c.width, c.mlp, INIT)?,
            down: Linear::normal(&mlp.sub("down"), c.mlp, c.width, INIT)?,
            scales: match c.layer_scale {
                LayerScale::Without => None,
                LayerScale::Learned => Some([scale("scale1")?, scale("scale2")?]),
            },
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        mask: Option<&Tensor>,
        c: &TransformerConfig,
        train: bool,
    ) -> Tensor {
        let drop = |y: Tensor| dropout(&y, c.dropout, train);
        let scaled = |y: Tensor, i: usize| match &self.scales {
            Some(scales) => y * &scales[i],
            None => y,
        };
        let causal = c.attend == Attend::Backwards;
        let attend =
            |x: &Tensor| scaled(drop(self.attn.forward(x, mask, causal, c.dropout, train)), 0);
        let mlp = |x: &Tensor| {
            let hidden = self.up.forward_t(x, train).gelu(match c.gelu {
                Gelu::Exact => "none",
                Gelu::Tanh => "tanh",
            });
            scaled(drop(self.down.forward_t(&hidden, train)), 1)
        };
        match c.norm {
            NormAt::Before => {
                let x = x + attend(&self.norm1.forward(x));
                &x + mlp(&self.norm2.forward(&x))
            }
            NormAt::After => {
                let x = self.norm1.forward(&(x + attend(x)));
                self.norm2.forward(&(&x + mlp(&x)))
            }
        }
    }
}

/// A stack of blocks from hidden states to hidden states.
#[derive(Debug)]
pub struct Transformer {
    config: TransformerConfig,
    blocks: Vec<Block>,
    norm: Option<LayerNorm>,
}

impl Transformer {
    /// Parameters `blocks.N.{norm1,attn.{q,k,v,out},norm2,mlp.{up,down}}.{weight,bias}`,
    /// `blocks.N.{scale1,scale2}` where what they add is scaled, and `norm.{weight,bias}` where they
    /// normalise before.
    ///
    /// # Errors
    /// If the configuration contradicts itself, or the source of `at` lacks a tensor.
    pub fn new(at: &Scope<'_>, config: TransformerConfig) -> Result<Self> {
        config.validate()?;
        let blocks = (0..config.depth)
            .map(|i| Block::new(&at.sub("blocks").sub(i), &config))
            .collect::<Result<_>>()?;
        let norm = match config.norm {
            NormAt::Before => Some(LayerNorm::new(&at.sub("norm"), config.width, config.eps)?),
            NormAt::After => None,
        };
        Ok(Self { config, blocks, norm })
    }

    /// What it was built from.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// `[B, T, D]` to `[B, T, D]`; places that hold no data are not looked at.
    pub fn forward(&self, sequence: &Sequence, train: bool) -> Sequence {
        self.parts(sequence, 0..usize::MAX, train)
    }

    /// What some blocks make of what those below them made; the norm behind all blocks counts as
    /// one more.
    pub fn parts(&self, sequence: &Sequence, parts: Range<usize>, train: bool) -> Sequence {
        let Sequence { x, keep } = sequence;
        let mask = keep.as_ref().map(|keep| {
            let t = keep.size()[1];
            let mask = keep.view([-1, 1, 1, t]);
            match self.config.attend {
                Attend::Everywhere => mask,
                Attend::Backwards => mask.logical_and(&backwards(t, x.device())),
            }
        });
        let depth = self.blocks.len();
        let blocks = &self.blocks[parts.start.min(depth)..parts.end.min(depth)];
        let x = blocks.iter().fold(x.shallow_clone(), |x, block| {
            block.forward(&x, mask.as_ref(), &self.config, train)
        });
        let norm = self.norm.as_ref().filter(|_| parts.contains(&depth));
        Sequence {
            x: norm.map(|n| n.forward(&x)).unwrap_or(x),
            keep: keep.as_ref().map(Tensor::shallow_clone),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, nn::VarStore};

    use super::*;
    use crate::Fresh;

    fn config(norm: NormAt, attend: Attend) -> TransformerConfig {
        TransformerConfig { heads: 4, mlp: 32, norm, attend, ..TransformerConfig::of(16, 2) }
    }

    /// Which of 5 places of the output change when the input changes from place 3 on.
    fn changed(norm: NormAt, attend: Attend, keep: Option<&Tensor>) -> Vec<bool> {
        tch::manual_seed(1);
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = Scope::root(&store, &fresh);
        let transformer = Transformer::new(&root, config(norm, attend)).unwrap();
        let run = |x: &Tensor| {
            let keep = keep.map(Tensor::shallow_clone);
            transformer.forward(&Sequence { x: x.shallow_clone(), keep }, false).x
        };
        let x = Tensor::randn([1, 5, 16], (Kind::Float, Device::Cpu));
        let later = Tensor::cat(&[x.narrow(1, 0, 3), x.narrow(1, 3, 2) * 2.], 1);
        let difference = (run(&x) - run(&later)).abs().amax([0, 2].as_slice(), false);
        Vec::<f32>::try_from(difference).unwrap().iter().map(|&d| d > 1e-6).collect()
    }

    #[test]
    fn a_place_sees_what_it_may() {
        let keep = Tensor::from_slice(&[true, true, true, false, false]).view([1, 5]);
        for norm in [NormAt::Before, NormAt::After] {
            assert_eq!(changed(norm, Attend::Everywhere, None), [true; 5]);
            let before = [false, false, false, true, true];
            assert_eq!(changed(norm, Attend::Backwards, None), before);
            // What holds no data sees itself, and is seen by nobody.
            assert_eq!(changed(norm, Attend::Everywhere, Some(&keep))[..3], before[..3]);
            assert_eq!(changed(norm, Attend::Backwards, Some(&keep))[..3], before[..3]);
        }
    }

    #[test]
    fn a_contradiction_is_named() {
        let good = config(NormAt::After, Attend::Everywhere);
        for (bad, said) in [
            (TransformerConfig { heads: 3, ..good.clone() }, "3 heads do not divide the width 16"),
            (TransformerConfig { depth: 0, ..good.clone() }, "at least 1"),
            (TransformerConfig { dropout: 1., ..good.clone() }, "the dropout 1 is not in 0..1"),
            (TransformerConfig { eps: 0., ..good }, "the epsilon 0 is not positive"),
        ] {
            let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
            let error = Transformer::new(&Scope::root(&store, &fresh), bad).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
