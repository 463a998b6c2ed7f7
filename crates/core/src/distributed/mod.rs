//! Several processes that train one model: who they are, what they say to each other, and what becomes of
//! them when one is lost. PyTorch's engine, c10d, does the work, and torchrun's variables say who is who.

mod address;
mod environment;
mod heartbeat;
mod host;
mod kinds;
mod sums;
mod words;
mod world;

pub use environment::{Environment, Launcher};
pub use host::Host;
pub use world::{World, join, several, world};

pub(crate) use kinds::{kind_name, kind_of};
pub(crate) use world::Sum;
