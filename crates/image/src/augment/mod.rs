//! Augmentation: what is varied at random of a training picture.
//!
//! | file | holds |
//! |---|---|
//! | `planes.rs` | a picture in the form in which it is varied |
//! | `affine.rs`, `tone.rs`, `colour.rs` | what can be done to it, as Pillow and torchvision do it |
//! | `operation.rs`, `apply.rs` | the names of that, and doing it |
//! | `crop.rs` | the random resized crop |
//! | `policy.rs` | TrivialAugment and RandAugment: which of it is done, and how strongly |
//! | `erase.rs` | random erasing |
//! | `augment.rs` | all of it, in order |

mod affine;
mod apply;
#[allow(clippy::module_inception)]
mod augment;
mod colour;
mod crop;
mod erase;
mod operation;
mod planes;
mod policy;
mod tone;

pub use augment::Augment;
pub use policy::Policy;

#[cfg(test)]
mod tests;
