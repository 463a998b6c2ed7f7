//! Families of models that were trained on pictures.

pub(super) mod vit;
pub(super) mod resnet;
pub(super) mod microsoft_swin;
pub(super) mod swin;
mod swin_tensors;
pub(super) mod timm_swin;
pub(super) mod torchvision_swin;
