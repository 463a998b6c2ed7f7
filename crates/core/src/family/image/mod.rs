//! Families of models that were trained on pictures.

pub(super) mod bit;
mod convnet;
pub(super) mod densenet;
pub(super) mod regnet;
pub(super) mod resnet;
pub(super) mod vit;
