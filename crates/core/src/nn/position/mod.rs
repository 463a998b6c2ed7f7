//! Position embeddings.

mod sinusoidal;

pub use sinusoidal::Positions;
