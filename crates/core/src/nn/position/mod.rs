//! Positions.

mod sinusoidal;

pub use sinusoidal::Positions;
