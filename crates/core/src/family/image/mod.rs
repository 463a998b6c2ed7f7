//! Families of models that were trained on pictures.

pub(super) mod bit;
mod convnet;
pub(super) mod convnext;
pub(super) mod convnext_named;
pub(super) mod densenet;
pub(super) mod efficientnet;
pub(super) mod efficientnet_pytorch;
mod mobile;
pub(super) mod mobile_timm;
pub(super) mod mobile_torchvision;
pub(super) mod mobilenet_v2;
pub(super) mod regnet;
pub(super) mod resnet;
pub(super) mod vit;
