//! From items to batches, in parallel and ahead of training.

mod batches;
mod cache;
mod sampler;
pub(crate) mod samples;

pub use cache::CacheBudget;
pub use sampler::{Balance, Order, balanced_order};
pub use samples::{DEFAULT_MEMORY, ReadMode, Samples, Splits, refuse_bad};

pub(crate) use batches::{BatchSource, Mode, PreparedBatch, RawInputs, load_batches};
pub(crate) use cache::{AugmentedViews, FeatureCache};
pub(crate) use sampler::{by_length, chunks};
