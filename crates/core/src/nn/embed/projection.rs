//! The projection of patches, of either embedder.

use tch::nn::Init;
use tch::{Tensor, nn};

use crate::error::Result;
use crate::nn::layers::Bias;
use crate::weights::{VarBuilder, resize};

/// Parameters `project.weight [D, C, P, Q]` and, where there is one, `project.bias [D]`, below `vb`:
/// the convolution that makes a vector of width `D` of every patch of `C` channels and `P × Q` pixels.
/// Where the source of `vb` has other channels or patches, [`resize`] brings its kernel to these.
///
/// # Errors
/// If the source of `vb` lacks a tensor.
pub(super) fn projection(
    vb: &VarBuilder<'_>,
    width: i64,
    channels: i64,
    patch: [i64; 2],
    bias: Bias,
) -> Result<(Tensor, Option<Tensor>)> {
    let [rows, columns] = patch;
    let shape = [width, channels, rows, columns];
    // As PyTorch initialises convolutions.
    let bound = ((channels * rows * columns) as f64).sqrt().recip();
    let uniform = Init::Uniform { lo: -bound, up: bound };
    let reshape = |kernel: &Tensor| {
        let recoloured = resize::input_channels(kernel, channels)?;
        let resized = resize::patch_kernel(recoloured.as_ref().unwrap_or(kernel), patch)?;
        Ok(resized.or(recoloured))
    };
    let project = vb.sub("project");
    let weight = project
        .param_reshaped("weight", &shape, &reshape, || nn::init(uniform, &shape, vb.device()))?;
    let bias = match bias {
        Bias::With => Some(project.param("bias", &[width], uniform)?),
        Bias::Without => None,
    };
    Ok((weight, bias))
}
