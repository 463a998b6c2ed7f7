//! The coordinates that rotary positions count.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::nn::features::TokenLayout;
use crate::onnx::Value;

/// Of what axes rotary positions are coordinates. On a grid, the first half of the rotated values
/// turns with the row and the second with the column; tokens before it are not rotated. A plain
/// sequence is a grid of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RotaryAxes {
    /// One: the place in the sequence.
    #[default]
    Sequence,
    /// The centres of the patches, from -1 to 1 across the grid, in turns (Siméoni et al. 2025,
    /// DINOv3, §3.2).
    Centred {
        /// The columns of the grid that it was trained on: so far apart are the positions of a plain
        /// sequence, whatever its length.
        columns: i64,
    },
    /// Rows and columns counted from 0 (Fang et al. 2023, EVA-02, §2.1), as if there were as many as
    /// on the grid that it was trained on.
    Counted {
        /// Its rows.
        rows: i64,
        /// Its columns.
        columns: i64,
    },
}

impl RotaryAxes {
    /// What is wrong with it for so many rotated values.
    pub(super) fn problem(self, width: i64) -> Option<String> {
        let sides = match self {
            Self::Sequence => return None,
            Self::Centred { columns } => [columns, columns],
            Self::Counted { rows, columns } => [rows, columns],
        };
        if sides.iter().any(|&side| side < 1) {
            return Some("the grid of rotary positions must have a row and a column".into());
        }
        (width % 4 != 0).then(|| {
            format!(
                "{width} rotated values on a grid: half for rows, half for columns, all in pairs"
            )
        })
    }

    /// The coordinates of `t` positions, `[t, axes]`, 0 where there is nothing to rotate.
    pub(super) fn positions(self, layout: TokenLayout, t: i64) -> Tensor {
        let count = |n: i64| Tensor::arange(n, (Kind::Float, Device::Cpu));
        let [prefix, rows, columns] = match layout {
            TokenLayout::Grid { prefix, rows, columns } => [prefix, rows, columns],
            TokenLayout::Sequence => [0, 1, t],
        };
        let centred =
            |n: i64, of: i64| (((count(n) + 0.5) / of as f64) * 2. - 1.) * std::f64::consts::TAU;
        let counted = |n: i64, of: i64| count(n) / n as f64 * of as f64;
        let [down, across] = match (self, layout) {
            (Self::Sequence, _) => return count(t).unsqueeze(1),
            (Self::Centred { .. }, TokenLayout::Grid { .. }) => {
                [centred(rows, rows), centred(columns, columns)]
            }
            (Self::Centred { columns: usual }, TokenLayout::Sequence) => {
                [centred(1, 1), centred(t, usual)]
            }
            (Self::Counted { rows: like, columns: wide }, TokenLayout::Grid { .. }) => {
                [counted(rows, like), counted(columns, wide)]
            }
            (Self::Counted { .. }, TokenLayout::Sequence) => [count(1), count(t)],
        };
        let down = down.unsqueeze(1).expand([rows, columns], false);
        let across = across.unsqueeze(0).expand([rows, columns], false);
        let grid = Tensor::stack(&[down, across], 2).flatten(0, 1);
        Tensor::cat(&[Tensor::zeros([prefix, 2], (Kind::Float, Device::Cpu)), grid], 0)
    }

    /// The coordinates of the positions of a plain sequence along each axis, of their numbers `[T]`, in a
    /// graph.
    pub(super) fn of_sequence(self, numbers: &Value) -> Vec<Value> {
        match self {
            Self::Sequence => vec![numbers.clone()],
            // The middle of one row, which is 0, and the row itself.
            Self::Centred { columns } => {
                let across = (numbers + 0.5) / columns as f64 * 2. - 1.;
                vec![numbers * 0., across * std::f64::consts::TAU]
            }
            Self::Counted { .. } => vec![numbers * 0., numbers.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_two_coordinates_and_its_prefix_none() {
        let grid = TokenLayout::Grid { prefix: 2, rows: 2, columns: 3 };
        let told = |axes: RotaryAxes, layout| {
            let found = axes.positions(layout, 8);
            let at = |i: i64| [found.double_value(&[i, 0]), found.double_value(&[i, 1])];
            (found.size(), at(0), at(3), at(7))
        };
        let axes = RotaryAxes::Counted { rows: 4, columns: 3 };
        assert_eq!(told(axes, grid), (vec![8, 2], [0., 0.], [0., 1.], [2., 2.]));
        assert_eq!(told(axes, TokenLayout::Sequence).3, [0., 7.]);
        let axes = RotaryAxes::Centred { columns: 4 };
        let (_, before, middle, last) = told(axes, grid);
        let turns =
            |[a, b]: [f64; 2]| [a, b].map(|x| (x / std::f64::consts::TAU * 1e3).round() / 1e3);
        assert_eq!([before, middle, last].map(turns), [[0., 0.], [-0.5, 0.], [0.5, 0.667]]);
        // As far apart as on four columns, however long.
        assert_eq!(turns(told(axes, TokenLayout::Sequence).2), [0., 0.75]);
    }
}
