//! Whether numbers are numbers: neither NaN nor infinite.

use tch::{Kind, Tensor};

use crate::error::Result;

/// The first element of a tensor that is no finite number, and where it is: `NaN at [0, 3]`;
/// `None`: all are finite, or cannot be anything else.
///
/// # Errors
/// If libtorch cannot look at them.
pub(crate) fn fault(tensor: &Tensor) -> Result<Option<String>> {
    if !tensor.is_floating_point() || tensor.numel() == 0 {
        return Ok(None);
    }
    // One pass on all threads that writes nothing: NaN is passed on, and infinity is extreme.
    let (least, most) = tensor.detach().f_aminmax(None, false)?;
    if least.f_double_value(&[])?.is_finite() && most.f_double_value(&[])?.is_finite() {
        return Ok(None);
    }
    let flat = tensor.detach().f_reshape([-1])?;
    let wrong = flat.f_isfinite()?.f_logical_not()?.to_kind(Kind::Uint8);
    let mut rest = wrong.f_argmax(None, false)?.f_int64_value(&[])?;
    let value = flat.f_double_value(&[rest])?;
    let mut at = vec![];
    for &size in tensor.size().iter().rev() {
        at.push(rest % size);
        rest /= size;
    }
    at.reverse();
    let value = if value.is_nan() { "NaN" } else { "infinity" };
    Ok(Some(format!("{value} at {at:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_no_number_is_named() {
        let of = |values: &[f32]| Tensor::from_slice(values).view([2, -1]);
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        for (values, said) in [
            ([0., 1., f32::MAX, f32::MIN], None),
            ([0., nan, 1., inf], Some("NaN at [0, 1]")),
            ([0., 1., inf, nan], Some("infinity at [1, 0]")),
            ([0., 1., 2., -inf], Some("infinity at [1, 1]")),
        ] {
            for kind in [Kind::Float, Kind::Double] {
                let found = fault(&of(&values).to_kind(kind)).unwrap();
                assert_eq!(found.as_deref(), said, "{values:?}");
            }
        }
        let half = of(&[0., 1., 65504., inf]).to_kind(Kind::Half);
        assert_eq!(fault(&half).unwrap().unwrap(), "infinity at [1, 1]");
        let askew = of(&[0., 1., nan, 2.]).tr();
        assert_eq!(fault(&askew).unwrap().unwrap(), "NaN at [0, 1]");
        assert_eq!(fault(&Tensor::from_slice(&[nan]).squeeze()).unwrap().unwrap(), "NaN at []");
        assert_eq!(fault(&Tensor::from_slice(&[1_i64])).unwrap(), None);
        assert_eq!(fault(&Tensor::zeros([0, 3], (Kind::Float, tch::Device::Cpu))).unwrap(), None);
    }
}
