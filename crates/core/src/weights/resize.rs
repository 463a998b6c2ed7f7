//! Surgery: pretrained tensors of an embedder brought to inputs of another shape.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::Result;

/// How a table of positions is brought to another grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resampling {
    /// Bicubic interpolation, corners not aligned: transformers.
    Bicubic,
    /// The same, smoothed where the grid becomes coarser: timm.
    Antialiased,
    /// The first rows and columns of a larger grid: AST, for a place is as far from the next one in
    /// a short recording as in a long one.
    Cut,
}

impl Resampling {
    /// `[N, C, H, W]` to the sides `to`.
    fn apply(self, x: &Tensor, to: [i64; 2]) -> Result<Tensor> {
        Ok(match self {
            Self::Bicubic => x.f_upsample_bicubic2d(to, false, None, None)?,
            Self::Antialiased => x.f_internal_upsample_bicubic2d_aa(to, false, None, None)?,
            Self::Cut => x.f_narrow(2, 0, to[0])?.f_narrow(3, 0, to[1])?,
        })
    }
}

/// A table of positions `[1, tokens + H · W, D]`, row by row, for a grid of other sides: `[1, tokens
/// + H' · W', D]`. The positions of the tokens before the grid stay as they are. `None`: the grids are
/// the same, the table is not of the grid `from`, or there is not enough of it to be cut.
pub fn position_embedding(
    table: &Tensor,
    tokens: i64,
    from: [i64; 2],
    to: [i64; 2],
    by: Resampling,
) -> Result<Option<Tensor>> {
    let cells = from[0] * from[1];
    let &[1, places, width] = table.size().as_slice() else { return Ok(None) };
    let short = by == Resampling::Cut && (from[0] < to[0] || from[1] < to[1]);
    if from == to || places != tokens + cells || short {
        return Ok(None);
    }
    let grid = table.narrow(1, tokens, cells).transpose(1, 2).reshape([1, width, from[0], from[1]]);
    let grid = by.apply(&grid, to)?.flatten(2, 3).transpose(1, 2);
    Ok(Some(Tensor::f_cat(&[table.narrow(1, 0, tokens), grid], 1)?))
}

/// The kernel of a patch embedding `[D, C, P, Q]` for patches of other sides: what it makes of a
/// patch is as near as can be to what it made of that patch before it was resized. For that the
/// kernel is multiplied by the pseudo-inverse of the resizing, which is bicubic and antialiased
/// (FlexiViT, Beyer et al. 2023, §3.4). `None`: the sides are the same, or
/// the kernel is not of patches.
pub fn patch_kernel(kernel: &Tensor, to: [i64; 2]) -> Result<Option<Tensor>> {
    let &[width, channels, rows, columns] = kernel.size().as_slice() else { return Ok(None) };
    if [rows, columns] == to {
        return Ok(None);
    }
    let pixels = rows * columns;
    // Every pixel resized by itself: the rows of the transposed matrix of the resizing. In f64, for
    // the pseudo-inverse squares what is lost to rounding.
    let each = Tensor::eye(pixels, (Kind::Double, kernel.device()));
    let resizing =
        Resampling::Antialiased.apply(&each.view([pixels, 1, rows, columns]), to)?.flatten(1, 3);
    let inverse = resizing.f_linalg_pinv(RANK_EPS, false)?;
    let flat = kernel.to_kind(Kind::Double).reshape([width, channels, pixels]);
    let resized = flat.f_matmul(&inverse.transpose(0, 1))?;
    Ok(Some(resized.reshape([width, channels, to[0], to[1]]).to_kind(kernel.kind())))
}

/// The share of the largest singular value below which one counts as zero, as in f32.
const RANK_EPS: f64 = 1e-5;

/// The kernel of a first convolution `[D, C, P, Q]` for inputs of another number of channels, as timm
/// does it: for one, the sum, which is exact for grey inputs; else the channels in turn, scaled so
/// that what comes out keeps its size. `None`: the numbers are the same, or the kernel is not of planes.
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
