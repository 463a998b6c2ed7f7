//! What values are made of, and their sides.

use std::fmt;

use super::wire::{DimensionProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto};

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point (IEEE 754 binary16).
    F16,
    /// 64-bit integers: ids, masks, sizes.
    I64,
    /// Truth values.
    Bool,
}

impl Element {
    /// Its number in `TensorProto.DataType`.
    pub(super) fn number(self) -> i32 {
        match self {
            Self::F32 => 1,
            Self::F16 => 10,
            Self::I64 => 7,
            Self::Bool => 9,
        }
    }

    /// The bytes of one element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::I64 => 8,
            Self::Bool => 1,
        }
    }

    /// Whether it is a floating-point number.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16)
    }
}

/// As NumPy names it.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::I64 => "int64",
            Self::Bool => "bool",
        })
    }
}

/// One side of an input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    /// Always as long.
    Fixed(i64),
    /// Of any length; those of one name have one length.
    Open(&'static str),
}

/// The batch, which is open everywhere.
impl Dim {
    /// The number of samples.
    pub const BATCH: Self = Self::Open("batch");
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(side) => write!(f, "{side}"),
            Self::Open(name) => f.write_str(name),
        }
    }
}

/// An input or output as a file has it.
pub(super) fn value_info(name: &str, element: Element, dims: &[Dim]) -> ValueInfoProto {
    let dim = |dim: &Dim| match *dim {
        Dim::Fixed(side) => DimensionProto { dim_value: Some(side), dim_param: None },
        Dim::Open(name) => DimensionProto { dim_value: None, dim_param: Some(name.into()) },
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: element.number(), shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// The nearest 16-bit number, ties to even; what is beyond its range becomes the largest finite one, as
/// masks need it.
pub(super) fn half(number: f32) -> u16 {
    const LARGEST: f32 = 65504.;
    let sign = ((number.to_bits() >> 16) & 0x8000) as u16;
    let size = number.abs().min(LARGEST);
    let exponent = (size.to_bits() >> 23) as i32 - 127;
    // The distance between neighbours there: below 2^-14, numbers are not normal.
    let step = 2f32.powi(exponent.max(-14) - 10);
    let steps = (size / step).round_ties_even() as u32;
    // A count that is one too many for its exponent carries into the next, as it should.
    let bits = match exponent {
        -14.. => (((exponent + 14) as u32) << 10) + steps,
        _ => steps,
    };
    sign | bits as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_those_of_ieee_754() {
        for (number, bits) in [
            (0., 0x0000),
            (1., 0x3c00),
            (-2., 0xc000),
            (0.1, 0x2e66),
            (65504., 0x7bff),
            (f32::MIN, 0xfbff),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 0x0001),
            (1e-12, 0x0000),
            (2047.5, 0x6800),
            (0.33325195, 0x3555),
        ] {
            assert_eq!(half(number), bits, "{number}");
        }
    }
}
