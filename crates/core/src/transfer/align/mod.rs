//! ORCA (Shen et al. 2023, *Cross-Modal Fine-Tuning: Align then Refine*), its first stage: a new
//! embedder is trained alone until its output on the target's samples is as close as possible,
//! class by class, to that of the source's own embedder. The second stage is fine-tuning.

mod align;
mod otdd;
mod source;
#[cfg(test)]
mod tests;

pub use align::{AlignOptions, AlignReport, align};
pub use otdd::{Covariance, Otdd};
pub use source::SourceFeatures;
