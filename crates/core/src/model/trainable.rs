//! Restores which parameters train.

use tch::Tensor;

use super::model::Model;

/// Records which parameters of a model train; dropped, it makes them train again, and no others.
#[derive(Debug)]
pub(crate) struct TrainableGuard(Vec<(Tensor, bool)>);

impl TrainableGuard {
    /// Records the present state.
    pub(crate) fn now(model: &Model) -> Self {
        let values = model.store().variables().into_values();
        let state = |value: Tensor| {
            let trains = value.requires_grad();
            (value, trains)
        };
        Self(values.map(state).collect())
    }
}

impl Drop for TrainableGuard {
    fn drop(&mut self) {
        for (value, trains) in &self.0 {
            let _ = value.set_requires_grad(*trains);
        }
    }
}
