//! Families of pictures.

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
pub(super) mod beit;
pub(super) mod clip;
pub(super) mod dinov2;
pub(super) mod dinov3;
pub(super) mod regnet;
pub(super) mod resnet;
pub(super) mod microsoft_swin;
pub(super) mod swin;
mod swin_tensors;
pub(super) mod timm_swin;
pub(super) mod torchvision_swin;
pub(super) mod siglip;
pub(super) mod timm;
mod timm_tensors;
mod tower;
pub(super) mod vit;
