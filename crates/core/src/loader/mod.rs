//! From items to batches, in parallel and ahead of training.

mod batches;
mod budget;
mod cache;
mod exchange;
mod refuse;
mod sampler;
pub(crate) mod samples;
mod splits;

pub use budget::{DEFAULT_MEMORY, MemoryBudget};
pub use cache::CacheBudget;
pub use refuse::refuse_bad;
pub use sampler::{Balance, Order, balanced_order};
pub use samples::{Beforehand, ReadMode, Samples};
pub use splits::Splits;

pub(crate) use batches::{BatchSource, Mode, PreparedBatch, RawInputs, RowPart, load_batches};
pub(crate) use cache::{AugmentedViews, FeatureCache};
pub(crate) use sampler::{by_length, chunks, ordered, share, stretches};
