//! Sides, and what moves elements about.

use super::attribute::{int, ints};
use super::element::Element;
use super::graph::Value;

impl Value {
    /// Other sides: 0 is as long as it was at its place, and one may be -1, as long as it takes.
    pub fn reshape(&self, sides: &[i64]) -> Self {
        self.op("Reshape", &[&self.graph().ints(sides)], vec![])
    }

    /// The sides in another order.
    pub fn permute(&self, order: &[i64]) -> Self {
        self.op("Transpose", &[], vec![ints("perm", order)])
    }

    /// New sides of 1 at these places of the outcome.
    pub fn unsqueeze(&self, at: &[i64]) -> Self {
        self.op("Unsqueeze", &[&self.graph().ints(at)], vec![])
    }

    /// Without these sides, which are 1.
    pub fn squeeze(&self, at: &[i64]) -> Self {
        self.op("Squeeze", &[&self.graph().ints(at)], vec![])
    }

    /// The length of a side, `[1]`, i64.
    pub fn size(&self, axis: i64) -> Self {
        self.sizes(axis, axis + 1)
    }

    /// The lengths of the sides from one up to another, i64.
    pub fn sizes(&self, from: i64, to: i64) -> Self {
        self.op_to("Shape", &[], vec![int("start", from), int("end", to)], Element::I64)
    }

    /// `length` elements of a side from `start` on.
    pub fn narrow(&self, axis: i64, start: i64, length: i64) -> Self {
        self.narrow_to(axis, start, &self.graph().ints(&[start + length]))
    }

    /// Elements of a side from `start` up to `end`, `[1]`, i64, without it.
    pub fn narrow_to(&self, axis: i64, start: i64, end: &Value) -> Self {
        let graph = self.graph();
        self.op("Slice", &[&graph.ints(&[start]), end, &graph.ints(&[axis])], vec![])
    }

    /// All elements of a side from `start` on.
    pub fn narrow_from(&self, axis: i64, start: i64) -> Self {
        self.narrow(axis, start, i64::MAX - start)
    }

    /// Every `step`th element of a side.
    pub fn every(&self, axis: i64, step: i64) -> Self {
        let graph = self.graph();
        let [start, end, axis, step] = [0, i64::MAX, axis, step].map(|n| graph.ints(&[n]));
        self.op("Slice", &[&start, &end, &axis, &step], vec![])
    }

    /// One element of a side, which goes; below 0 from its end.
    pub fn select(&self, axis: i64, at: i64) -> Self {
        self.op("Gather", &[&self.graph().int(at)], vec![int("axis", axis)])
    }

    /// Rows of a table `[n, …]` by their numbers `[…]`.
    pub fn rows(&self, numbers: &Value) -> Self {
        self.op("Gather", &[numbers], vec![int("axis", 0)])
    }

    /// Along the last side, the elements with these numbers: `[…, n]` with `[…, m]` to `[…, m]`.
    pub fn gather_last(&self, numbers: &Value) -> Self {
        self.op("GatherElements", &[numbers], vec![int("axis", -1)])
    }

    /// Of each sample of `[B, T, …]`, the position with its number, `[B, 1]`.
    pub fn position_of_each(&self, numbers: &Value) -> Self {
        self.op("GatherND", &[numbers], vec![int("batch_dims", 1)])
    }

    /// Sides of 1 repeated to these lengths, `[n]`, i64.
    pub fn expand(&self, sides: &Value) -> Self {
        self.op("Expand", &[sides], vec![])
    }

    /// Zeros before and behind some sides: `(axis, before, behind)` each; below 0 it cuts.
    pub fn pad(&self, around: &[(i64, i64, i64)]) -> Self {
        let graph = self.graph();
        let part = |of: fn(&(i64, i64, i64)) -> i64| around.iter().map(of);
        let amounts: Vec<i64> = part(|a| a.1).chain(part(|a| a.2)).collect();
        self.pad_by(&graph.ints(&amounts), &part(|a| a.0).collect::<Vec<_>>())
    }

    /// The same by amounts that are computed, `[2 · axes]`, i64.
    pub fn pad_by(&self, amounts: &Value, axes: &[i64]) -> Self {
        self.op("Pad", &[amounts, &self.scalar(0.), &self.graph().ints(axes)], vec![])
    }

    /// One behind the other along a side.
    pub fn cat(parts: &[&Value], axis: i64) -> Self {
        parts[0].op("Concat", &parts[1..], vec![int("axis", axis)])
    }

    /// One behind the other along a new side, which has this place in the outcome.
    pub fn stack(parts: &[&Value], at: i64) -> Self {
        let parts: Vec<Value> = parts.iter().map(|part| part.unsqueeze(&[at])).collect();
        Self::cat(&parts.iter().collect::<Vec<_>>(), at)
    }

    /// Of a length, `[1]`, i64: the numbers from 0 up to it, without it.
    pub fn range(&self) -> Self {
        let graph = self.graph();
        let (zero, one) = (graph.int(0), graph.int(1));
        zero.op("Range", &[&self.squeeze(&[0]), &one], vec![])
    }
}
