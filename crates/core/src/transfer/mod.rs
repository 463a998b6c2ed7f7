//! Transfer: recipes, embedding statistics, alignment, and the ranking of source models.

mod align;
mod embedding_stats;
mod init;
mod rank;
mod recipe;

pub use align::{AlignOptions, AlignReport, Covariance, Otdd, SourceFeatures, align};
pub use embedding_stats::EmbeddingStats;
pub use init::init_from_data;
pub use rank::{LEAST_FOLDS, Logistic, Probe, logme, probe};
pub use recipe::{Overrides, Recipe, RecipePlan, WeightInit};
