//! Seeds and random-number generators.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of one thing (a sample, a batch) in one epoch.
pub(crate) fn rng(seed: u64, epoch: usize, at: usize) -> Rng {
    let mut rng = Rng::seed_from_u64(seed);
    rng.set_stream((epoch as u64) << 32 | at as u64);
    rng
}

/// Seeds libtorch's generator. Before a model is built, this decides its new parameters.
pub fn seed(seed: u64) {
    tch::manual_seed(seed as i64);
}

/// The generator of [`Modality::augment`](crate::modality::Modality::augment): one for each sample
/// and epoch, so that neither order nor threads change what it draws.
pub type Rng = ChaCha8Rng;

/// Whether a check holds that draws from libtorch's generator. All tests of a process share that: they may
/// disturb each other, but not each time.
#[cfg(test)]
pub(crate) fn holds_undisturbed(check: impl Fn() -> bool) -> bool {
    (0..20).any(|_| check())
}
