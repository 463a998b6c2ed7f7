//! What flows through a trunk.

use tch::Tensor;

use super::features::{Features, Sequence, masks_together};

/// What flows through a trunk.
#[derive(Debug)]
pub(crate) struct Activations {
    pub(crate) features: Features,
    /// Which positions hold data of what sees its padding, where positions are left.
    pub(crate) mask: Option<Tensor>,
    /// The hidden states on the way, where every one is pooled.
    pub(crate) states: Vec<Tensor>,
}

impl Activations {
    /// `count` rows of it from row `from` on.
    pub(crate) fn rows(&self, from: i64, count: i64) -> Self {
        let narrow = |x: &Tensor| x.narrow(0, from, count);
        Self {
            features: match &self.features {
                Features::Sequence(Sequence { x, attention_mask }) => {
                    Features::Sequence(Sequence {
                        x: narrow(x),
                        attention_mask: attention_mask.as_ref().map(narrow),
                    })
                }
                Features::FeatureMap(x) => Features::FeatureMap(narrow(x)),
            },
            mask: self.mask.as_ref().map(narrow),
            states: self.states.iter().map(narrow).collect(),
        }
    }

    /// What enters a trunk of several embedders, one behind the other; `None`: it is not alike.
    pub(crate) fn entering_together(all: &[Self]) -> Option<Self> {
        let parts = |one: &Self| match &one.features {
            Features::Sequence(Sequence { x, attention_mask }) => {
                (x.shallow_clone(), attention_mask.as_ref().map(Tensor::shallow_clone))
            }
            Features::FeatureMap(x) => (x.shallow_clone(), None),
        };
        let (each, attended): (Vec<Tensor>, Vec<_>) = all.iter().map(parts).unzip();
        let first = each.first()?.size();
        if each.iter().any(|x| x.size()[1..] != first[1..]) {
            return None;
        }
        let (x, attention_mask) = (Tensor::cat(&each, 0), masks_together(attended, &each));
        let masks = all.iter().map(|one| one.mask.as_ref().map(Tensor::shallow_clone));
        let mask = masks_together(masks.collect(), &each);
        Some(Self {
            features: match &all.first()?.features {
                Features::Sequence(_) => Features::Sequence(Sequence { x, attention_mask }),
                Features::FeatureMap(_) => Features::FeatureMap(x),
            },
            mask,
            states: vec![],
        })
    }
}
