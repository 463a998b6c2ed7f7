//! Patch embeddings of pretrained models: of pictures (ViT, Dosovitskiy et al. 2021, §3.1) and of
//! spectrograms (AST, Gong et al. 2021, §2.1).

use tch::nn::Init;
use tch::{Tensor, nn};

use super::embedder::Embedder;
use super::patch_config::{ClassTokens, PatchEmbedderConfig};
use super::projection::projection;
use crate::error::{Error, Result};
use crate::nn::exporter::{Exporter, GraphEmbedding, GraphFeatures, GraphMap, GraphSequence};
use crate::nn::features::{Batch, FeatureShape, Features, Sequence, TokenLayout};
use crate::nn::layers::LayerNorm;
use crate::nn::layers::dropout::dropout;
use crate::onnx::{ConvShape, Value};
use crate::weights::{VarBuilder, resize};

/// `[B, C, H, W]` to a sequence `[B, P + N, D]` of the `N` patches: a convolution makes a vector of
/// every patch, row by row; position embeddings are added; `P` class tokens and registers come before
/// them, if there are any; and a norm may follow.
#[derive(Debug)]
pub struct TokenPatchEmbedder {
    weight: Tensor,
    bias: Option<Tensor>,
    /// Class tokens and registers, each `[1, n, D]`.
    tokens: Vec<Tensor>,
    position: Option<Position>,
    norm: Option<LayerNorm>,
    stride: [i64; 2],
    dropout: f64,
    width: i64,
    layout: TokenLayout,
}

/// Position embeddings, `[1, placed + N, D]`: of the first tokens before the patches, and of these.
#[derive(Debug)]
struct Position {
    table: Tensor,
    placed: i64,
}

impl TokenPatchEmbedder {
    /// Parameters `project.weight [D, C, P, Q]` and, below `vb` and as far as `to` asks for them,
    /// `project.bias [D]`, `class` and `distillation`, each `[1, 1, D]`, `registers [1, R, D]`,
    /// `position [1, placed + N, D]`, `norm.{weight,bias} [D]`. `from` is the embedder in the source
    /// of `vb`, `to` the wanted one: where channels, patches or the grid differ, [`resize`] brings the
    /// source's tensors to the wanted shapes.
    ///
    /// # Errors
    /// If `form` is not a sequence, if patches do not fit their inputs, if the two differ in their
    /// tokens, or if the source of `vb` lacks a tensor.
    pub fn new(
        vb: VarBuilder<'_>,
        from: &PatchEmbedderConfig,
        to: &PatchEmbedderConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let width = form.sequence("patches are a sequence")?;
        check(from, to)?;
        let (weight, bias) = projection(&vb, width, to.channels, to.patch, to.bias)?;

        // As ViT is initialised.
        let normal = Init::Randn { mean: 0., stdev: 0.02 };
        let (mut tokens, class) = (vec![], to.tokens != ClassTokens::Without);
        let distilled = to.tokens == ClassTokens::ClassAndDistillation;
        for (name, count) in [
            ("class", class.into()),
            ("distillation", distilled.into()),
            ("registers", to.registers),
        ] {
            if count > 0 {
                tokens.push(vb.param(name, &[1, count, width], normal)?);
            }
        }
        let (old, new) = (from.grid(), to.grid());
        let position = match to.placed() {
            Some(placed) => {
                let shape = [1, placed + new[0] * new[1], width];
                let by = to.resampling;
                let reshape =
                    |table: &Tensor| resize::position_embedding(table, placed, old, new, by);
                let table = vb.param_reshaped("position", &shape, &reshape, || {
                    nn::init(normal, &shape, vb.device())
                })?;
                Some(Position { table, placed })
            }
            None => None,
        };
        let norm = to.norm.map(|eps| LayerNorm::new(&vb.sub("norm"), width, eps)).transpose()?;
        let &PatchEmbedderConfig { stride, dropout, .. } = to;
        let layout = TokenLayout::Grid { prefix: to.prefix(), rows: new[0], columns: new[1] };
        Ok(Self { weight, bias, tokens, position, norm, stride, dropout, width, layout })
    }

    /// `[B, C, H, W]`, of the size that it was built for, to `[B, P + N, D]`; `train` turns on
    /// dropout.
    pub fn forward(&self, x: &Tensor, train: bool) -> Sequence {
        let patches = x
            .conv2d(&self.weight, self.bias.as_ref(), self.stride, [0, 0], [1, 1], 1)
            .flatten(2, 3)
            .transpose(1, 2);
        let patches = match &self.position {
            None => patches,
            Some(Position { table, placed }) => {
                patches + table.narrow(1, *placed, table.size()[1] - placed)
            }
        };
        let x = match self.prefix() {
            None => patches.contiguous(),
            // Not by the batch size, so that a traced model takes any.
            Some(prefix) => {
                let each = patches.narrow(1, 0, 1).expand([-1, prefix.size()[1], -1], false);
                Tensor::cat(&[prefix.expand_as(&each), patches], 1)
            }
        };
        let x = dropout(&x, self.dropout, train);
        let x = self.norm.as_ref().map(|norm| norm.forward(&x)).unwrap_or(x);
        Sequence { x, attention_mask: None }
    }

    /// The tokens before the patches, with their positions: `[1, P, D]`.
    fn prefix(&self) -> Option<Tensor> {
        if self.tokens.is_empty() {
            return None;
        }
        let tokens = Tensor::cat(&self.tokens, 1);
        let Some(Position { table, placed }) = &self.position else { return Some(tokens) };
        let rest = tokens.narrow(1, *placed, tokens.size()[1] - placed);
        let placed = tokens.narrow(1, 0, *placed) + table.narrow(1, 0, *placed);
        Some(Tensor::cat(&[placed, rest], 1))
    }
}

/// In a graph.
impl TokenPatchEmbedder {
    /// As [`forward`](Self::forward).
    pub fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphSequence {
        let bias = self.bias.as_ref().map(|bias| e.parameter(bias));
        let shape = ConvShape { strides: &self.stride, pads: &[0; 4], groups: 1 };
        let patches = map.x.conv(&e.parameter(&self.weight), bias.as_ref(), &shape);
        let patches = patches.reshape(&[0, self.width, -1]).permute(&[0, 2, 1]);
        let placed = self.position.as_ref().map(|position| position.placed);
        let table = self.position.as_ref().map(|position| e.parameter(&position.table));
        let patches = match (&table, placed) {
            (Some(table), Some(placed)) => patches + table.narrow_from(1, placed),
            _ => patches,
        };
        let tokens: Vec<Value> = self.tokens.iter().map(|tokens| e.parameter(tokens)).collect();
        let x = match &tokens[..] {
            [] => patches,
            tokens => {
                let tokens = Value::cat(&tokens.iter().collect::<Vec<_>>(), 1);
                let prefix = match (table, placed) {
                    (Some(table), Some(placed)) => {
                        let rest = tokens.narrow_from(1, placed);
                        let placed = tokens.narrow(1, 0, placed) + table.narrow(1, 0, placed);
                        Value::cat(&[&placed, &rest], 1)
                    }
                    _ => tokens,
                };
                // Once for each sample.
                let sides = Value::cat(&[&patches.size(0), &e.graph().ints(&[1, 1])], 0);
                Value::cat(&[&prefix.expand(&sides), &patches], 1)
            }
        };
        let x = self.norm.as_ref().map(|norm| norm.onnx(e, &x)).unwrap_or(x);
        GraphSequence { x, attention_mask: None }
    }
}

impl Embedder for TokenPatchEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::Sequence { width: self.width }
    }

    fn layout(&self) -> TokenLayout {
        self.layout
    }

    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::Sequence(self.forward(&batch.x, train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let sequence = self.onnx(e, &e.pictures());
        Ok(GraphEmbedding::of(GraphFeatures::Sequence(sequence)))
    }
}

fn check(from: &PatchEmbedderConfig, to: &PatchEmbedderConfig) -> Result<()> {
    let problem = |problem| Err(Error::setting("--patch", problem));
    for config in [from, to] {
        let &PatchEmbedderConfig { channels, size, patch, stride, .. } = config;
        let fits = |i: usize| patch[i] >= 1 && stride[i] >= 1 && patch[i] <= size[i];
        if channels < 1 || !fits(0) || !fits(1) {
            return problem(format!(
                "patches of {} × {} at strides of {} × {} do not fit an input of {channels} × {} × {}",
                patch[0], patch[1], stride[0], stride[1], size[0], size[1]
            ));
        }
    }
    if (from.tokens, from.registers) != (to.tokens, to.registers) {
        return problem(format!(
            "{} tokens before the patches, but the pretrained model has {}",
            to.prefix(),
            from.prefix()
        ));
    }
    Ok(())
}
