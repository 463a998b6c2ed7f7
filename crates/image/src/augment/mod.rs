//! Augmentation of training pictures.
//!
//! | file | holds |
//! |---|---|
//! | `planes.rs` | a picture in the form in which it is augmented |
//! | `affine.rs`, `tone.rs`, `colour.rs` | operations on it, as Pillow and torchvision do them |
//! | `operation.rs`, `apply.rs` | the list of operations, and applying one |
//! | `crop.rs` | the random resized crop |
//! | `policy.rs` | TrivialAugment and RandAugment: the choice of operations and strengths |
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
