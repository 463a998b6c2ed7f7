//! The distribution of a parameter's values.

use crosstune_core::Result;
use tch::{Kind, Tensor};

use crate::output::events::Histogram;

/// How many buckets there are, between the least and the greatest value.
const BUCKETS: i64 = 64;

/// The distribution of the values of a tensor; `None`: it has none, or some are no numbers.
///
/// # Errors
/// If libtorch refuses.
pub(super) fn histogram(values: &Tensor) -> Result<Option<Histogram>> {
    if values.numel() == 0 {
        return Ok(None);
    }
    let values = values.detach().f_flatten(0, -1)?.f_to_kind(Kind::Float)?;
    let sums = [
        values.f_min()?.f_to_kind(Kind::Double)?,
        values.f_max()?.f_to_kind(Kind::Double)?,
        values.f_sum(Kind::Double)?,
        values.f_square()?.f_sum(Kind::Double)?,
    ];
    let sums = Vec::<f64>::try_from(Tensor::f_stack(&sums, 0)?)?;
    let [min, max, sum, sum_squares] = sums[..] else { return Ok(None) };
    if !(min.is_finite() && max.is_finite()) {
        return Ok(None);
    }
    let num = values.numel() as f64;
    let (bucket, bucket_limit) = match max - min {
        // All are the same.
        0. => (vec![num], vec![max]),
        range => {
            // Its range is that of the values.
            let counts = values.f_histc(BUCKETS)?.f_to_kind(Kind::Double)?;
            let limit = |at| min + range * f64::from(at) / BUCKETS as f64;
            (Vec::try_from(counts)?, (1..=BUCKETS as i32).map(limit).collect())
        }
    };
    Ok(Some(Histogram { min, max, num, sum, sum_squares, bucket_limit, bucket }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_bucket() {
        let values = Tensor::from_slice(&[0f32, 0.5, 1., 2., 64.]);
        let Histogram { min, max, num, sum, sum_squares, bucket_limit, bucket } =
            histogram(&values).unwrap().unwrap();
        assert_eq!((min, max, num, sum, sum_squares), (0., 64., 5., 67.5, 4101.25));
        assert_eq!((bucket_limit.len(), bucket_limit[0], bucket_limit[63]), (64, 1., 64.));
        let filled: Vec<_> = bucket.iter().enumerate().filter(|(_, n)| **n > 0.).collect();
        assert_eq!(filled, [(0, &2.), (1, &1.), (2, &1.), (63, &1.)]);
    }

    #[test]
    fn one_value_has_one_bucket_and_no_number_has_none() {
        let same = histogram(&Tensor::from_slice(&[3f32; 7]).view([7, 1])).unwrap().unwrap();
        assert_eq!((same.bucket, same.bucket_limit), (vec![7.], vec![3.]));
        assert_eq!(histogram(&Tensor::from_slice(&[1f32, f32::NAN])).unwrap(), None);
        assert_eq!(histogram(&Tensor::from_slice::<f32>(&[])).unwrap(), None);
    }
}
