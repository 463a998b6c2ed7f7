//! Resizing pretrained embedders to inputs of another shape.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::Result;

/// How position embeddings are resampled to another grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resampling {
    /// Bicubic interpolation, corners not aligned: transformers.
    Bicubic,
    /// The same, smoothed where the grid becomes coarser: timm.
    Antialiased,
    /// The first rows and columns of a larger grid: AST, as positions are equally far apart in
    /// short and in long recordings.
    Cut,
}

impl Resampling {
    /// `[N, C, H, W]` to the size `to`.
    fn apply(self, x: &Tensor, to: [i64; 2]) -> Result<Tensor> {
        Ok(match self {
            Self::Bicubic => x.f_upsample_bicubic2d(to, false, None, None)?,
            Self::Antialiased => x.f_internal_upsample_bicubic2d_aa(to, false, None, None)?,
            Self::Cut => x.f_narrow(2, 0, to[0])?.f_narrow(3, 0, to[1])?,
        })
    }
}

/// Resamples position embeddings `[1, tokens + H · W, D]`, row by row, to another grid:
/// `[1, tokens + H' · W', D]`. Those of the tokens before the grid stay as they are. `None`: the
/// grids are the same, the table does not belong to the grid `from`, or it is too small to be cut.
pub fn position_embedding(
    table: &Tensor,
    tokens: i64,
    from: [i64; 2],
    to: [i64; 2],
    by: Resampling,
) -> Result<Option<Tensor>> {
    let cells = from[0] * from[1];
    let &[1, positions, width] = table.size().as_slice() else { return Ok(None) };
    let short = by == Resampling::Cut && (from[0] < to[0] || from[1] < to[1]);
    if from == to || positions != tokens + cells || short {
        return Ok(None);
    }
    let grid = table.narrow(1, tokens, cells).transpose(1, 2).reshape([1, width, from[0], from[1]]);
    let grid = by.apply(&grid, to)?.flatten(2, 3).transpose(1, 2);
    Ok(Some(Tensor::f_cat(&[table.narrow(1, 0, tokens), grid], 1)?))
}

/// Resizes the kernel of a patch embedding `[D, C, P, Q]` to patches of another size, such that its
/// output on a resized patch is as close as possible to that on the original one: the kernel is
/// multiplied by the pseudo-inverse of the resize matrix, bicubic and antialiased (FlexiViT, Beyer
/// et al. 2023, §3.4). `None`: the size is the same, or the kernel is not of patches.
pub fn patch_kernel(kernel: &Tensor, to: [i64; 2]) -> Result<Option<Tensor>> {
    let &[width, channels, rows, columns] = kernel.size().as_slice() else { return Ok(None) };
    if [rows, columns] == to {
        return Ok(None);
    }
    let pixels = rows * columns;
    // Every pixel resized by itself: the rows of the transposed resize matrix. In f64, as the
    // pseudo-inverse squares the rounding error.
    let each = Tensor::eye(pixels, (Kind::Double, kernel.device()));
    let resizing =
        Resampling::Antialiased.apply(&each.view([pixels, 1, rows, columns]), to)?.flatten(1, 3);
    let inverse = resizing.f_linalg_pinv(RANK_EPS, false)?;
    let flat = kernel.to_kind(Kind::Double).reshape([width, channels, pixels]);
    let resized = flat.f_matmul(&inverse.transpose(0, 1))?;
    Ok(Some(resized.reshape([width, channels, to[0], to[1]]).to_kind(kernel.kind())))
}

/// Singular values below this fraction of the largest count as zero, as in f32.
const RANK_EPS: f64 = 1e-5;

/// Adapts the kernel of a first convolution `[D, C, P, Q]` to another number of input channels, as
/// timm does: for one, the sum, which is exact for grey inputs; else the channels repeated and
/// scaled such that the output keeps its scale. `None`: the numbers are the same, or the kernel is
/// not 2-D.
pub fn input_channels(kernel: &Tensor, to: i64) -> Result<Option<Tensor>> {
    let &[_, from, _, _] = kernel.size().as_slice() else { return Ok(None) };
    Ok(Some(match (from, to) {
        _ if from == to => return Ok(None),
        (_, 1) => kernel.f_sum_dim_intlist([1].as_slice(), true, None)?,
        (1.., 1..) => {
            let turns = (to + from - 1) / from;
            kernel.f_repeat([1, turns, 1, 1])?.f_narrow(1, 0, to)? * (from as f64 / to as f64)
        }
        _ => return Ok(None),
    }))
}
