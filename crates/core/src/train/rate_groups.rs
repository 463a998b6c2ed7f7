//! Which parameters train at which rate, for people who watch a training.

use crate::model::{Model, ModelPart};

/// Parameters that train at one rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RateGroup {
    /// See [`Update::rates`](super::record::Update::rates).
    pub(super) name: String,
    /// Multiplies the learning rate.
    pub(super) multiple: f64,
}

/// The groups of the parameters that train, each parameter with what multiplies its learning rate;
/// `by_part`: where pretrained parameters of different parts of the model have different ones.
pub(super) fn rate_groups<'p>(
    model: &Model,
    by_part: bool,
    trained: impl Iterator<Item = (&'p str, f64)>,
) -> Vec<RateGroup> {
    let depth = model.spec().trunk.depth();
    let mut groups: Vec<RateGroup> = vec![];
    for (parameter, multiple) in trained {
        let name = match (model.report().is_fresh(parameter), by_part) {
            (true, _) => "new".into(),
            (false, false) => "pretrained".into(),
            (false, true) => match ModelPart::of(parameter, depth) {
                ModelPart::Embedder => "pretrained.embedder".into(),
                ModelPart::Trunk(part) => format!("pretrained.trunk.{part}"),
                ModelPart::Head => "pretrained.head".into(),
            },
        };
        if !groups.iter().any(|group| group.name == name) {
            groups.push(RateGroup { name, multiple });
        }
    }
    groups
}
