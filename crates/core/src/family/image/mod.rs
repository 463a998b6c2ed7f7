//! Families of models that were trained on pictures.

pub(super) mod vit;
pub(super) mod resnet;
