//! Features as a sequence, where a model answers at every position.

use tch::{Device, Kind, Tensor};

use super::exporter::{Exporter, GraphFeatures, GraphMap, GraphSequence};
use super::features::{Features, Sequence, TokenLayout};
use crate::onnx::{Element, Value};

/// In which order the places of a feature map follow one another, where an answer is a sequence. An
/// embedder knows it: the input's first place is in the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadingOrder {
    /// Column by column, each the mean over its rows: bands or a picture's rows from top to bottom, time
    /// from left to right.
    #[default]
    Columns,
    /// Row by row, each the mean over its columns: time from top to bottom.
    Rows,
    /// The columns of the uppermost of so many pieces, then those of the one below it.
    Pieces(i64),
}

impl ReadingOrder {
    /// How many positions a feature map, `[B, D, H, W]`, has.
    pub(super) fn positions(self, map: &Tensor) -> i64 {
        let size = map.size();
        self.positions_of([size[2], size[3]])
    }

    /// The same of its rows and columns.
    fn positions_of(self, [rows, columns]: [i64; 2]) -> i64 {
        match self {
            Self::Columns => columns,
            Self::Rows => rows,
            Self::Pieces(pieces) => pieces * columns,
        }
    }

    /// [`sequence`](Self::sequence) in a graph.
    fn sequence_onnx(self, e: &Exporter, map: &GraphMap) -> Value {
        let x = match self {
            Self::Columns => map.x.mean(&[2], false),
            Self::Rows => map.x.mean(&[3], false),
            Self::Pieces(pieces) => {
                // What it makes of each row by itself is what it weighs it with.
                let rows = map.sides[0];
                let each = Tensor::eye(rows, (Kind::Float, Device::Cpu)).view([1, 1, rows, rows]);
                let weights = each.adaptive_avg_pool2d([pieces, rows]).view([pieces, rows]);
                e.constant(&weights).matmul(&map.x).reshape(&[0, 0, -1])
            }
        };
        x.permute(&[0, 2, 1])
    }

    /// `[B, D, H, W]` to `[B, positions, D]`.
    fn sequence(self, map: &Tensor) -> Tensor {
        let mean = |dim: i64| map.mean_dim([dim].as_slice(), false, None);
        let x = match self {
            Self::Columns => mean(2),
            Self::Rows => mean(3),
            // A trunk may have left fewer rows than pieces.
            Self::Pieces(pieces) => map.adaptive_avg_pool2d([pieces, map.size()[3]]).flatten(2, 3),
        };
        x.transpose(1, 2)
    }
}

/// Where the positions of a trunk's output are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// Of a sequence.
    pub(super) layout: TokenLayout,
    /// Of a feature map.
    pub(super) order: ReadingOrder,
}

impl Reading {
    /// A vector for every position, `[B, T, D]`: of a sequence, all of them; of patches, one for each
    /// column, the mean over its rows, without the tokens before them. `mask` says which of these hold
    /// data; a sequence may have its own.
    pub(super) fn sequence(self, features: &Features, mask: Option<&Tensor>) -> Sequence {
        let Sequence { x, attention_mask } = match features {
            Features::FeatureMap(x) => {
                let attention_mask = mask.map(Tensor::shallow_clone);
                return Sequence { x: self.order.sequence(x), attention_mask };
            }
            Features::Sequence(sequence) => sequence,
        };
        let TokenLayout::Grid { prefix, rows, columns } = self.layout else {
            let attention_mask = attention_mask.as_ref().or(mask).map(Tensor::shallow_clone);
            return Sequence { x: x.shallow_clone(), attention_mask };
        };
        let grid = |x: &Tensor| x.narrow(1, prefix, rows * columns).unflatten(1, [rows, columns]);
        Sequence {
            x: grid(x).mean_dim([1].as_slice(), false, None),
            attention_mask: match attention_mask {
                Some(mask) => Some(grid(mask).any_dim(1, false)),
                None => mask.map(Tensor::shallow_clone),
            },
        }
    }

    /// Numbers at the positions of features, `[B, T]` or `[B, H, W]`, as a grid `[B, rows, columns]` whose
    /// columns are from left to right, or one moment after the other; and the sum of those that have no
    /// place in it, `[B]`.
    pub(super) fn grid(self, x: &Tensor) -> (Tensor, Tensor) {
        let none = || Tensor::zeros([x.size()[0]], (x.kind(), x.device()));
        if x.dim() == 2 {
            let TokenLayout::Grid { prefix, rows, columns } = self.layout else {
                return (x.unsqueeze(1), none());
            };
            let patches = x.narrow(1, prefix, rows * columns);
            let all = |x: &Tensor| x.sum_dim_intlist([1].as_slice(), false, None);
            return (patches.unflatten(1, [rows, columns]), all(x) - all(&patches));
        }
        let grid = match self.order {
            ReadingOrder::Columns => x.shallow_clone(),
            ReadingOrder::Rows => x.transpose(1, 2),
            // Each piece has all rows, and goes on where the one above it ends.
            ReadingOrder::Pieces(pieces) if x.size()[1] % pieces == 0 => {
                x.unflatten(1, [pieces, -1]).transpose(1, 2).flatten(2, 3)
            }
            ReadingOrder::Pieces(_) => x.shallow_clone(),
        };
        (grid, none())
    }

    /// Which positions answer for data, of features that see their padding and were made of what `mask`,
    /// `[B, T]`, tells the data of.
    pub(super) fn follow(self, mask: Option<Tensor>, features: &Features) -> Option<Tensor> {
        let positions = match (features, self.layout) {
            (Features::FeatureMap(x), _) => self.order.positions(x),
            (Features::Sequence(_), TokenLayout::Grid { columns, .. }) => columns,
            (Features::Sequence(sequence), TokenLayout::Sequence) => sequence.x.size()[1],
        };
        mask.map(|mask| scaled(&mask, positions))
    }
}

/// In a graph.
impl Reading {
    /// As [`sequence`](Self::sequence).
    pub(super) fn sequence_onnx(
        self,
        e: &Exporter,
        features: &GraphFeatures,
        mask: Option<&Value>,
    ) -> GraphSequence {
        let GraphSequence { x, attention_mask } = match features {
            GraphFeatures::FeatureMap(map) => {
                let x = self.order.sequence_onnx(e, map);
                return GraphSequence { x, attention_mask: mask.cloned() };
            }
            GraphFeatures::Sequence(sequence) => sequence,
        };
        let TokenLayout::Grid { prefix, rows, columns } = self.layout else {
            let attention_mask = attention_mask.as_ref().or(mask).cloned();
            return GraphSequence { x: x.clone(), attention_mask };
        };
        let patches = x.narrow(1, prefix, rows * columns);
        let column = attention_mask.as_ref().map(|mask| {
            let mask = mask.narrow(1, prefix, rows * columns).to(Element::I64);
            mask.reshape(&[0, rows, columns]).max(&[1], false).to(Element::Bool)
        });
        GraphSequence {
            x: patches.reshape(&[0, rows, columns, -1]).mean(&[1], false),
            attention_mask: column.or(mask.cloned()),
        }
    }

    /// As [`follow`](Self::follow).
    pub(super) fn follow_onnx(self, mask: Value, features: &GraphFeatures) -> Value {
        let fixed = |positions: i64| mask.graph().ints(&[positions]);
        let to = match (features, self.layout) {
            (GraphFeatures::FeatureMap(map), _) => fixed(self.order.positions_of(map.sides)),
            (GraphFeatures::Sequence(_), TokenLayout::Grid { columns, .. }) => fixed(columns),
            (GraphFeatures::Sequence(sequence), TokenLayout::Sequence) => sequence.x.size(1),
        };
        // Whole numbers of at least 0 are divided: that rounds down.
        let from = mask.size(1);
        let lengths = (mask.to(Element::I64).sum(&[1], true) * &to + (&from - 1.)) / from;
        to.range().lt(&lengths)
    }
}

/// A mask `[B, T]`, whose data come first, of as much data among `to` positions: `[B, to]`. What is
/// begun counts.
fn scaled(mask: &Tensor, to: i64) -> Tensor {
    let from = mask.size()[1];
    if from == to {
        return mask.shallow_clone();
    }
    let lengths = mask.sum_dim_intlist([1].as_slice(), true, Kind::Int64) * to + (from - 1);
    let lengths = lengths.divide_scalar_mode(from.max(1), "floor");
    Tensor::arange(to, (Kind::Int64, mask.device())).lt_tensor(&lengths)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn values(x: &Tensor) -> Vec<f32> {
        Vec::<f32>::try_from(x.contiguous().view(-1)).unwrap()
    }

    #[test]
    fn a_feature_map_is_read_in_its_order() {
        // One channel of 4 rows and 2 columns: 0, 1; 2, 3; 4, 5; 6, 7.
        let map = Tensor::arange(8, (Kind::Float, Device::Cpu)).view([1, 1, 4, 2]);
        for (order, want) in [
            (ReadingOrder::Columns, &[3., 4.][..]),
            (ReadingOrder::Rows, &[0.5, 2.5, 4.5, 6.5]),
            (ReadingOrder::Pieces(2), &[1., 2., 5., 6.]),
            (ReadingOrder::Pieces(4), &[0., 1., 2., 3., 4., 5., 6., 7.]),
        ] {
            let x = order.sequence(&map);
            assert_eq!(x.size(), [1, order.positions(&map), 1]);
            assert_eq!(values(&x), want, "{order:?}");
        }
    }

    #[test]
    fn patches_are_columns_without_the_tokens_before_them() {
        let layout = TokenLayout::Grid { prefix: 1, rows: 2, columns: 3 };
        let reading = Reading { layout, order: ReadingOrder::Columns };
        let x = Tensor::arange(7, (Kind::Float, Device::Cpu)).view([1, 7, 1]);
        let mask = Tensor::from_slice(&[true, true, true, false, true, false, false]).view([1, 7]);
        let patches = Features::Sequence(Sequence { x, attention_mask: Some(mask) });
        let Sequence { x, attention_mask } = reading.sequence(&patches, None);
        assert_eq!(values(&x), [2.5, 3.5, 4.5]);
        let mask = Vec::<bool>::try_from(attention_mask.unwrap().view(-1)).unwrap();
        assert_eq!(mask, [true, true, false]);
    }

    #[test]
    fn numbers_lie_where_their_positions_are() {
        let numbers = |n: i64| Tensor::arange(n, (Kind::Float, Device::Cpu));
        let reading = |layout, order| Reading { layout, order };
        let grid = TokenLayout::Grid { prefix: 2, rows: 2, columns: 3 };
        let (x, rest) = reading(grid, ReadingOrder::Columns).grid(&numbers(8).view([1, 8]));
        assert_eq!((x.size(), values(&x)), (vec![1, 2, 3], vec![2., 3., 4., 5., 6., 7.]));
        assert_eq!(values(&rest), [1.]);
        let map = |order| {
            let (x, rest) = reading(TokenLayout::Sequence, order).grid(&numbers(8).view([1, 4, 2]));
            assert_eq!(values(&rest), [0.]);
            (x.size()[1], values(&x))
        };
        assert_eq!(map(ReadingOrder::Columns).0, 4);
        assert_eq!(map(ReadingOrder::Rows), (2, vec![0., 2., 4., 6., 1., 3., 5., 7.]));
        assert_eq!(map(ReadingOrder::Pieces(2)), (2, vec![0., 1., 4., 5., 2., 3., 6., 7.]));
    }

    #[test]
    fn data_that_a_position_begins_with_count() {
        for (length, from, to, want) in
            [(1, 8, 2, 1), (4, 8, 2, 1), (5, 8, 2, 2), (0, 8, 2, 0), (3, 7, 4, 2), (7, 7, 4, 4)]
        {
            let mask = Tensor::arange(from, (Kind::Int64, Device::Cpu)).lt(length).unsqueeze(0);
            let got = scaled(&mask, to);
            assert_eq!(got.size(), [1, to]);
            assert_eq!(got.sum(Kind::Int64).int64_value(&[]), want, "{length} of {from} in {to}");
        }
    }
}
