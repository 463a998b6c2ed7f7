//! Sinusoidal position embeddings.

use tch::{Device, Kind, Tensor};

/// The layout of the positions of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    /// One after the other: frames, tokens.
    #[serde(alias = "line")]
    Sequence(i64),
    /// Row by row: patches.
    Grid {
        /// From top to bottom.
        rows: i64,
        /// From left to right.
        columns: i64,
    },
}

impl Positions {
    /// The number of positions.
    pub fn count(self) -> i64 {
        match self {
            Self::Sequence(count) => count,
            Self::Grid { rows, columns } => rows * columns,
        }
    }

    /// Sinusoidal embeddings `[count, width]`: of a sequence as in the transformer (Vaswani et al.
    /// 2017, §3.5); on a grid, one half encodes the row and the other the column (He et al. 2022,
    /// MAE, appendix A.1).
    pub fn sinusoidal(self, width: i64) -> Tensor {
        match self {
            Self::Sequence(count) => sines(count, width),
            Self::Grid { rows, columns } => {
                let (upper, lower) = (width / 2, width - width / 2);
                let down = sines(rows, upper).unsqueeze(1).expand([rows, columns, upper], false);
                let across =
                    sines(columns, lower).unsqueeze(0).expand([rows, columns, lower], false);
                Tensor::cat(&[down, across], -1).view([rows * columns, width])
            }
        }
    }
}

/// `[count, width]`: sines in the first half, cosines in the second, of wavelengths from 2π to
/// 10000 · 2π.
fn sines(count: i64, width: i64) -> Tensor {
    let (sines, cosines) = (width - width / 2, width / 2);
    let float = (Kind::Float, Device::Cpu);
    let exponent = Tensor::arange(sines, float) / sines.max(1) as f64;
    let frequency = (exponent * -(10_000f64.ln())).exp();
    let angle = Tensor::arange(count, float).outer(&frequency);
    Tensor::cat(&[angle.sin(), angle.narrow(1, 0, cosines).cos()], 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_the_transformers_formula() {
        let waves = Positions::Sequence(5).sinusoidal(7);
        assert_eq!(waves.size(), [5, 7]);
        for (position, column) in [(0, 0), (3, 1), (4, 3), (4, 6)] {
            let (frequency, phase) = (column % 4, column / 4);
            let angle = position as f64 * 10_000f64.powf(-f64::from(frequency) / 4.);
            let want = if phase == 0 { angle.sin() } else { angle.cos() };
            let got = waves.double_value(&[position, i64::from(column)]);
            assert!((got - want).abs() < 1e-6, "{position}, {column}: {got}, not {want}");
        }
    }

    #[test]
    fn on_a_grid_one_half_encodes_the_row_and_one_the_column() {
        let (rows, columns, width) = (3, 4, 10);
        let waves =
            Positions::Grid { rows, columns }.sinusoidal(width).view([rows, columns, width]);
        let same = |a: Tensor, b: Tensor| a.equal(&b);
        let (down, across) = (waves.narrow(2, 0, 5), waves.narrow(2, 5, 5));
        assert!(same(down.select(1, 0), down.select(1, 3)));
        assert!(same(across.select(0, 0), across.select(0, 2)));
        assert!(!same(down.select(0, 0), down.select(0, 1)));
        assert!(same(across.select(0, 0), super::sines(columns, 5)));
    }
}
