//! Positions: embeddings that are added, and what attention itself knows of them.

mod buckets;
mod relative;
mod rotary;
mod sinusoidal;

pub use buckets::BucketConfig;
pub use relative::PositionConfig;
pub use rotary::{RotaryConfig, RotaryPairing, RotaryScaling};
pub use sinusoidal::Positions;

pub(crate) use relative::{PositionContext, RelativePositions};
