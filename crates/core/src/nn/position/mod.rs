//! Positions: embeddings that are added, and what attention itself knows of them.

mod axes;
mod buckets;
mod disentangled;
mod distances;
mod gated;
mod grid;
mod relative;
mod rotary;
mod scored;
mod scores;
mod sinusoidal;

pub use axes::RotaryAxes;
pub use buckets::BucketConfig;
pub use disentangled::{DisentangledConfig, DisentangledTerms, PositionProjections};
pub use distances::DistanceConfig;
pub use grid::{GridBiasConfig, GridTables};
pub use relative::PositionConfig;
pub use rotary::{RotaryConfig, RotaryPairing, RotaryScaling};
pub use sinusoidal::Positions;

pub(crate) use relative::{GraphPositions, PositionContext, RelativePositions};
pub(crate) use scored::{GraphScored, HeadShape, Scored};
pub(crate) use scores::RelativeScores;
