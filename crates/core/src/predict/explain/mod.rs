//! Which parts of an input an answer is due to.

mod explain;
mod explanation;
mod integrated_gradients;
mod map;
mod occlusion;
mod quadrature;
mod target;
mod scorer;

pub use explain::explain;
pub use explanation::{Attributions, ExplainMethod, ExplainOptions, Explanation, Occluder};
pub use target::{ExplainTarget, questions};
