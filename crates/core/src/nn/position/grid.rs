//! Relative position biases of a grid of patches (Bao et al. 2022, BEiT, §2.1; Liu et al. 2021, Swin,
//! §3.2), with entries of their own for the class token.

use serde::{Deserialize, Serialize};
use tch::nn::Init;
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::features::TokenLayout;
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// A bias for each head and each pair of distances, in rows and in columns. Other grids than the one
/// that it was trained on get it interpolated. A plain sequence is a grid of one row, in which far
/// distances share the bias of the farthest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridBiasConfig {
    /// Rows of the grid that it was trained on.
    pub rows: i64,
    /// Columns of that grid.
    pub columns: i64,
    /// Whose tables there are.
    pub tables: GridTables,
}

/// Whose tables of biases there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridTables {
    /// Each block has its own.
    Blocks,
    /// All blocks share one.
    Shared,
    /// Each block has its own, and all share another that is added.
    BlocksAndShared,
}

/// Entries of a table behind those of the distances: from the class token, to it, and to itself.
const OTHERS: i64 = 3;

impl GridBiasConfig {
    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        let fits = |side| (1..=1 << 16).contains(&side);
        (!(fits(self.rows) && fits(self.columns))).then(|| {
            format!("a grid of {} × {}: must be of 1 to 65536 patches", self.rows, self.columns)
        })
    }

    /// The numbers of distances in rows and in columns.
    fn distances(&self) -> [i64; 2] {
        [2 * self.rows - 1, 2 * self.columns - 1]
    }

    /// The entry of every pair of `t` positions.
    pub(super) fn pairs(&self, layout: TokenLayout, t: i64, to: Device) -> GridPairs {
        let (prefix, rows, columns, distances) = match layout {
            TokenLayout::Grid { prefix, rows, columns } => {
                (prefix, rows, columns, [2 * rows - 1, 2 * columns - 1])
            }
            TokenLayout::Sequence => (0, 1, t, self.distances()),
        };
        let count = |n| Tensor::arange(n, (Kind::Int64, Device::Cpu));
        let places = [
            count(rows).unsqueeze(1).expand([rows, columns], false),
            count(columns).unsqueeze(0).expand([rows, columns], false),
        ];
        let [down, across] = [0, 1].map(|axis: usize| {
            let (at, most) = (places[axis].flatten(0, 1), distances[axis] / 2);
            (at.unsqueeze(1) - at.unsqueeze(0)).clamp(-most, most) + most
        });
        let others = distances[0] * distances[1];
        let pairs = Tensor::full([t, t], others + 2, (Kind::Int64, Device::Cpu));
        let patches = rows * columns;
        let _ = pairs.narrow(0, 0, prefix).narrow(1, prefix, patches).fill_(others);
        let _ = pairs.narrow(0, prefix, patches).narrow(1, 0, prefix).fill_(others + 1);
        pairs
            .narrow(0, prefix, patches)
            .narrow(1, prefix, patches)
            .copy_(&(down * distances[1] + across));
        GridPairs { pairs: pairs.to_device(to), distances }
    }

    /// The same in a graph, of how far each key is behind each query in a plain sequence, `[T, T]`.
    pub(super) fn onnx(&self, e: &Exporter, layout: TokenLayout, behind: &Value) -> GraphPairs {
        match layout {
            TokenLayout::Grid { prefix, rows, columns } => {
                let GridPairs { pairs, distances } =
                    self.pairs(layout, prefix + rows * columns, Device::Cpu);
                GraphPairs { pairs: e.constant(&pairs), distances }
            }
            TokenLayout::Sequence => {
                let distances = self.distances();
                let [down, most] = distances.map(|n| n / 2);
                let across = behind.clamp(-most as f64, most as f64) + most as f64;
                GraphPairs { pairs: across + (down * distances[1]) as f64, distances }
            }
        }
    }
}

/// Which entry of a table every pair of positions has.
#[derive(Debug)]
pub(crate) struct GridPairs {
    /// `[T, T]`, of the query, then of the key.
    pairs: Tensor,
    /// Of the grid at hand, in rows and columns.
    distances: [i64; 2],
}

/// The same in a graph.
#[derive(Debug)]
pub(crate) struct GraphPairs {
    pairs: Value,
    distances: [i64; 2],
}

/// A table of biases.
#[derive(Debug)]
pub(crate) struct GridBias {
    /// In rows and columns.
    distances: [i64; 2],
    /// `[distances + 3, heads]`.
    weight: Tensor,
}

impl GridBias {
    /// `weight [(2 rows - 1) (2 columns - 1) + 3, heads]` below `vb`.
    pub(crate) fn new(vb: &VarBuilder<'_>, config: GridBiasConfig, heads: i64) -> Result<Self> {
        let distances = config.distances();
        let shape = [distances[0] * distances[1] + OTHERS, heads];
        Ok(Self { distances, weight: vb.param("weight", &shape, Init::Const(0.))? })
    }

    /// `[1, heads, T, T]`.
    pub(crate) fn forward(&self, of: &GridPairs) -> Tensor {
        let table = match of.distances == self.distances {
            true => self.weight.shallow_clone(),
            false => self.interpolated(of.distances),
        };
        Tensor::embedding(&table, &of.pairs, -1, false, false).permute([2, 0, 1]).unsqueeze(0)
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, of: &GraphPairs) -> Value {
        let table = match of.distances == self.distances {
            true => e.parameter(&self.weight),
            false => {
                let interpolated = tch::no_grad(|| self.interpolated(of.distances));
                e.derived(&self.weight, "interpolated", &interpolated)
            }
        };
        table.rows(&of.pairs).permute(&[2, 0, 1]).unsqueeze(&[0])
    }

    /// The table for other distances, as transformers interpolates it.
    fn interpolated(&self, to: [i64; 2]) -> Tensor {
        let ([rows, columns], heads) = (self.distances, self.weight.size()[1]);
        let grid = self.weight.narrow(0, 0, rows * columns).tr().view([1, heads, rows, columns]);
        let grid = grid.upsample_bilinear2d(to, false, None, None);
        let others = self.weight.narrow(0, rows * columns, OTHERS);
        Tensor::cat(&[grid.view([heads, to[0] * to[1]]).tr(), others], 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_at_the_same_distance_share_an_entry() {
        let config = GridBiasConfig { rows: 2, columns: 3, tables: GridTables::Shared };
        let grid = TokenLayout::Grid { prefix: 1, rows: 2, columns: 3 };
        let GridPairs { pairs, distances } = config.pairs(grid, 7, Device::Cpu);
        assert_eq!(distances, config.distances());
        // As `gen_relative_position_index((2, 3))` of timm.
        let rows = Vec::<Vec<i64>>::try_from(&pairs).unwrap();
        assert_eq!(rows[0], [17, 15, 15, 15, 15, 15, 15]);
        assert_eq!(rows[1], [16, 7, 6, 5, 2, 1, 0]);
        assert_eq!(rows[6], [16, 14, 13, 12, 9, 8, 7]);
        let line = config.pairs(TokenLayout::Sequence, 5, Device::Cpu).pairs;
        assert_eq!(Vec::<Vec<i64>>::try_from(&line).unwrap()[4], [9, 9, 9, 8, 7]);
    }
}
