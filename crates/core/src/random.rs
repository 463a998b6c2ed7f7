//! Where all chance comes from.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The randomness of one thing in one epoch.
pub(crate) fn rng(seed: u64, epoch: usize, at: usize) -> Rng {
    let mut rng = Rng::seed_from_u64(seed);
    rng.set_stream((epoch as u64) << 32 | at as u64);
    rng
}

/// Seeds everything that libtorch draws at random. Before a model is built, this decides its fresh
/// parameters.
pub fn seed(seed: u64) {
    tch::manual_seed(seed as i64);
}

/// Where the randomness of [`Modality::vary`] comes from: one for each sample and epoch, so that
/// neither order nor threads change what it draws.
pub type Rng = ChaCha8Rng;
