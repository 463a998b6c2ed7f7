//! Families of pictures.

pub(super) mod beit;
pub(super) mod clip;
pub(super) mod dinov2;
pub(super) mod dinov3;
pub(super) mod resnet;
pub(super) mod siglip;
pub(super) mod timm;
mod timm_tensors;
mod tower;
pub(super) mod vit;
