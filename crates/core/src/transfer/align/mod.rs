//! ORCA (Shen et al. 2023, *Cross-Modal Fine-Tuning: Align then Refine*), its first stage: a fresh
//! embedder is trained alone, until what it emits of the target's samples lies, class by class, as near
//! to what the source's own embedder emits as it can. The second stage is fine-tuning.

mod align;
mod otdd;
mod source;
#[cfg(test)]
mod tests;

pub use align::{AlignOptions, AlignReport, align};
pub use otdd::{Covariance, Otdd};
pub use source::SourceFeatures;
