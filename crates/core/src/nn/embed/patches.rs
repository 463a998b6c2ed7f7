//! Patch embeddings of pretrained models: of pictures (ViT, Dosovitskiy et al. 2021, §3.1) and of
//! spectrograms (AST, Gong et al. 2021, §2.1).

use tch::nn::Init;
use tch::{Tensor, nn};

use super::config::{ClassTokens, PatchEmbedderConfig};
use super::embedder::Embedder;
use crate::error::{Error, Result};
use crate::nn::features::{Batch, FeatureShape, Features, Sequence, TokenLayout};
use crate::nn::layers::dropout::dropout;
use crate::weights::{VarBuilder, resize};

/// `[B, C, H, W]` to a sequence `[B, tokens + N, D]` of the `N` patches: a convolution makes a
/// vector of every patch, row by row; the class token, and the distillation token where there is
/// one, come before them; and position embeddings are added.
#[derive(Debug)]
pub struct TokenPatchEmbedder {
    weight: Tensor,
    bias: Tensor,
    /// Each `[1, 1, D]`.
    tokens: Vec<Tensor>,
    position: Tensor,
    stride: [i64; 2],
    dropout: f64,
    width: i64,
    layout: TokenLayout,
}

impl TokenPatchEmbedder {
    /// Parameters `project.weight [D, C, P, Q]`, `project.bias [D]`, `class [1, 1, D]`,
    /// `distillation [1, 1, D]` where there is such a token, and `position [1, tokens + N, D]`,
    /// below `vb`. `from` is the embedder in the source of `vb`, `to` the wanted one: where
    /// channels, patches or the grid differ, [`resize`] brings the source's tensors to the wanted
    /// shapes.
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
        let [rows, columns] = to.patch;
        let shape = [width, to.channels, rows, columns];
        // As PyTorch initialises convolutions.
        let bound = ((to.channels * rows * columns) as f64).sqrt().recip();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        let reshape = |kernel: &Tensor| {
            let recoloured = resize::input_channels(kernel, to.channels)?;
            let resized = resize::patch_kernel(recoloured.as_ref().unwrap_or(kernel), to.patch)?;
            Ok(resized.or(recoloured))
        };
        let project = vb.sub("project");
        let weight = project.param_reshaped("weight", &shape, &reshape, || {
            nn::init(uniform, &shape, vb.device())
        })?;
        let bias = project.param("bias", &[width], uniform)?;

        // As ViT is initialised.
        let normal = Init::Randn { mean: 0., stdev: 0.02 };
        let mut tokens = vec![vb.param("class", &[1, 1, width], normal)?];
        if to.tokens == ClassTokens::ClassAndDistillation {
            tokens.push(vb.param("distillation", &[1, 1, width], normal)?);
        }
        let before = to.tokens.count();
        let (old, new) = (from.grid(), to.grid());
        let shape = [1, before + new[0] * new[1], width];
        let reshape =
            |table: &Tensor| resize::position_embedding(table, before, old, new, to.resampling);
        let position = vb.param_reshaped("position", &shape, &reshape, || {
            nn::init(normal, &shape, vb.device())
        })?;
        let &PatchEmbedderConfig { stride, dropout, .. } = to;
        let layout = TokenLayout::Grid { prefix: before, rows: new[0], columns: new[1] };
        Ok(Self { weight, bias, tokens, position, stride, dropout, width, layout })
    }

    /// `[B, C, H, W]`, of the size that it was built for, to `[B, tokens + N, D]`; `train` turns on
    /// dropout.
    pub fn forward(&self, x: &Tensor, train: bool) -> Sequence {
        let patches = x
            .conv2d(&self.weight, Some(&self.bias), self.stride, [0, 0], [1, 1], 1)
            .flatten(2, 3)
            .transpose(1, 2);
        // Not by the batch size, so that a traced model takes any.
        let one = patches.narrow(1, 0, 1);
        let mut parts: Vec<_> = self.tokens.iter().map(|token| token.expand_as(&one)).collect();
        parts.push(patches);
        let x = Tensor::cat(&parts, 1) + &self.position;
        Sequence { x: dropout(&x, self.dropout, train), attention_mask: None }
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
    if from.tokens != to.tokens {
        return problem(format!(
            "{} tokens before the patches, but the pretrained model has {}",
            to.tokens.count(),
            from.tokens.count()
        ));
    }
    Ok(())
}
