//! From items to batches, in parallel and ahead of training.

pub(crate) mod batches;
mod cache;
mod sampler;
pub(crate) mod samples;

pub use cache::Room;
pub use sampler::{Balance, Order, balanced_order};
pub use samples::{MEMORY, Reading, Samples, Splits};

pub(crate) use batches::{Feed, Inputs, Prepared, Purpose};
pub(crate) use cache::{Cache, Views};
pub(crate) use sampler::by_length;
