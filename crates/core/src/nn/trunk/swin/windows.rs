//! Feature maps cut into windows, and put together again (Liu et al. 2021, §3.2).

use tch::{Device, Kind, Tensor};

use super::config::WindowPadding;
use crate::onnx::Value;

/// What is added to the score of two positions that only the cyclic shift brought into one window.
const APART: f64 = -100.;

/// The windows on feature maps of one size. Rows come first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    /// The side of a window.
    side: i64,
    /// Sides of the map.
    map: [i64; 2],
    /// Sides of the map with zeros behind it, so that windows divide it.
    padded: [i64; 2],
    /// How far the map is shifted: half a window, or not at all along sides that are one window long.
    shift: [i64; 2],
    padding: WindowPadding,
}

impl Windows {
    /// Windows that are not shifted.
    pub(super) fn new(map: [i64; 2], side: i64, padding: WindowPadding) -> Self {
        let padded = map.map(|n| (n + side - 1) / side * side);
        Self { side, map, padded, shift: [0, 0], padding }
    }

    /// The same, shifted by half a window.
    pub(super) fn shifted(self) -> Self {
        let shift = self.padded.map(|n| if n > self.side { self.side / 2 } else { 0 });
        Self { shift, ..self }
    }

    /// `[B, H, W, C]` to `[B · windows, N, C]` of the `N` positions of each, row by row.
    pub(super) fn cut(&self, x: &Tensor) -> Tensor {
        let x = match self.padding {
            WindowPadding::BeforeShift => self.roll(self.pad(x.shallow_clone()), -1),
            WindowPadding::AfterShift => self.pad(self.roll(x.shallow_clone(), -1)),
        };
        self.partition(&x)
    }

    /// [`cut`](Self::cut) backwards.
    pub(super) fn join(&self, windows: &Tensor) -> Tensor {
        let [rows, columns] = self.padded.map(|n| n / self.side);
        let channels = windows.size()[2];
        let x = windows
            .view([-1, rows, columns, self.side, self.side, channels])
            .transpose(2, 3)
            .reshape([-1, self.padded[0], self.padded[1], channels]);
        match self.padding {
            WindowPadding::BeforeShift => self.unpad(self.roll(x, 1)),
            WindowPadding::AfterShift => self.roll(self.unpad(x), 1),
        }
    }

    /// What is added to the scores of each window, `[windows, N, N]`; `None`: nothing is shifted.
    pub(super) fn mask(&self, device: Device) -> Option<Tensor> {
        if self.shift == [0, 0] {
            return None;
        }
        // Along a side, what was brought from the other end, what it now borders on, and the rest.
        let [rows, columns] = [0, 1].map(|i| {
            let (n, shift) = (self.padded[i], self.shift[i]);
            let at = Tensor::arange(n, (Kind::Int64, device));
            match shift {
                0 => at.zeros_like(),
                _ => {
                    at.ge(n - self.side).to_kind(Kind::Int64)
                        + at.ge(n - shift).to_kind(Kind::Int64)
                }
            }
        });
        let regions = rows.unsqueeze(1) * 3 + columns;
        let regions = self.partition(&regions.view([1, self.padded[0], self.padded[1], 1]));
        let regions = regions.squeeze_dim(2);
        let apart = regions.unsqueeze(1).not_equal_tensor(&regions.unsqueeze(2));
        Some(apart.to_kind(Kind::Float) * APART)
    }

    fn partition(&self, x: &Tensor) -> Tensor {
        let [rows, columns] = self.padded.map(|n| n / self.side);
        let channels = x.size()[3];
        // The batch size is left open, so that a traced model takes any.
        x.reshape([-1, rows, self.side, columns, self.side, channels]).transpose(2, 3).reshape([
            -1,
            self.side * self.side,
            channels,
        ])
    }

    fn pad(&self, x: Tensor) -> Tensor {
        match [0, 1].map(|i| self.padded[i] - self.map[i]) {
            [0, 0] => x,
            [below, right] => x.constant_pad_nd([0, 0, 0, right, 0, below]),
        }
    }

    fn unpad(&self, x: Tensor) -> Tensor {
        if self.padded == self.map {
            return x;
        }
        x.narrow(1, 0, self.map[0]).narrow(2, 0, self.map[1])
    }

    fn roll(&self, x: Tensor, sign: i64) -> Tensor {
        match self.shift {
            [0, 0] => x,
            shift => x.roll(shift.map(|n| sign * n), [1, 2]),
        }
    }
}

/// In a graph, of vectors of so many channels.
impl Windows {
    /// As [`cut`](Self::cut).
    pub(super) fn cut_onnx(&self, x: &Value, channels: i64) -> Value {
        let x = match self.padding {
            WindowPadding::BeforeShift => self.roll_onnx(self.pad_onnx(x), -1, self.padded),
            WindowPadding::AfterShift => self.pad_onnx(&self.roll_onnx(x.clone(), -1, self.map)),
        };
        let ([rows, columns], side) = (self.padded.map(|n| n / self.side), self.side);
        let x = x.reshape(&[-1, rows, side, columns, side, channels]);
        x.permute(&[0, 1, 3, 2, 4, 5]).reshape(&[-1, side * side, channels])
    }

    /// As [`join`](Self::join).
    pub(super) fn join_onnx(&self, windows: &Value, channels: i64) -> Value {
        let ([rows, columns], side) = (self.padded.map(|n| n / self.side), self.side);
        let x = windows.reshape(&[-1, rows, columns, side, side, channels]);
        let x = x.permute(&[0, 1, 3, 2, 4, 5]);
        let x = x.reshape(&[-1, self.padded[0], self.padded[1], channels]);
        let unpad = |x: Value| match self.padded == self.map {
            true => x,
            false => x.narrow(1, 0, self.map[0]).narrow(2, 0, self.map[1]),
        };
        match self.padding {
            WindowPadding::BeforeShift => unpad(self.roll_onnx(x, 1, self.padded)),
            WindowPadding::AfterShift => self.roll_onnx(unpad(x), 1, self.map),
        }
    }

    fn pad_onnx(&self, x: &Value) -> Value {
        match [0, 1].map(|i| self.padded[i] - self.map[i]) {
            [0, 0] => x.clone(),
            [below, right] => x.pad(&[(1, 0, below), (2, 0, right)]),
        }
    }

    fn roll_onnx(&self, x: Value, sign: i64, sides: [i64; 2]) -> Value {
        [0, 1].into_iter().fold(x, |x, i| match (sign * self.shift[i]).rem_euclid(sides[i]) {
            0 => x,
            shift => {
                let (axis, cut) = (i as i64 + 1, sides[i] - shift);
                Value::cat(&[&x.narrow_from(axis, cut), &x.narrow(axis, 0, cut)], axis)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(sides: [i64; 2]) -> Tensor {
        let n = sides[0] * sides[1];
        Tensor::arange(n, (Kind::Float, Device::Cpu)).view([1, sides[0], sides[1], 1])
    }

    #[test]
    fn windows_are_put_together_as_they_were_cut() {
        for padding in [WindowPadding::BeforeShift, WindowPadding::AfterShift] {
            for sides in [[6, 9], [5, 7], [2, 10], [3, 3], [1, 1]] {
                let windows = Windows::new(sides, 3, padding);
                for windows in [windows, windows.shifted()] {
                    let x = map(sides);
                    let cut = windows.cut(&x);
                    assert_eq!(cut.size()[1..], [9, 1]);
                    assert_eq!(windows.join(&cut), x, "{windows:?}");
                }
            }
        }
    }

    #[test]
    fn only_neighbours_of_before_the_shift_see_each_other() {
        let windows = Windows::new([4, 4], 2, WindowPadding::BeforeShift).shifted();
        let mask = windows.mask(Device::Cpu).unwrap();
        assert_eq!(mask.size(), [4, 4, 4]);
        // The first window holds what was one piece, the last one four corners.
        assert_eq!(mask.select(0, 0).abs().max().double_value(&[]), 0.);
        let apart = mask.select(0, 3).lt(0.).to_kind(Kind::Int64).sum(Kind::Int64);
        assert_eq!(apart.int64_value(&[]), 12);
        assert!(Windows::new([4, 4], 2, WindowPadding::AfterShift).mask(Device::Cpu).is_none());
        // A side of one window is not shifted.
        let thin = Windows::new([2, 4], 2, WindowPadding::BeforeShift).shifted();
        assert_eq!(thin.shift, [0, 1]);
    }
}
