//! Dropout (Srivastava et al. 2014).

use rand::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tch::{Device, Kind, Tensor};

/// In training, `x` with each element put to zero with a chance of `share`, and the others scaled so
/// that the mean stays; else `x`. Seeded by libtorch's generator.
///
/// On a CPU, libtorch draws a number of 64 bits for each element, in one thread (but on Intel's):
/// an eighth of a step of BERT. Here 16 bits decide, of a generator that is several times as fast;
/// the share is that of PyTorch to 1/131072.
pub fn dropout(x: &Tensor, share: f64, train: bool) -> Tensor {
    if !train || share <= 0. {
        return x.shallow_clone();
    }
    if x.device() != Device::Cpu {
        return x.dropout(share, true);
    }
    x * noise(&x.size(), share).to_kind(x.kind())
}

/// Zeros, with a chance of `share`, and numbers of the mean 1.
fn noise(shape: &[i64], share: f64) -> Tensor {
    let words = random_words(shape);
    let dropped = (share * WORDS).round().min(WORDS - 1.);
    let dropped_words = words.lt(i64::from(i16::MIN) + dropped as i64);
    Tensor::where_scalar(&dropped_words, 0., WORDS / (WORDS - dropped))
}

/// How many values an `i16` has.
const WORDS: f64 = 65536.;

/// Numbers from all of `i16`, equally likely.
fn random_words(shape: &[i64]) -> Tensor {
    let seed = Tensor::empty([1], (Kind::Int64, Device::Cpu)).random_().int64_value(&[0]);
    let words = Tensor::zeros(shape, (Kind::Int16, Device::Cpu));
    if words.numel() > 0 {
        // SAFETY: a fresh tensor of the CPU is nobody else's and lies in a row, of two bytes for each
        // element, all of them zero, and has memory where it has elements. Any bits are a value.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(words.data_ptr().cast::<u8>(), 2 * words.numel())
        };
        Xoshiro256PlusPlus::seed_from_u64(seed as u64).fill_bytes(bytes);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_dropped_and_the_mean_stays() {
        tch::manual_seed(1);
        let x = Tensor::ones([1_000, 1_001], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        for share in [0.1, 0.5, 0.9] {
            let y = dropout(&x, share, true);
            let dropped = y.eq(0.).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            // Ten deviations of the share of a million draws, at the most.
            assert!((dropped - share).abs() < 0.005, "{dropped} of {share}");
            assert!((y.max().double_value(&[]) - 1. / (1. - share)).abs() < 1e-3);
            let neighbours = y.eq(0.).to_kind(Kind::Double);
            let both = neighbours.narrow(1, 0, 1_000) * neighbours.narrow(1, 1, 1_000);
            let both = both.mean(Kind::Double).double_value(&[]);
            assert!((both - share * share).abs() < 0.005, "neighbours go together: {both}");
            // What was dropped learns nothing, and what was kept in its scale.
            let gradient = Tensor::run_backward(&[y.sum(Kind::Float)], &[&x], false, false);
            assert!(gradient[0].equal(&y));
        }
    }

    #[test]
    fn libtorch_seeds_it() {
        let x = Tensor::ones([100], (Kind::Float, Device::Cpu));
        let drawn = |seed| {
            tch::manual_seed(seed);
            [dropout(&x, 0.5, true), dropout(&x, 0.5, true)]
        };
        let [first, second] = drawn(1);
        assert!(!first.equal(&second));
        assert!(drawn(1)[1].equal(&second) && !drawn(2)[0].equal(&first));
    }

    #[test]
    fn prediction_drops_nothing_and_nothing_is_left_alone() {
        let x = Tensor::ones([100], (Kind::Float, Device::Cpu));
        assert!(dropout(&x, 0.5, false).equal(&x));
        assert!(dropout(&x, 0., true).equal(&x));
        assert_eq!(dropout(&x.narrow(0, 0, 0), 0.5, true).size(), [0]);
        assert_eq!(dropout(&x, 0.999_999_9, true).size(), [100]);
    }
}
